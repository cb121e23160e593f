"""What can go wrong around map_in_processes: each case runs in a process of its own."""

import threading
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import work_that_ends_badly as work

from examples.processes.map_in_processes import map_in_processes
from fault_cases import METHODS, faces, raises


@faces(1, 2, methods=METHODS, posix=True)
def worker_dies(method: str) -> None:
    """Killed, or gone with exit code 0: the pool is broken, and does not hang."""
    orders: list[tuple[str, Any]] = [("signal", 9), ("_exit", 0)]
    for dies in orders:
        both = [dies, ("return", 1)]
        call = partial(map_in_processes, work.do, both, workers=2, start_method=method)
        raises(BrokenProcessPool, call)


@faces(4, methods=METHODS)
def argument_that_cannot_be_pickled(method: str) -> None:
    """Refused at the call; a hundred good ones pass."""
    for item in (work.Refusing(), lambda: 0, threading.Lock()):
        error = raises(Exception, lambda: map_in_processes(str, [1, item], workers=2))  # noqa: B023 - called at once
        assert "pickle" in str(error)
    found = map_in_processes(abs, range(-100, 0), workers=2, chunk_items=3, start_method=method)
    assert [result for result, _ in found] == list(range(100, 0, -1))


@faces(5, methods=METHODS)
def argument_that_fails_to_load(method: str) -> None:
    """Its error goes out."""
    items = [work.Unloadable(LookupError), 1]
    error = raises(
        LookupError, lambda: map_in_processes(str, items, workers=2, start_method=method)
    )
    assert str(error) == "cannot be loaded"


@faces(16, methods=METHODS)
def calls_fail(method: str) -> None:
    """The error of the earlier item goes out, with the line in the worker."""
    orders = [("return", 1), ("raise", LookupError("one")), ("raise", OSError("other"))]
    error = raises(
        LookupError, lambda: map_in_processes(work.do, orders, workers=2, start_method=method)
    )
    assert error.args == ("one",)
    assert "raise value" in str(error.__cause__)


@faces(12)
def input_fails() -> None:
    """Its error goes out, and nothing has started."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    raises(OSError, lambda: map_in_processes(abs, items(), workers=1))


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, and no item is read; no items, no worker."""
    items = iter([1])
    for limit in ("workers", "chunk_items"):
        for value, kind in ((0, ValueError), (-1, ValueError), (2.5, TypeError), ("x", TypeError)):
            raises(kind, lambda: map_in_processes(abs, items, **{limit: value}))  # type: ignore[arg-type]  # noqa: B023 - called at once
    assert list(items) == [1]
    assert map_in_processes(abs, [], workers=9) == []
