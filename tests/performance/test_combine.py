"""fetch_then_compute: order, overlap and ceilings, failure, cancellation, refusal."""

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from math import isqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.performance import combine_broken
from examples.performance.combine import fetch_then_compute


async def fetch(item: Any) -> Any:  # noqa: ANN401 - whatever the item is
    """Give way once."""
    await asyncio.sleep(0)
    return item


def run(call: Any) -> Any:  # noqa: ANN401 - whatever the call gives
    """Await a call, for ten seconds at most."""

    async def main() -> Any:  # noqa: ANN401 - likewise
        async with asyncio.timeout(10):
            return await call

    return asyncio.run(main())


def on(pool: Executor, **changed: int) -> dict[str, Any]:
    """Make the arguments by keyword."""
    return {"pool": pool, "max_fetching": 2, "max_computing": 2, **changed}


@settings(deadline=None)
@given(st.lists(st.integers()), *[st.integers(min_value=1, max_value=4)] * 3)
def test_is_map(items: list[int], fetching: int, computing: int, ready: int) -> None:
    """Whatever the items and the ceilings, the results are those of `map`."""
    with ThreadPoolExecutor(2) as pool:
        limits = on(pool, max_fetching=fetching, max_computing=computing, max_ready=ready)
        results = run(fetch_then_compute(fetch, str, iter(items), **limits))

    assert results == list(map(str, items))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", sorted(multiprocessing.get_all_start_methods()))
def test_processes_compute(method: str) -> None:
    """What was fetched travels, whatever the start method."""
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        results = run(fetch_then_compute(fetch, isqrt, range(50), **on(pool)))

    assert results == [isqrt(number) for number in range(50)]
    assert multiprocessing.active_children() == []


def test_results_keep_the_order_of_the_items() -> None:
    """The first is fetched last and computed last, and its result still comes first."""

    async def main() -> list[str]:
        second_fetched = asyncio.Event()

        async def fetch(item: int) -> int:
            if item == 0:
                await second_fetched.wait()
            else:
                second_fetched.set()
            return item

        with ThreadPoolExecutor(1) as pool:
            return await fetch_then_compute(fetch, str, range(2), **on(pool))

    assert run(main()) == ["0", "1"]


def test_fetches_and_computes_at_the_same_time() -> None:
    """The first call computes until the second item is fetched, and that only begins then."""
    computing, fetched = threading.Event(), threading.Event()

    async def fetch(item: int) -> int:
        if item == 1:
            assert await asyncio.to_thread(computing.wait, 10)
            fetched.set()
        return item

    def compute(item: int) -> int:
        if item == 0:
            computing.set()
            assert fetched.wait(10)
        return item

    with ThreadPoolExecutor(1) as pool:
        assert run(fetch_then_compute(fetch, compute, range(2), **on(pool))) == [0, 1]


def test_fills_the_ceiling_of_fetches_and_never_passes_it() -> None:
    """The gate opens only for a full house, and the peak is counted."""
    running = peak = 0

    async def main() -> None:
        gate = asyncio.Barrier(3)

        async def fetch(_: int) -> int:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await gate.wait()
            running -= 1
            return 0

        with ThreadPoolExecutor(1) as pool:
            await fetch_then_compute(fetch, abs, range(9), **on(pool, max_fetching=3))

    run(main())

    assert peak == 3


def test_fetching_does_not_run_ahead_of_computing() -> None:
    """Nothing is computed yet: two lie with the pool, one is ready, two wait with it in hand."""
    go_on, begun = threading.Event(), threading.Barrier(3)

    def compute(item: int) -> int:
        if item < 2:
            begun.wait(10)
        assert go_on.wait(10)
        return item

    async def main() -> tuple[list[int], list[int]]:
        fetched: list[int] = []

        async def fetch(item: int) -> int:
            fetched.append(item)
            return item

        with ThreadPoolExecutor(2) as pool:
            running = asyncio.create_task(fetch_then_compute(fetch, compute, range(50), **on(pool)))
            await asyncio.to_thread(begun.wait, 10)
            for _ in range(100):  # as far as it can get
                await asyncio.sleep(0)
            seen = list(fetched)
            go_on.set()
            return seen, await running

    seen, results = run(main())

    assert seen == [0, 1, 2, 3, 4]
    assert results == list(range(50))


def test_a_fetch_that_fails_cancels_the_others_and_drops_the_rest() -> None:
    """The second fails while the first waits; the third never begins."""
    begun, cancelled = [], []

    async def fetch(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise LookupError(item)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    with ThreadPoolExecutor(1) as pool, pytest.raises(ExceptionGroup) as failure:
        run(fetch_then_compute(fetch, abs, range(50), **on(pool)))

    assert [str(error) for error in failure.value.exceptions] == ["1"]
    assert (begun, cancelled) == ([0, 1], [0])


def test_a_fetch_that_swallows_its_cancellation_keeps_nothing_going() -> None:
    """The first swallows it when the second fails; no other begins, and the map ends."""
    begun = []

    async def fetch(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise LookupError(item)
        if item > 1:
            raise AssertionError(item)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return item

    with ThreadPoolExecutor(1) as pool, pytest.raises(ExceptionGroup) as failure:
        run(fetch_then_compute(fetch, abs, range(50), **on(pool)))

    assert [str(error) for error in failure.value.exceptions] == ["1"]
    assert begun == [0, 1]


def test_a_call_that_fails_reaches_the_caller_when_the_one_in_flight_has_ended() -> None:
    """The second call fails while the first computes, which then has ended."""
    failed, dropped, ended = threading.Event(), threading.Event(), threading.Event()

    async def main() -> None:
        async def fetch(item: int) -> int:
            if item == 2:  # cancelled when the second call has failed
                try:
                    await asyncio.Event().wait()
                finally:
                    dropped.set()
            return item

        def compute(item: int) -> int:
            if item == 1:
                failed.set()
                raise ZeroDivisionError
            assert failed.wait(10)
            assert dropped.wait(10)
            ended.set()
            return item

        with ThreadPoolExecutor(2) as pool:
            with pytest.raises(ExceptionGroup) as failure:
                await fetch_then_compute(fetch, compute, range(3), **on(pool))

            assert ended.is_set()
            assert [type(error) for error in failure.value.exceptions] == [ZeroDivisionError]
            assert pool.submit(int).result(10) == 0

    run(main())


def test_items_that_fail_reach_the_caller() -> None:
    """The second item cannot be had."""

    def items() -> Iterator[int]:
        yield 0
        raise OSError("no more")

    with ThreadPoolExecutor(1) as pool, pytest.raises(ExceptionGroup) as failure:
        run(fetch_then_compute(fetch, abs, items(), **on(pool)))

    assert [str(error) for error in failure.value.exceptions] == ["no more"]


def test_cancelled_it_waits_for_the_call_that_computes() -> None:
    """It ends as cancelled, once; by then the call has ended, and no other task is left."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def compute(item: int) -> int:
        begun.set()
        assert go_on.wait(10)
        ended.set()
        return item

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            running = asyncio.create_task(fetch_then_compute(fetch, compute, range(9), **on(pool)))
            await asyncio.to_thread(begun.wait, 10)
            running.cancel()
            for _ in range(10):
                await asyncio.sleep(0)
            assert not running.done()
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert ended.is_set()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_a_fetch_that_ends_as_cancelled_is_a_failure() -> None:
    """Nobody cancelled it, and it does not leave the others waiting for ever."""

    async def fetch(item: int) -> int:
        if item == 1:
            raise asyncio.CancelledError
        return item

    with ThreadPoolExecutor(1) as pool, pytest.raises(ExceptionGroup) as failure:
        run(fetch_then_compute(fetch, abs, range(5), **on(pool)))

    assert [type(error) for error in failure.value.exceptions] == [RuntimeError]


def test_a_call_that_somebody_else_drops_is_a_failure() -> None:
    """The pool is shut down, with what it has not begun, while one call computes."""
    begun, go_on = threading.Event(), threading.Event()

    def compute(_: int) -> None:
        begun.set()
        assert go_on.wait(10)

    async def main() -> None:
        pool = ThreadPoolExecutor(1)
        running = asyncio.create_task(fetch_then_compute(fetch, compute, range(2), **on(pool)))
        await asyncio.to_thread(begun.wait, 10)
        for _ in range(100):  # until the second call lies with the pool
            await asyncio.sleep(0)
        pool.shutdown(wait=False, cancel_futures=True)
        go_on.set()
        with pytest.raises(ExceptionGroup) as failure:
            await running
        await asyncio.to_thread(pool.shutdown)
        assert {type(error) for error in failure.value.exceptions} == {RuntimeError}

    run(main())


@pytest.mark.parametrize("name", ["max_fetching", "max_computing", "max_ready"])
def test_refuses_a_ceiling_below_one(name: str) -> None:
    """Refused before an item is read, naming the ceiling and the value."""
    items = iter(range(3))

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match=f"{name} must .* got 0"):
        run(fetch_then_compute(fetch, abs, items, **on(pool, **{name: 0})))

    assert list(items) == [0, 1, 2]


def test_refuses_a_ceiling_that_is_no_whole_number() -> None:
    """Refused before an item is read."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(TypeError):
        run(fetch_then_compute(fetch, abs, [], **on(pool, max_fetching=2.5)))  # type: ignore[arg-type]


def test_broken_one_holds_everything_before_it_computes_anything() -> None:
    """All fifty are fetched when the first call begins."""
    fetched: list[int] = []
    held: list[int] = []

    async def fetch(item: int) -> int:
        fetched.append(item)
        return item

    def compute(item: int) -> int:
        held.append(len(fetched))
        return item

    with ThreadPoolExecutor(1) as pool:
        run(combine_broken.fetch_then_compute(fetch, compute, range(50), pool=pool))

    assert held[0] == 50
