"""carry_on_after_errors: every call tried, results and errors in order, refusals passed on."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from math import isqrt
from pathlib import Path
from typing import Any

import pytest
import work_in_workers as work
from executors import NotingPool, process_pool
from hypothesis import given
from hypothesis import strategies as st

from examples.futures.carry_on_after_errors import carry_on_after_errors
from examples.futures.carry_on_after_errors_broken import map_in_time

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_results_and_errors_keep_the_order_of_the_items(
    make_executor: Callable[[int], Executor],
) -> None:
    """In every executor; each error names its item."""
    with make_executor(2) as executor:
        results, errors = carry_on_after_errors(executor, isqrt, iter([4, -1, 9, -2]))

    assert results == [(4, 2), (9, 3)]
    assert isinstance(errors, ExceptionGroup)
    assert str(errors) == "2 of 4 calls failed (2 sub-exceptions)"
    assert [type(error) for error in errors.exceptions] == [ValueError, ValueError]
    assert [error.__notes__ for error in errors.exceptions] == [["for item -1"], ["for item -2"]]


def test_without_an_error_there_is_no_group() -> None:
    """Nothing to raise; nothing for nothing."""
    with ThreadPoolExecutor(2) as executor:
        assert carry_on_after_errors(executor, isqrt, [4]) == ([(4, 2)], None)
        assert carry_on_after_errors(executor, isqrt, []) == ([], None)


@given(st.lists(st.integers(min_value=-5)), st.integers(1, 4))
def test_every_item_is_tried_once(items: list[int], workers: int) -> None:
    """Whatever the items, each is in one of the two."""
    tried: list[int] = []

    def call(item: int) -> int:
        tried.append(item)
        return isqrt(item)

    with ThreadPoolExecutor(workers) as executor:
        results, errors = carry_on_after_errors(executor, call, items)

    assert sorted(tried) == sorted(items)
    assert results == [(item, isqrt(item)) for item in items if item >= 0]
    assert len(errors.exceptions if errors else ()) == len(items) - len(results)


def test_calls_run_at_the_same_time() -> None:
    """Each waits for all the others, and then fails."""
    everyone = threading.Barrier(3)

    def call(item: int) -> None:
        everyone.wait(10)
        raise LookupError(item)

    with ThreadPoolExecutor(3) as executor:
        _, errors = carry_on_after_errors(executor, call, range(3))

    assert errors is not None
    assert [error.args for error in errors.exceptions] == [(0,), (1,), (2,)]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, StopIteration, CancelledError])
def test_no_kind_of_error_is_lost(kind: type[BaseException]) -> None:
    """A call that asks the program to end is told like any other."""

    def call(_: int) -> None:
        raise kind

    with ThreadPoolExecutor(1) as executor:
        results, errors = carry_on_after_errors(executor, call, [1])

    assert results == []
    assert errors is not None
    assert [type(error) for error in errors.exceptions] == [kind]


def test_a_call_that_was_cancelled_is_told() -> None:
    """Somebody else shuts the executor down while the first call runs."""
    executor = ThreadPoolExecutor(1)

    def call(item: int) -> int:
        executor.shutdown(wait=False, cancel_futures=True)
        return item

    all_submitted = threading.Event()

    def items() -> Iterator[int]:
        yield from (1, 2)
        all_submitted.set()

    def call_when_all_wait(item: int) -> int:
        assert all_submitted.wait(10)
        return call(item)

    results, errors = carry_on_after_errors(executor, call_when_all_wait, items())

    assert results == [(1, 1)]
    assert errors is not None
    assert [type(error) for error in errors.exceptions] == [CancelledError]
    assert errors.exceptions[0].__notes__ == ["for item 2"]


def test_long_items_are_named_briefly() -> None:
    """A megabyte of an item is not put into the note."""
    with ThreadPoolExecutor(1) as executor:
        _, errors = carry_on_after_errors(executor, int, ["a" * 1_000_000])

    assert errors is not None
    assert len(errors.exceptions[0].__notes__[0]) < 100


def test_a_process_that_dies_fails_every_call_of_its_pool(start_method: str) -> None:
    """Each item is told of, though one of them did it."""
    with process_pool(1, start_method) as executor:
        results, errors = carry_on_after_errors(executor, work.end_process, [1, 2])

    assert results == []
    assert errors is not None
    assert all(isinstance(error, BrokenExecutor) for error in errors.exceptions)


def test_each_call_that_a_process_took_along_has_its_own_error(
    start_method: str, tmp_path: Path
) -> None:
    """It dies when all were submitted; each error names one item."""

    def items() -> Iterator[Path]:
        yield from [tmp_path / "die"] * 2
        yield tmp_path / "never"
        (tmp_path / "die").touch()

    with process_pool(1, start_method) as executor:
        _, errors = carry_on_after_errors(executor, work.end_process_when, items())

    assert errors is not None
    assert [len(error.__notes__) for error in errors.exceptions] == [1, 1, 1]
    assert ["never" in error.__notes__[0] for error in errors.exceptions] == [False, False, True]


def test_errors_that_an_executor_shares_are_told_apart() -> None:
    """As processes do up to 3.13; the copies are as the original, but for their notes."""
    shared = BrokenExecutor("gone", 3)
    shared.__cause__ = OSError("why")

    class Sharing(Executor):
        def submit(self, fn: Callable[..., Any], /, *_: Any, **__: Any) -> Future[Any]:  # noqa: ANN401, ARG002 - as the base class has it
            call: Future[Any] = Future()
            call.set_exception(shared)
            return call

    _, errors = carry_on_after_errors(Sharing(), isqrt, [1, 4])

    assert errors is not None
    assert [error.__notes__ for error in errors.exceptions] == [["for item 1"], ["for item 4"]]
    assert [error.args for error in errors.exceptions] == [("gone", 3)] * 2
    assert [error.__cause__ for error in errors.exceptions] == [shared.__cause__] * 2


def test_items_that_fail_cancel_what_has_not_begun() -> None:
    """The first call runs until the second is cancelled; then the error goes out."""
    begun: list[int] = []
    first_runs, cancelled = threading.Event(), threading.Event()

    def call(item: int) -> None:
        begun.append(item)
        first_runs.set()
        assert cancelled.wait(10)

    def items() -> Iterator[int]:
        yield from (1, 2)
        assert first_runs.wait(10)
        executor.given[-1].add_done_callback(lambda _: cancelled.set())
        raise OSError("no more")

    with NotingPool(1) as executor:
        with pytest.raises(OSError, match="no more"):
            carry_on_after_errors(executor, call, items())
        assert [call.done() for call in executor.given] == [True, True]

    assert begun == [1]


def test_refuses_what_is_no_input() -> None:
    """Refused at the call."""
    with ThreadPoolExecutor(1) as executor, pytest.raises(TypeError):
        carry_on_after_errors(executor, str, 5)  # type: ignore[arg-type]


def test_an_executor_that_refuses_is_an_error_of_each_item() -> None:
    """It was shut down before."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    results, errors = carry_on_after_errors(executor, isqrt, [1, 4])

    assert results == []
    assert errors is not None
    assert [str(error) for error in errors.exceptions] == [
        "cannot schedule new futures after shutdown"
    ] * 2


def test_broken_one_tells_of_its_limit_after_the_call_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit is over when the pool shuts down; only then may the call end, and only then..."""
    order: list[str] = []
    leaving = threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def note_and_shut_down(pool: ThreadPoolExecutor, **options: bool) -> None:
        order.append("the limit is over")
        leaving.set()
        shutdown(pool, **options)

    def call(_: int) -> None:
        assert leaving.wait(10)
        order.append("the call ends")

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", note_and_shut_down)
    with pytest.raises(TimeoutError):
        map_in_time(call, [1], timeout_s=0.01)
    order.append("the caller is told")

    assert order == ["the limit is over", "the call ends", "the caller is told"]
