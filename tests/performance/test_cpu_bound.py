"""compute_in_parts: equal parts, order, executors, overlap, failure, refusal; lost items."""

import concurrent.futures
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.performance import cpu_bound_broken
from examples.performance.cpu_bound import compute_in_parts


class Counting(ThreadPoolExecutor):
    """Threads that keep every future they gave."""

    def __init__(self, workers: int) -> None:
        """Have given none."""
        super().__init__(workers)
        self.given: list[Future[Any]] = []

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the executor's
        """Give one more."""
        self.given.append(super().submit(call, *args, **kwargs))
        return self.given[-1]


def processes(method: str) -> Executor:
    """Make a pool of two processes."""
    return ProcessPoolExecutor(2, multiprocessing.get_context(method))


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=12))
def test_every_item_is_in_one_part_and_parts_are_equal(items: list[int], parts: int) -> None:
    """Put together again the parts are the items; their lengths differ by one at most."""
    pieces = compute_in_parts(list, items, parts=parts)

    assert [item for piece in pieces for item in piece] == items
    assert len(pieces) == min(parts, len(items))
    assert {len(piece) for piece in pieces} <= {len(items) // parts, len(items) // parts + 1}


def test_a_range_is_cut_into_ranges() -> None:
    """Nothing is written out, so little travels."""
    assert compute_in_parts(repr, range(10), parts=2) == ["range(0, 5)", "range(5, 10)"]


def test_results_keep_the_order_of_the_parts() -> None:
    """The first part ends last, and its result still comes first."""
    second_done = threading.Event()

    def compute(part: Sequence[int]) -> int:
        if part[0] == 0:
            assert second_done.wait(10)
        else:
            second_done.set()
        return sum(part)

    with ThreadPoolExecutor(2) as pool:
        assert compute_in_parts(compute, range(4), parts=2, executor=pool) == [1, 5]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", sorted(multiprocessing.get_all_start_methods()))
def test_processes_give_the_same(method: str) -> None:
    """The parts travel, whatever the start method."""
    with processes(method) as pool:
        on_pool = compute_in_parts(sum, range(1_000), parts=5, executor=pool)

    assert on_pool == compute_in_parts(sum, range(1_000), parts=5)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(
    not hasattr(concurrent.futures, "InterpreterPoolExecutor"), reason="new in Python 3.14"
)
def test_interpreters_give_the_same() -> None:
    """The parts travel there as well."""
    with concurrent.futures.InterpreterPoolExecutor(2) as pool:  # type: ignore[attr-defined, unused-ignore]
        assert compute_in_parts(sum, range(10), parts=2, executor=pool) == [10, 35]


def test_parts_are_computed_at_the_same_time() -> None:
    """Each part waits for all the others: only overlap lets any of them pass."""
    everyone = threading.Barrier(4)

    with ThreadPoolExecutor(4) as pool:
        compute_in_parts(lambda _: everyone.wait(10), range(100), parts=4, executor=pool)


def test_without_an_executor_the_calling_thread_computes() -> None:
    """No other thread is seen."""
    seen = compute_in_parts(lambda _: threading.current_thread(), range(9), parts=3)

    assert seen == [threading.current_thread()] * 3


def test_each_part_is_one_trip() -> None:
    """A thousand items, eight futures."""
    with Counting(2) as pool:
        compute_in_parts(sum, range(1_000), parts=8, executor=pool)

    assert len(pool.given) == 8


def test_an_error_reaches_the_caller_when_the_parts_in_flight_have_ended() -> None:
    """The second part fails while the first computes; the rest is dropped, and the pool stays."""
    failed, ended = threading.Event(), threading.Event()

    def compute(part: Sequence[int]) -> int:
        if part[0] == 0:
            assert failed.wait(10)
            ended.set()
            return 0
        failed.set()
        raise LookupError(part[0])

    with Counting(2) as pool:
        with pytest.raises(LookupError):
            compute_in_parts(compute, range(50), parts=50, executor=pool)

        assert ended.is_set()
        assert all(call.done() for call in pool.given)
        assert pool.submit(int).result(10) == 0


def test_of_several_errors_the_first_by_the_parts_is_raised() -> None:
    """The second part fails before the first does."""
    second_failed = threading.Event()

    def compute(part: Sequence[int]) -> None:
        if part[0] == 0:
            assert second_failed.wait(10)
            raise KeyError
        second_failed.set()
        raise LookupError

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyError):
        compute_in_parts(compute, range(2), parts=2, executor=pool)


def test_a_cancelled_part_does_not_hide_the_error() -> None:
    """A part in front of the one that failed had not begun: the error is raised all the same."""

    class Reversing(Executor):
        def submit(self, call: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:  # noqa: ANN401 - as the executor's
            made: Future[Any] = Future()
            if args[0][0] == 1:
                made.set_running_or_notify_cancel()
                try:
                    call(*args)
                except ZeroDivisionError as error:
                    made.set_exception(error)
            return made

    with pytest.raises(ZeroDivisionError):
        compute_in_parts(lambda part: 1 // (part[0] - 1), range(3), parts=3, executor=Reversing())


def test_an_executor_that_is_shut_down_is_told() -> None:
    """Its own error."""
    with ThreadPoolExecutor(1) as pool:
        pass

    with pytest.raises(RuntimeError):
        compute_in_parts(sum, range(3), parts=3, executor=pool)


def test_no_items_need_no_worker() -> None:
    """Nothing is submitted."""
    with Counting(1) as pool:
        assert compute_in_parts(sum, [], parts=4, executor=pool) == []

    assert pool.given == []


@pytest.mark.parametrize("parts", [0, -1])
def test_refuses_parts_below_one(parts: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {parts}"):
        compute_in_parts(sum, range(3), parts=parts)


@pytest.mark.parametrize("parts", [2.5, "3"])
def test_refuses_parts_that_are_no_whole_number(parts: object) -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        compute_in_parts(sum, range(3), parts=parts)  # type: ignore[arg-type]


def test_refuses_items_without_a_length() -> None:
    """A generator cannot be cut."""
    with pytest.raises(TypeError):
        compute_in_parts(sum, iter(range(3)), parts=2)  # type: ignore[arg-type]


def test_broken_one_loses_the_rest() -> None:
    """Ten items in three parts: the last is in none, and no error says so."""
    with ThreadPoolExecutor(2) as pool:
        lost = cpu_bound_broken.compute_in_parts(prod, range(1, 11), parts=3, executor=pool)
        whole = compute_in_parts(prod, range(1, 11), parts=3, executor=pool)

    assert prod(lost) * 10 == prod(whole)
