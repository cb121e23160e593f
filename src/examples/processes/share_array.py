"""Share a large array among processes, without copying it.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import errno
import operator
import os
import shutil
import struct
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from mmap import mmap
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, Self
from weakref import finalize

if sys.platform != "win32":
    _posixshmem: Any = import_module("_posixshmem")  # what shared_memory is made of

__all__ = ["SharedArray"]

TYPECODES = "bBhHiIlLqQfd"
PLACE = Path("/dev/shm")  # noqa: S108 - where Linux keeps it; no file is made here


class SharedArray:
    """Hold numbers in one block of memory that several processes read and write.

    Use it for megabytes that each worker needs and nobody wants to pickle.
    Send the object itself to a process: only the name of the block travels.
    Do not use it for a few numbers, for text, or for objects; for numbers that
    several processes change, add a lock.

    Ownership: the process that makes it, and no other. The end of its `with` block
    takes the memory back, whatever happened; if there is none, the end of the object
    or of the process does. End the workers before that. A worker takes nothing along,
    however it ends. If the owner is killed, the resource tracker of `multiprocessing`
    takes the memory back when the workers have ended, and says so; on Windows their
    end alone does. If somebody else removes the block, who has a view keeps it, and the
    tracker says so at the end.

    Args:
        typecode: Type of the numbers, as in the module `array`: `"d"` for double,
            `"q"` for 64 bits, `"B"` for bytes, or another of `bBhHiIlLqQfd`.
        length: How many numbers, 1 or more. All are 0 at first.

    Raises:
        ValueError: If `typecode` is none of these or `length` is below 1.
        TypeError: If `length` is not a whole number.
        OSError: If shared memory has not enough room. On Linux all of it is reserved
            at once, so that no later write fails.

    Examples:
        >>> with SharedArray("d", 3) as prices:
        ...     with prices.view() as numbers:
        ...         numbers[1] = 2.5
        ...     with prices.view() as numbers:  # here or in another process
        ...         numbers.tolist()
        [0.0, 2.5, 0.0]

    Source:
        [multiprocessing.shared_memory](https://docs.python.org/3/library/multiprocessing.shared_memory.html)
        in the Python documentation.
    """

    def __init__(self, typecode: str, length: int) -> None:
        """Make the block."""
        if len(typecode) != 1 or typecode not in TYPECODES:
            raise ValueError(f"typecode must be one of {TYPECODES}, got {typecode!r}")
        if operator.index(length) < 1:
            raise ValueError(f"length must be 1 or more, got {length}")
        self.typecode, self.length = typecode, length
        self._bytes = struct.calcsize(typecode) * length
        if PLACE.is_dir() and (free := shutil.disk_usage(PLACE).free) < self._bytes:
            raise OSError(errno.ENOSPC, f"{self._bytes} bytes wanted, {free} free", str(PLACE))
        memory = SharedMemory(create=True, size=self._bytes)
        self._owned: finalize[..., Any] | None = finalize(self, _take_back, memory, os.getpid())
        self.name = memory.name
        try:
            _reserve(PLACE / self.name, self._bytes)
        except BaseException:
            self._owned()
            raise

    def __enter__(self) -> Self:
        """Return the array itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the memory back; views in other processes stay valid until they end."""
        if self._owned is not None:
            self._owned()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the owned block behind: a copy in another process attaches by name."""
        return {**vars(self), "_owned": None}

    @contextmanager
    def view(self) -> Generator[memoryview, None, None]:
        """Attach the block for a `with` body, in the owner or any process it was sent to.

        Yields:
            The numbers, `length` of them, to read and write in place.

        Raises:
            FileNotFoundError: If the owner has taken the memory back.
            BufferError: On leaving, if something made from the view, such as a
                NumPy array, is still in use.
        """
        memory, raw = _attach(self.name, self._bytes)
        numbers = raw.cast(self.typecode)
        try:
            yield numbers
        except BaseException:
            with suppress(BufferError):  # frames that failed hold arrays: their error goes first
                _detach(memory, numbers, raw)
            raise
        _detach(memory, numbers, raw)


def _reserve(file: Path, wanted: int) -> None:
    if file.is_file():  # else Linux gives any size, and kills whoever writes past the room
        with file.open("r+b") as pages:
            os.posix_fallocate(pages.fileno(), 0, wanted)


def _take_back(memory: SharedMemory, owner: int) -> None:
    if os.getpid() == owner:  # a forked process has a copy of all of this
        with suppress(FileNotFoundError):  # somebody was first, as logind is at a logout
            memory.unlink()
    memory.close()


def _attach(name: str, wanted: int) -> tuple[SharedMemory | mmap, Any]:
    if sys.platform == "win32":
        memory = SharedMemory(name)
        return memory, memory.buf[:wanted]  # the system may have rounded the block up
    # SharedMemory unlinks what it fails to map, and up to 3.12 when the process ends.
    file = _posixshmem.shm_open(f"/{name}", os.O_RDWR, 0o600)
    try:
        mapped = mmap(file, wanted)
    finally:
        os.close(file)
    return mapped, memoryview(mapped)


def _detach(memory: SharedMemory | mmap, *views: memoryview) -> None:
    for view in views:
        view.release()
    memory.close()
