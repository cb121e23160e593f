"""Work for processes that die, hang or send what cannot travel; it imports little."""

import faulthandler
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from work_in_children import Odd, Unloadable

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(flush=True)
time.sleep(99)
"""


def do(order: tuple[str, Any]) -> object:  # noqa: C901, PLR0912 - a list of ways to end
    """Do what is asked for."""
    what, value = order
    if what == "signal":
        os.kill(os.getpid(), value)
    if what == "crash":
        crash()
    if what == "_exit":
        os._exit(value)
    if what == "exit":
        sys.exit(value)
    if what == "raise":
        raise value
    if what == "hang":
        stay(value)
    if what == "wait":
        wait_for_ever(value)
    if what == "return a lock":
        return threading.Lock()
    if what == "return unloadable":
        return Unloadable(LookupError)
    if what == "return exiting":
        return Unloadable(SystemExit)
    if what == "return a function":
        return lambda: value
    if what == "raise oddly":
        raise Odd(1, 2)
    if what == "die once":
        die_if_first(value)
    if what == "large":
        return bytes(value)
    if what == "leave a child":
        leave_child(value)
    return value


def crash() -> None:
    """Be ended by a signal, as by a bug in C code, without a word and without a core dump."""
    import resource  # noqa: PLC0415 - Windows has none

    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)


def log(item: int) -> int:
    """Write to the log, whose handlers a fork would have copied."""
    logger = logging.getLogger()
    logger.addHandler(logging.NullHandler())
    logger.warning("from a worker")
    return item


class Refusing:
    """Cannot be pickled."""

    def __reduce__(self) -> str:
        """Refuse."""
        raise LookupError("not to be pickled")


def stay(path: Path) -> None:
    """Start a program that is deaf to SIGTERM, be deaf too, tell both numbers, and never end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    write_at_once(path, f"{os.getpid()} {child.pid}")
    while True:
        time.sleep(1)


def wait_for_ever(path: Path) -> None:
    """Tell the number of this process, and never end, save by a signal."""
    write_at_once(path, str(os.getpid()))
    while True:
        time.sleep(1)


def write_at_once(path: Path, text: str) -> None:
    """Let a file be there only when it is whole."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.rename(path)


def die_if_first(path: Path) -> None:
    """Leave a mark; without one found, die."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def leave_child(path: Path) -> None:
    """Fork a child that holds all descriptors and waits, then die."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside a thread
        child = os.fork()
    if child == 0:
        time.sleep(99)
        os._exit(0)
    path.write_text(f"{os.getpid()} {child}", encoding="utf-8")
    os.kill(os.getpid(), signal.SIGKILL)


def meet(barrier: Any) -> int:  # noqa: ANN401 - a proxy of a barrier
    """Wait for the others."""
    place: int = barrier.wait(30)
    return place


def count_present(folder: Path) -> int:
    """Sign in, count who is here, and sign out."""
    mark = folder / str(os.getpid())
    mark.touch()
    present = len(list(folder.iterdir()))
    mark.unlink()
    return present


def pid_of(_: object) -> int:
    """Say which process this is."""
    return os.getpid()


def square_in_pool(number: int) -> int:
    """Use a pool of processes for it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(pow, number, 2).result()


def note_and_do(order: tuple[Path, tuple[str, Any]]) -> object:
    """Write down who tries, then do what is asked for."""
    path, what = order
    with path.open("a", encoding="utf-8") as notes:
        notes.write(f"{os.getpid()}\n")
    return do(what)


def clean_up(folder: Path) -> None:
    """Wait for SIGTERM, and leave a mark when it comes."""

    def mark(*_: object) -> None:
        (folder / "cleaned").touch()
        sys.exit()

    signal.signal(signal.SIGTERM, mark)
    (folder / "ready").touch()
    while True:
        time.sleep(1)


def hang_if_first(path: Path) -> str:
    """Leave a mark and hang; with one found, do not."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return "second"
    time.sleep(99)
    return "never"
