"""What can go wrong around carry_context: each function here runs in a process of its own."""

import sys
import threading
import traceback
import weakref
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import ContextVar

from examples.futures.carry_context import carry_context

LIMIT_S = 20
request = ContextVar("request", default="unknown")


def seen_at_once(executor: Executor, *names: str) -> list[str]:
    """Submit a call under each name, all running at once, and return what each saw."""
    everyone = threading.Barrier(len(names))

    def look() -> str:
        everyone.wait(LIMIT_S)
        return request.get()

    calls = []
    for name in names:
        request.set(name)
        calls.append(executor.submit(look))
    return [call.result(LIMIT_S) for call in calls]


def neither_lost_nor_stale() -> None:
    """Two workers, started by two requests, then used by two others, and by a map."""
    everyone = threading.Barrier(2)

    def look(_: int) -> str:
        everyone.wait(LIMIT_S)
        return request.get()

    with carry_context(ThreadPoolExecutor(2)) as executor:
        assert seen_at_once(executor, "a", "b") == ["a", "b"]
        assert seen_at_once(executor, "c", "d") == ["c", "d"]
        request.set("e")
        assert list(executor.map(look, range(2))) == ["e", "e"]


def plain_pool_is_stale() -> None:
    """Where threads inherit a context, the workers keep the first ones; the carrier's do not."""
    assert getattr(sys.flags, "thread_inherit_context", 0) == 1
    with ThreadPoolExecutor(2) as plain:
        assert sorted(seen_at_once(plain, "a", "b")) == ["a", "b"]
        assert sorted(seen_at_once(plain, "c", "d")) == ["a", "b"]
        assert seen_at_once(carry_context(plain), "c", "d") == ["c", "d"]


def call_fails() -> None:
    """Its error arrives as it was raised, with the line, by `submit` and by `map`."""

    def fail(item: int) -> int:
        if item == 1:
            raise LookupError(item)  # this line
        return item

    with carry_context(ThreadPoolExecutor(2)) as executor:
        error = executor.submit(fail, 1).exception(LIMIT_S)
        assert type(error) is LookupError
        assert "# this line" in "".join(traceback.format_exception(error))
        results = executor.map(fail, range(3))
        assert next(results) == 0
        try:
            next(results)
        except LookupError:
            pass
        else:
            raise AssertionError("no error")


def input_fails() -> None:
    """The error of the items goes out at the call of `map`."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with carry_context(ThreadPoolExecutor(2)) as executor:
        try:
            list(executor.map(abs, items()))
        except OSError:
            return
    raise AssertionError("no error")


def nothing_kept() -> None:
    """When the future is gone, so are the result and what the context held."""

    class Big:
        pass

    held = ContextVar[Big]("held")

    def submit() -> list[weakref.ref[Big]]:
        big = Big()
        token = held.set(big)
        result = executor.submit(lambda: (held.get(), Big())).result(LIMIT_S)
        held.reset(token)
        return [weakref.ref(big), weakref.ref(result[1])]

    with carry_context(ThreadPoolExecutor(1)) as executor:
        executor.submit(int).result(LIMIT_S)  # a thread keeps the context that it inherits
        gone = submit()
        executor.submit(int).result(LIMIT_S)  # the worker has let go of its last call
        assert [one() for one in gone] == [None, None]


FAULTS = [neither_lost_nor_stale, call_fails, input_fails, nothing_kept]
