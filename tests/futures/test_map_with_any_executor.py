"""map_with_any_executor: order, overlap and bounds in every executor; failure; refusal."""

import gc
import itertools
import multiprocessing
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ThreadPoolExecutor
from contextlib import closing
from math import isqrt

import pytest
import work_in_workers as work
from executors import NotingPool, process_pool
from hypothesis import given
from hypothesis import strategies as st

from examples.futures import map_with_any_executor_broken
from examples.futures.map_with_any_executor import map_with_any_executor

pytestmark = pytest.mark.usefixtures("nothing_left")
MakeExecutor = Callable[[int], Executor]


def test_results_keep_the_order_of_the_items(make_executor: MakeExecutor) -> None:
    """The same as `map`, by the same call, in every executor."""
    with make_executor(2) as executor:
        results = list(map_with_any_executor(executor, isqrt, iter(range(50)), max_ahead=7))

    assert results == [isqrt(number) for number in range(50)]


def test_an_endless_input_is_read_no_further_than_asked(make_executor: MakeExecutor) -> None:
    """Of an endless input, three results and two more items are taken."""
    taken: list[int] = []
    items = (taken.append(number) or number for number in itertools.count())
    with (
        make_executor(2) as executor,
        closing(map_with_any_executor(executor, isqrt, items, max_ahead=3)) as results,
    ):
        assert taken == []
        assert [next(results) for _ in range(3)] == [0, 1, 1]
        assert len(taken) == 5


def test_an_error_stands_in_the_place_of_its_result(make_executor: MakeExecutor) -> None:
    """The results before it come first; the executor stays usable."""
    with make_executor(2) as executor:
        results = map_with_any_executor(executor, isqrt, [4, 9, -1, 16])
        assert [next(results), next(results)] == [2, 3]
        with pytest.raises(ValueError, match="nonnegative"):
            next(results)
        assert list(results) == []
        assert list(map_with_any_executor(executor, isqrt, [25])) == [5]


def test_a_worker_that_dies_is_told(start_method: str) -> None:
    """A process ends in the middle of a call."""
    with process_pool(1, start_method) as executor, pytest.raises(BrokenExecutor):
        list(map_with_any_executor(executor, work.end_process, range(3)))


def test_processes_run_at_the_same_time(start_method: str) -> None:
    """Each call waits for the other: only two processes at once let them pass."""
    with (
        multiprocessing.get_context("spawn").Manager() as manager,
        process_pool(2, start_method) as executor,
    ):
        barrier = manager.Barrier(2)
        places = list(map_with_any_executor(executor, work.wait_for, [barrier, barrier]))

    assert sorted(places) == [0, 1]


@given(st.lists(st.integers()), st.integers(1, 9), st.integers(1, 4))
def test_is_map(items: list[int], max_ahead: int, workers: int) -> None:
    """Whatever the items, the bound and the workers."""
    with ThreadPoolExecutor(workers) as executor:
        results = map_with_any_executor(executor, str, items, max_ahead=max_ahead)
        assert list(results) == list(map(str, items))


@pytest.mark.parametrize("max_ahead", [1, 3])
def test_as_many_calls_run_as_are_ahead(max_ahead: int) -> None:
    """Only a full house opens the barrier; the executor would have room for more."""
    full = threading.Barrier(max_ahead)
    lock = threading.Lock()
    running = peak = 0

    def call(_: int) -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        full.wait(10)
        with lock:
            running -= 1

    with ThreadPoolExecutor(8) as executor:
        list(map_with_any_executor(executor, call, range(max_ahead), max_ahead=max_ahead))
        assert peak == max_ahead
        if max_ahead == 1:
            list(map_with_any_executor(executor, call, range(10), max_ahead=1))
            assert peak == 1


def test_an_error_goes_out_when_the_calls_in_flight_have_ended() -> None:
    """The first call fails; the others in flight wait until the last call is cancelled."""
    begun: list[int] = []
    ended: list[int] = []
    second_runs, last_cancelled = threading.Event(), threading.Event()
    all_submitted = threading.Event()

    def items() -> Iterator[int]:
        yield from range(30)
        all_submitted.set()

    def call(item: int) -> None:
        begun.append(item)
        if item == 0:
            assert second_runs.wait(10)
            assert all_submitted.wait(10)
            executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
            raise LookupError
        second_runs.set()
        assert last_cancelled.wait(10)
        ended.append(item)

    with NotingPool(2) as executor:
        with pytest.raises(LookupError):
            next(map_with_any_executor(executor, call, items()))
        assert executor.given[-1].cancelled()
        assert sorted(begun)[1:] == sorted(ended)  # nothing runs any more
        assert sorted(begun) in ([0, 1], [0, 1, 2])


def test_closing_it_cancels_what_has_not_begun() -> None:
    """The one worker is busy with the second item until the last is cancelled."""
    begun: list[int] = []
    second_runs, last_cancelled = threading.Event(), threading.Event()

    def call(item: int) -> int:
        begun.append(item)
        if item == 1:
            second_runs.set()
            assert last_cancelled.wait(10)
        return item

    with NotingPool(1) as executor:
        results = map_with_any_executor(executor, call, range(5))
        assert next(results) == 0
        assert second_runs.wait(10)
        executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
        results.close()
        assert [call.done() for call in executor.given] == [True] * 5

    assert begun == [0, 1]


def test_a_call_that_somebody_cancels_is_told() -> None:
    """Another part of the program shuts the executor down while the first call runs."""
    executor = ThreadPoolExecutor(1)
    all_submitted = threading.Event()

    def items() -> Iterator[int]:
        yield from range(3)
        all_submitted.set()

    def call(item: int) -> int:
        assert all_submitted.wait(10)
        executor.shutdown(wait=False, cancel_futures=True)
        return item

    results = map_with_any_executor(executor, call, items())

    assert next(results) == 0
    with pytest.raises(CancelledError):
        next(results)


def test_items_that_fail_end_it() -> None:
    """The third item cannot be had: nothing hangs, and the error goes out."""

    def items() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("no more")

    with ThreadPoolExecutor(2) as executor, pytest.raises(OSError, match="no more"):
        list(map_with_any_executor(executor, isqrt, items()))


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, CancelledError])
def test_no_kind_of_error_is_taken_for_the_end(error: type[BaseException]) -> None:
    """It goes out as it is."""

    def call(_: int) -> None:
        raise error

    with ThreadPoolExecutor(1) as executor, pytest.raises(error):
        list(map_with_any_executor(executor, call, [1]))


def test_no_result_is_kept() -> None:
    """Once the caller lets go of a result, it is gone."""

    class Result:
        pass

    with ThreadPoolExecutor(1) as executor:
        results = map_with_any_executor(executor, lambda _: Result(), range(3), max_ahead=1)
        result = next(results)
        gone = weakref.ref(result)
        del result
        gc.collect()
        assert gone() is None
        results.close()


@pytest.mark.parametrize("max_ahead", [0, -1])
def test_refuses_a_bound_below_one(max_ahead: int) -> None:
    """Refused at the call, not at the first result."""
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match=f"1 or more, got {max_ahead}"),
    ):
        map_with_any_executor(executor, str, [], max_ahead=max_ahead)


def test_refuses_what_is_no_number_or_no_input() -> None:
    """Refused at the call."""
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(TypeError):
            map_with_any_executor(executor, str, [], max_ahead=2.5)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            map_with_any_executor(executor, str, 5)  # type: ignore[arg-type]


def test_broken_one_takes_in_everything_first() -> None:
    """The first result is not yet asked for, and the last item is taken."""
    taken: list[int] = []
    items = (taken.append(number) or number for number in range(1000))
    with ThreadPoolExecutor(1) as executor:
        results = map_with_any_executor_broken.map_with_any_executor(executor, isqrt, items)
        assert len(taken) == 1000
        assert list(results) == list(map(isqrt, range(1000)))
