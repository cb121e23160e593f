"""Work for child processes: it imports little, for every child does it again."""

import operator
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


def pid_of(_: object) -> int:
    """Say which process this is."""
    return os.getpid()


def is_imported(module: str) -> bool:
    """Tell whether this process has imported a module."""
    return module in sys.modules


def wait_for(barrier: Any) -> int:  # noqa: ANN401 - a barrier or a proxy of one
    """Meet the others."""
    place: int = barrier.wait(10)
    return place


def hold_or_release(order: tuple[str, Any]) -> str:
    """Wait for an event, set it, or do nothing."""
    what, event = order
    if what == "hold":
        assert event.wait(10)
    elif what == "release":
        event.set()
    return what


def merge_often(table: Any, times: int) -> None:  # noqa: ANN401 - a table of any class
    """Add 1 to an entry, again and again."""
    for _ in range(times):
        table.merge("total", 1, operator.add)


def merge_one(table: Any) -> int:  # noqa: ANN401 - likewise
    """Add 1 to an entry."""
    total: int = table.merge("total", 1, operator.add)
    return total


def always_fail(_old: object, _new: object) -> object:
    """Fail, and name the process that did."""
    raise LookupError(os.getpid())


def add_often(counter: Any, times: int, writer: Any) -> None:  # noqa: ANN401 - of any class
    """Count up, and send every number drawn."""
    with writer:
        writer.send([counter.add() for _ in range(times)])


def add_when_both_have_read(counter: Any, barrier: Any) -> None:  # noqa: ANN401 - of any class
    """Add 1 to a counter, with a meeting between its read and its write."""

    class Meeting(int):
        def __radd__(self, other: int) -> int:
            barrier.wait(10)
            return other + int(self)

    counter.add(Meeting(1))


def meet(barrier: Any) -> Iterator[str]:  # noqa: ANN401 - a barrier
    """Tell of a meeting."""
    yield "before"
    barrier.wait(10)
    yield "after"


def count_to(source: tuple[str, int]) -> Iterator[tuple[str, int]]:
    """Count, under a name."""
    name, end = source
    for number in range(end):
        yield name, number


def send_large(size: int) -> Iterator[bytes]:
    """Send two messages that no pipe holds."""
    yield bytes(size)
    yield bytes(size)


def count_large(counted: Any) -> Iterator[bytes]:  # noqa: ANN401 - a shared number
    """Send large messages for ever, and count those made."""
    while True:
        counted.value += 1
        yield bytes(4_000_000)


def speak_and(act: str) -> Iterator[object]:
    """Send one message, then do something else."""
    if act == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield "spoke"
    if act == "fail":
        raise LookupError("no more")
    if act == "fail oddly":
        raise Odd(1, 2)
    if act == "die":
        os._exit(7)
    if act == "leave":
        sys.exit(0)
    if act == "send a function":
        yield lambda: 0
    while act in {"go on", "ignore"}:
        yield "more"


class Unloadable:
    """Pickles, and fails with a chosen error where it is loaded."""

    def __init__(self, kind: type[BaseException]) -> None:
        """Choose."""
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        """Be a failing call."""
        return fail_to_load, (self.kind,)


def fail_to_load(kind: type[BaseException]) -> None:
    """Fail as asked."""
    raise kind("cannot be loaded")


def send_unloadable(kind: type[Exception]) -> Iterator[object]:
    """Send a message that cannot be loaded, then one that no pipe holds."""
    yield Unloadable(kind)
    yield bytes(1_000_000)


class BecomesLock:
    """Pickles, and is a lock where it is loaded, which does not pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Be a call that makes a lock."""
        return threading.Lock, ()


def take_second(_old: object, new: object) -> object:
    """Combine two values to the second."""
    return new


def make_lock(_old: object, _new: object) -> object:
    """Combine two values to what does not pickle."""
    return threading.Lock()


class Odd(Exception):  # noqa: N818 - not an error of its own kind
    """Pickles, and cannot be made again from what was pickled."""

    def __init__(self, one: int, other: int) -> None:
        """Take two arguments, and keep one."""
        super().__init__(f"odd {one + other}")
