"""Share a large array among processes, without copying it.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import errno
import operator
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from mmap import mmap
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, Self

if sys.platform != "win32" and sys.version_info < (3, 13):
    import _posixshmem  # type: ignore[import-not-found]

__all__ = ["SharedArray"]

TYPECODES = "bBhHiIlLqQfd"


class SharedArray:
    """Hold numbers in one block of memory that several processes read and write.

    Use it for megabytes that each worker needs and nobody wants to pickle.
    Send the object itself to a process: only the name of the block travels.
    Do not use it for a few numbers, for text, or for objects; for numbers that
    several processes change, add a lock.

    The process that makes it owns it. Make it in a `with` block: its end takes
    the memory back, whatever happened. End the workers before that.

    Args:
        typecode: Type of the numbers, as in the module `array`: `"d"` for double,
            `"q"` for 64 bits, `"B"` for bytes, or another of `bBhHiIlLqQfd`.
        length: How many numbers, 1 or more. All are 0 at first.

    Raises:
        ValueError: If `typecode` is none of these or `length` is below 1.
        TypeError: If `length` is not a whole number.
        OSError: If shared memory has not enough room.

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
        _check_room(self._bytes)
        memory = SharedMemory(create=True, size=self._bytes)
        self._owned: SharedMemory | None = memory
        self.name = memory.name

    def __enter__(self) -> Self:
        """Return the array itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the memory back; views in other processes stay valid until they end."""
        if self._owned is not None:
            memory, self._owned = self._owned, None
            memory.close()
            memory.unlink()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the owned block behind: a copy in another process attaches by name."""
        return {**vars(self), "_owned": None}

    @contextmanager
    def view(self) -> Iterator[memoryview]:
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
            with suppress(
                BufferError
            ):  # a frame that failed holds its arrays: its error goes first
                _detach(memory, numbers, raw)
            raise
        _detach(memory, numbers, raw)


def _check_room(wanted: int) -> None:
    place = Path("/dev/shm")  # noqa: S108 - where Linux keeps it; no file is made here
    if place.is_dir() and (free := shutil.disk_usage(place).free) < wanted:
        # Linux would give the block, and kill whoever writes past the room.
        raise OSError(errno.ENOSPC, f"{wanted} bytes wanted, {free} free", str(place))


def _attach(name: str, wanted: int) -> tuple[SharedMemory | mmap, Any]:
    # Only the owner's tracker may know the block: any other unlinks it when its process ends.
    if sys.platform != "win32" and sys.version_info < (3, 13):
        file = _posixshmem.shm_open(f"/{name}", os.O_RDWR, 0o600)
        try:
            mapped = mmap(file, wanted)
        finally:
            os.close(file)
        return mapped, memoryview(mapped)
    options: Any = {"track": False} if sys.version_info >= (3, 13) else {}
    memory: Any = SharedMemory(name, **options)
    return memory, memory.buf[:wanted]  # the system may have rounded the block up


def _detach(memory: SharedMemory | mmap, *views: memoryview) -> None:
    for view in views:
        view.release()
    memory.close()
