"""What can go wrong around run_pipeline: each case runs in a process of its own."""

import gc
import itertools
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from examples.threads.run_pipeline import run_pipeline
from fault_cases import LIMIT_S, Falsy, faces, raises, wait_until


@faces(12)
def input_fails() -> None:
    """The results before it come first, then its error."""

    def items() -> Iterator[int]:
        yield from range(20)
        raise OSError("no more")

    found: list[int] = []
    results = run_pipeline(items(), [abs, abs], workers=3, max_in_flight=4)
    error = raises(OSError, lambda: found.extend(results))
    assert (found, str(error)) == (list(range(20)), "no more")


@faces(13)
def endless_input_left() -> None:
    """By `close`, by `break`, by dropping the last reference; all threads have ended each time."""
    before = threading.active_count()
    for leave in ("close", "break", "drop"):
        pulled = itertools.count()
        results = run_pipeline(pulled, [abs, abs], workers=2, max_in_flight=4)
        for result in results:
            if result == 3:
                break
        if leave == "close":
            results.close()
        del results
        assert threading.active_count() == before
        assert next(pulled) <= 4 + 4


@faces(14)
def slow_consumer() -> None:
    """It stops amid a long input: what is pulled and not taken is the ceiling, and stays it."""
    pulled = 0
    full = threading.Event()

    def items() -> Iterator[int]:
        nonlocal pulled
        for pulled in range(1, 2_001):
            if pulled == 10 + 5:
                full.set()
            yield pulled

    with closing(run_pipeline(items(), [abs, abs], workers=2, max_in_flight=5)) as results:
        for taken in results:
            if taken == 10:
                assert full.wait(LIMIT_S)
            assert pulled <= taken + 5
    assert pulled == 2_000


@faces(15)
def first_item_slow() -> None:
    """What waits for it is the ceiling; the order is that of the items."""
    pulled, full = [], threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            pulled.append(number)
            if number == 4:
                full.set()
            yield number

    def call(number: int) -> int:
        if number == 0:
            assert full.wait(LIMIT_S)
            assert len(pulled) <= 5
        return number

    assert list(run_pipeline(items(), [call], workers=3, max_in_flight=5)) == list(range(100))


@faces(16)
def call_fails() -> None:
    """The original error, with the line; no later item begins the stage that others hold."""
    failed, begun = threading.Event(), []

    def first(number: int) -> int:
        if number == 1:
            failed.set()
            raise LookupError(number)  # this line
        return number

    def second(number: int) -> int:
        begun.append(number)
        assert failed.wait(LIMIT_S)
        return number

    results = run_pipeline(itertools.count(), [first, second])
    assert next(results) == 0
    error = raises(LookupError, lambda: next(results))
    assert "# this line" in "".join(traceback.format_exception(error))
    assert begun == [0]


@faces(17)
def two_calls_fail_at_once() -> None:
    """The error of the earlier item goes out, whatever it is easily taken for."""
    kinds = (Falsy, StopAsyncIteration, GeneratorExit, KeyboardInterrupt, SystemExit)
    for kind in kinds:
        both = threading.Barrier(2)

        def call(number: int) -> None:
            both.wait(LIMIT_S)  # noqa: B023 - called at once
            raise kind(number)  # noqa: B023 - likewise

        error = raises(kind, lambda: list(run_pipeline(range(2), [call], workers=2)))
        assert error.args == (0,)
    error = raises(RuntimeError, lambda: list(run_pipeline([iter([])], [next])))
    assert isinstance(error.__cause__, StopIteration)


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, with no item read and no thread; no items, no result."""
    items = iter([1])
    for limit in ("workers", "max_in_flight"):
        for value, kind in ((0, ValueError), (-1, ValueError), (2.5, TypeError), ("x", Exception)):
            wrong: dict[str, Any] = {limit: value}
            error = raises(kind, lambda: run_pipeline(items, [abs], **wrong))  # noqa: B023 - called at once
            assert isinstance(error, (ValueError, TypeError))
    assert list(items) == [1]
    assert list(run_pipeline([], [abs])) == []


@faces(21)
def result_kept_nowhere() -> None:
    """Neither the pipeline nor an idle worker keeps what was handed over."""

    class Large:
        pass

    go_on = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert go_on.wait(LIMIT_S)

    results = run_pipeline(items(), [lambda _: Large(), lambda large: large])
    kept = weakref.ref(next(results))
    wait_until(lambda: kept() is None)  # a worker may be on its way back to its queue
    go_on.set()
    assert list(results) == []


def full_pipeline(then: Callable[[int], int]) -> Iterator[int]:
    """Give a pipeline whose last stage, at its first item, waits for all places to be taken."""
    full = threading.Event()

    def items() -> Iterator[int]:
        for number in itertools.count():
            if number == 7:
                full.set()
            yield number

    def last(number: int) -> int:
        assert full.wait(LIMIT_S)
        return then(number)

    return run_pipeline(items(), [abs, abs, last], workers=[2, 1, 1], max_in_flight=8)


@faces(22)
def stage_fails_with_all_places_taken() -> None:
    """All stages stop, and the error reaches the caller."""

    def fail(number: int) -> int:
        raise LookupError(number)

    before = threading.active_count()
    error = raises(LookupError, lambda: list(full_pipeline(fail)))
    assert error.args == (0,)
    assert threading.active_count() == before


@faces(22)
def consumer_dies_with_all_places_taken() -> None:
    """In a thread that nobody watches: the reader and the stages end with it."""
    errors: list[object] = []

    def consume() -> None:
        for number in full_pipeline(abs):
            raise LookupError(number)

    hook, threading.excepthook = threading.excepthook, lambda told: errors.append(told.exc_value)
    consumer = threading.Thread(target=consume)
    consumer.start()
    consumer.join(LIMIT_S)
    threading.excepthook = hook
    assert [str(error) for error in errors] == ["0"]
    errors.clear()  # its frame holds the pipeline
    gc.collect()
    wait_until(lambda: threading.active_count() == 1)


@faces(13)
def endless_input_dropped_in_a_stage() -> None:
    """The garbage collector closes it in a thread of its own, which cannot join itself."""
    before = threading.active_count()
    dropped, collected = threading.Event(), threading.Event()

    def stage(item: int) -> int:
        if item == 3:
            assert dropped.wait(LIMIT_S)
            gc.collect()
            collected.set()
        return item

    gc.disable()
    cycle: list[Any] = [run_pipeline(itertools.count(), [stage])]
    cycle.append(cycle)
    assert next(cycle[0]) == 0
    del cycle
    dropped.set()
    assert collected.wait(LIMIT_S)
    gc.enable()
    wait_until(lambda: threading.active_count() == before)
