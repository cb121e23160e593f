"""map_in_growing_chunks: order, how chunks grow by a clock of ours, overlap, failure, refusal."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from math import isqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.performance import overhead_broken
from examples.performance.overhead import map_in_growing_chunks


class Counting(ThreadPoolExecutor):
    """Threads that keep every future they gave, and the arguments with it."""

    def __init__(self, workers: int) -> None:
        """Have given none."""
        super().__init__(workers)
        self.given: list[Future[Any]] = []
        self.sizes: list[int] = []

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as the executor's
        """Give one more."""
        self.given.append(super().submit(call, *args, **kwargs))
        self.sizes.append(len(args[1]) if len(args) > 1 else 1)
        return self.given[-1]


@settings(deadline=None)
@given(st.lists(st.integers()), st.integers(min_value=1, max_value=5))
def test_is_map(items: list[int], max_chunks: int) -> None:
    """Whatever the items and the ceiling, the results are those of `map`."""
    with ThreadPoolExecutor(2) as pool:
        results = map_in_growing_chunks(str, iter(items), executor=pool, max_chunks=max_chunks)

    assert results == list(map(str, items))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", sorted(multiprocessing.get_all_start_methods()))
def test_processes_give_the_results_in_order(method: str) -> None:
    """Function, items, results and clock travel, whatever the start method."""
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        results = map_in_growing_chunks(isqrt, range(3_000), executor=pool, max_chunks=4)

    assert results == list(map(isqrt, range(3_000)))
    assert multiprocessing.active_children() == []


def test_small_calls_travel_together_and_large_ones_alone() -> None:
    """A call takes a tenth of a chunk's time at first, and later twice that time."""
    now = 0.0

    def compute(item: int) -> int:
        nonlocal now
        now += 0.125 if item < 35 else 2
        return item

    with Counting(1) as pool:
        results = map_in_growing_chunks(
            compute, range(60), executor=pool, max_chunks=1, chunk_s=1, clock=lambda: now
        )

    assert results == list(range(60))
    # The chunk in which the price goes up is the last of its size.
    assert pool.sizes == [1, 2, 4, 8, 8, 8, 8, *[1] * 21]


def test_calls_that_take_no_time_double_the_chunk() -> None:
    """The clock is too coarse to see them."""
    with Counting(1) as pool:
        map_in_growing_chunks(int, range(100), executor=pool, max_chunks=1, clock=lambda: 0.0)

    assert pool.sizes == [1, 2, 4, 8, 16, 32, 37]


def test_chunks_are_computed_at_the_same_time() -> None:
    """Each of the first three items waits for the other two: only overlap lets any of them pass."""
    everyone = threading.Barrier(3)

    with ThreadPoolExecutor(3) as pool:
        map_in_growing_chunks(lambda _: everyone.wait(10), range(3), executor=pool, max_chunks=3)


def test_no_more_chunks_are_under_way_than_allowed() -> None:
    """The first call is held: an item is read for each chunk that may be sent, and no other."""
    read: list[int] = []
    sent, go_on = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        for item in range(50):
            read.append(item)
            if len(read) == 3:
                sent.set()
            yield item

    def compute(item: int) -> int:
        if item == 0:
            assert sent.wait(10)
            assert len(read) == 3
            go_on.set()
        return item

    with ThreadPoolExecutor(1) as pool:
        map_in_growing_chunks(compute, items(), executor=pool, max_chunks=3)

    assert go_on.is_set()
    assert read == list(range(50))


def test_an_error_reaches_the_caller_when_the_chunks_in_flight_have_ended() -> None:
    """The first call fails while the second still computes; nothing else is sent."""
    failed, ended = threading.Event(), threading.Event()

    def compute(item: int) -> None:
        if item == 0:
            failed.set()
            raise LookupError
        assert failed.wait(10)
        ended.set()

    with Counting(2) as pool:
        with pytest.raises(LookupError):
            map_in_growing_chunks(compute, range(50), executor=pool, max_chunks=2)

        assert len(pool.given) == 2
        assert all(call.done() for call in pool.given)
        assert ended.is_set() or pool.given[1].cancelled()
        assert pool.submit(int).result(10) == 0


def test_items_that_fail_leave_nothing_in_flight() -> None:
    """The third item cannot be had while the first is computed."""
    failed = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        yield 1
        failed.set()
        raise OSError("no more")

    with Counting(1) as pool:
        with pytest.raises(OSError, match="no more"):
            map_in_growing_chunks(lambda _: failed.wait(10), items(), executor=pool, max_chunks=4)

        assert all(call.done() for call in pool.given)


def test_no_items_need_no_worker() -> None:
    """Nothing is submitted."""
    with Counting(1) as pool:
        assert map_in_growing_chunks(str, [], executor=pool, max_chunks=2) == []

    assert pool.given == []


@pytest.mark.parametrize("max_chunks", [0, -1])
def test_refuses_a_ceiling_below_one(max_chunks: int) -> None:
    """Refused at the call, naming the value."""
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(ValueError, match=f"1 or more, got {max_chunks}"),
    ):
        map_in_growing_chunks(str, [], executor=pool, max_chunks=max_chunks)


def test_refuses_a_ceiling_that_is_no_whole_number() -> None:
    """Refused at the call."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(TypeError):
        map_in_growing_chunks(str, [], executor=pool, max_chunks=2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("chunk_s", [0, -1, float("nan")])
def test_refuses_chunks_of_no_length(chunk_s: float) -> None:
    """Refused at the call, naming the value."""
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(ValueError, match=f"above 0, got {chunk_s}"),
    ):
        map_in_growing_chunks(str, [], executor=pool, max_chunks=2, chunk_s=chunk_s)


def test_broken_one_makes_a_trip_for_each_item() -> None:
    """A thousand items: a thousand trips there, a few chunks here."""
    with Counting(1) as pool:
        overhead_broken.map_one_by_one(str, range(1_000), executor=pool)
    one_by_one = len(pool.given)

    with Counting(1) as pool:
        map_in_growing_chunks(str, range(1_000), executor=pool, max_chunks=1, clock=lambda: 0.0)

    assert (one_by_one, len(pool.given)) == (1_000, 10)
