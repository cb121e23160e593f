"""Things that a process cannot be sent, and calls that bring them about."""

import threading
from collections.abc import Callable

from examples.processes.explain_unpicklable_broken import RefusedError


class Worker:
    """An object with a lock two levels down."""

    def __init__(self) -> None:
        """Make the lock."""
        self.parts = [1, {"lock": threading.Lock()}]

    def work(self) -> int:
        """Do nothing with the lock."""
        return len(self.parts)


class Slotted:
    """An object with a lock in a slot."""

    __slots__ = ("lock",)

    def __init__(self) -> None:
        """Make the lock."""
        self.lock = threading.Lock()


class Stubborn:
    """An object that refuses without a word."""

    def __reduce__(self) -> str:
        """Refuse."""
        raise RuntimeError


class Gone(dict[str, object]):
    """An object that can be sent, and on arrival raises."""

    def __setstate__(self, state: object) -> None:
        """Refuse to be restored."""
        raise LookupError("gone")


def make_local() -> Callable[[], object]:
    """Return a function that exists only here, and holds a lock and a number."""
    lock, number = threading.Lock(), 3

    def local() -> object:
        return lock, number

    return local


def renamed() -> None:
    """Answer to a name that is not its own."""


original = renamed


def renamed() -> None:  # type: ignore[no-redef]
    """Take the name of another."""


def refuse(item: str) -> None:
    """Raise an error that cannot come back."""
    raise RefusedError(item, "no reason")


def return_lock() -> object:
    """Return a result that cannot come back."""
    return threading.Lock()
