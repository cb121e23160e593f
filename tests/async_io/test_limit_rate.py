"""RateLimit: the bound in any window, order, no drift, no lost start; and one without a bound."""

import asyncio
import gc
import itertools
import sys
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_clock import VirtualClockLoop, run_virtually

from examples.async_io import limit_rate_broken
from examples.async_io.limit_rate import RateLimit

Starts = list[tuple[float, int]]
TICK = 1e-6  # far more than the rounding of times, far less than any interval here


def now() -> float:
    """Give the time of the running loop."""
    return asyncio.get_running_loop().time()


async def call(limit: Any, number: int, starts: Starts) -> None:  # noqa: ANN401 - also the broken one
    """Wait for the limit, and note the start."""
    await limit.acquire()
    starts.append((now(), number))


def most_too_many(times: list[float], interval_s: float, burst: int) -> float:
    """Tell by how many starts some stretch of time passes the promised bound."""
    return max(
        later - earlier + 1 - burst - (times[later] - times[earlier]) / interval_s
        for earlier, later in itertools.combinations_with_replacement(range(len(times)), 2)
    )


@settings(deadline=None)
@given(
    st.integers(min_value=1, max_value=5),  # starts per period
    st.integers(min_value=1, max_value=4),  # interval
    st.integers(min_value=1, max_value=4),  # burst
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=12),  # comes after the one before
            st.none() | st.integers(min_value=0, max_value=9),  # patience
        ),
        min_size=1,
        max_size=15,
    ),
)
def test_starts_are_on_time_in_order_and_within_the_bound(
    max_starts: int, interval: int, burst: int, callers: list[tuple[int, int | None]]
) -> None:
    """Whoever comes when, and leaves when: as a model says that has no loop and no tasks."""
    starts: Starts = []
    comes = list(itertools.accumulate(gap // 4 for gap, _ in callers))  # many at the same time
    leaves = [
        float("inf") if patience is None else at + patience + 0.5
        for at, (_, patience) in zip(comes, callers, strict=True)
    ]

    async def main() -> None:
        limit = RateLimit(max_starts, period_s=interval * max_starts, burst=burst)

        async def come(number: int) -> None:
            task = asyncio.create_task(call(limit, number, starts))
            await asyncio.wait([task], timeout=leaves[number] - now())
            task.cancel()
            await asyncio.wait([task])

        async with asyncio.TaskGroup() as group:
            for number, at in enumerate(comes):
                await asyncio.sleep(at - now())
                group.create_task(come(number))

    run_virtually(main())

    expected: Starts = []
    rested, last = -1000.0, 0.0
    for number, at in enumerate(comes):
        start = max(at, last, rested - (burst - 1) * interval)
        if start < leaves[number]:
            expected.append((start, number))
            rested, last = max(rested, start) + interval, start
    assert starts == [(pytest.approx(at), number) for at, number in expected]
    if starts:
        assert most_too_many([at for at, _ in starts], interval, burst) < TICK


def test_a_burst_of_one_is_evenly_spaced() -> None:
    """At most so many in any period, wherever it begins."""
    starts: Starts = []

    async def main() -> None:
        limit = RateLimit(10, period_s=1)
        await asyncio.gather(*(call(limit, number, starts) for number in range(31)))

    run_virtually(main())
    assert starts == [(pytest.approx(number / 10), number) for number in range(31)]


def test_a_burst_after_a_rest() -> None:
    """Four at once, one per interval, and after a rest four at once again."""
    starts: Starts = []

    async def main() -> None:
        limit = RateLimit(1, period_s=2, burst=4)
        await asyncio.gather(*(call(limit, number, starts) for number in range(6)))
        await asyncio.sleep(1000)
        await asyncio.gather(*(call(limit, number, starts) for number in range(5)))

    run_virtually(main())
    assert [at for at, _ in starts] == [0, 0, 0, 0, 2, 4, 1004, 1004, 1004, 1004, 1006]


def test_a_thousand_wait_and_go_in_order() -> None:
    """None is overtaken, none is lost, and the last begins on time."""
    starts: Starts = []

    async def main() -> None:
        limit = RateLimit(3, period_s=1)
        await asyncio.gather(*(call(limit, number, starts) for number in range(1_000)))

    run_virtually(main())
    assert [number for _, number in starts] == list(range(1_000))
    assert starts[-1][0] == pytest.approx(333)


class LateLoop(VirtualClockLoop):
    """A loop whose timers ring late, as all do."""

    LATE_S = 0.3

    def advance(self, seconds: float) -> None:
        """Oversleep."""
        super().advance(seconds + (self.LATE_S if seconds else 0))


@pytest.mark.parametrize(
    ("burst", "last"), [(1, 100 * 1.3), (2, 100 - 1 + 0.3), (5, 100 - 4 + 0.3)]
)
def test_late_timers_cost_no_rate_within_the_burst(burst: int, last: float) -> None:
    """A hundred starts one by one: with a burst, the last is late once, and not a hundred times."""
    times: list[float] = []

    async def main() -> None:
        limit = RateLimit(1, period_s=1, burst=burst)
        for _ in range(101):
            await limit.acquire()
            times.append(now())

    with asyncio.Runner(loop_factory=LateLoop) as runner:
        runner.run(main())
    assert times[-1] == pytest.approx(last)
    assert most_too_many(times, 1, burst) < TICK


def test_after_a_standstill_no_more_than_a_burst_begins_at_once() -> None:
    """Fifty are overdue when the blocked loop goes on: three go, the others keep their distance."""
    starts: Starts = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        limit = RateLimit(1, period_s=1, burst=3)
        loop.call_later(2.5, loop.advance, 50)  # as a call that blocks
        await asyncio.gather(*(call(limit, number, starts) for number in range(10)))

    run_virtually(main())
    assert [at for at, _ in starts] == [0, 0, 0, 1, 2, 52.5, 52.5, 52.5, 53.5, 54.5]


@pytest.mark.parametrize("rank", [0, 1, 4], ids=["first", "second", "last"])
@pytest.mark.parametrize("at", [0.25, 1.0, 1.75])
def test_a_waiter_that_is_cancelled_costs_nobody_a_start(rank: int, at: float) -> None:
    """Those behind it move up, and the first of them goes when it would have gone."""
    starts: Starts = []

    async def main() -> None:
        limit = RateLimit(1, period_s=2)
        await limit.acquire()
        tasks = [asyncio.create_task(call(limit, number, starts)) for number in range(5)]
        await asyncio.sleep(at)
        tasks[rank].cancel()
        await asyncio.wait(tasks)
        assert tasks[rank].cancelled()

    run_virtually(main())
    left = [number for number in range(5) if number != rank]
    assert starts == [(2 * place, number) for place, number in enumerate(left, start=1)]


@pytest.mark.parametrize("turns", range(6))
def test_a_waiter_that_is_cancelled_as_its_turn_comes(turns: int) -> None:
    """At the very time of its start, some callbacks sooner or later: the next begins then."""
    starts: Starts = []

    async def main() -> None:
        limit = RateLimit(1, period_s=2)
        await limit.acquire()
        tasks = [asyncio.create_task(call(limit, number, starts)) for number in range(3)]
        await asyncio.sleep(2)
        for _ in range(turns):
            await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks)

    run_virtually(main())
    assert [at for at, _ in starts] in ([2, 4], [2, 4, 6])
    assert [number for _, number in starts][-2:] == [1, 2]


def test_all_waiters_are_cancelled() -> None:
    """Then the next caller is the first in line, and there is no timer left."""
    starts: Starts = []

    async def main() -> None:
        limit = RateLimit(1, period_s=10)
        await limit.acquire()
        tasks = [asyncio.create_task(call(limit, number, starts)) for number in range(50)]
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert [
            timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()
        ] == []  # type: ignore[attr-defined]
        await call(limit, 99, starts)

    run_virtually(main())
    assert starts == [(10, 99)]


def test_a_time_limit_around_it() -> None:
    """It ends as a timeout, the limit is none the worse, and nobody is left half cancelled."""

    async def main() -> None:
        limit = RateLimit(1, period_s=10)
        await limit.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4):
                await limit.acquire()
        task = asyncio.current_task()
        assert task is not None
        assert (now(), task.cancelling()) == (4, 0)
        await limit.acquire()
        assert now() == 10

    run_virtually(main())


@pytest.mark.parametrize(
    ("at", "period_s", "first"),
    [
        (4.25, 0.5, 4.25 + 15 / 32),  # the third was due at 8: 15/16 of an interval are left
        (6, 40, 26),  # half of one is left
    ],
)
def test_the_rate_changes_while_some_wait(at: float, period_s: float, first: float) -> None:
    """At once: the one whose timer runs waits for the same part of the new interval."""
    starts: Starts = []

    async def main() -> None:
        limit = RateLimit(1, period_s=4, burst=2)
        asyncio.get_running_loop().call_later(at, lambda: limit.change_rate(1, period_s=period_s))
        await asyncio.gather(*(call(limit, number, starts) for number in range(6)))

    run_virtually(main())
    expected = [0, 0, 4, first, first + period_s, first + 2 * period_s]
    assert [at for at, _ in starts] == [pytest.approx(at) for at in expected]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=20),
            st.integers(min_value=1, max_value=5),
            st.integers(min_value=1, max_value=5),
        ),
        max_size=5,
    ),
    st.integers(min_value=1, max_value=4),
)
def test_the_bound_holds_over_changes_of_the_rate(
    changes: list[tuple[int, int, int]], burst: int
) -> None:
    """In any stretch: the burst, and as many as the rates of its parts allow; none is late."""
    starts: Starts = []
    rates = [(0.0, 1.0)]  # since when, so many per second

    async def main() -> None:
        limit = RateLimit(1, period_s=1, burst=burst)
        tasks = [asyncio.create_task(call(limit, number, starts)) for number in range(20)]
        for after, max_starts, period in changes:
            await asyncio.sleep(after / 8)
            limit.change_rate(max_starts, period_s=period)
            rates.append((now(), max_starts / period))
        await asyncio.wait(tasks)

    def allowed(begin: float, end: float) -> float:
        ends = [at for at, _ in rates[1:]] + [float("inf")]
        return sum(
            max(0.0, min(end, until) - max(begin, since)) * rate
            for (since, rate), until in zip(rates, ends, strict=True)
        )

    run_virtually(main())
    times = [at for at, _ in starts]
    for earlier, later in itertools.combinations(range(20), 2):
        count = later - earlier + 1
        assert count <= burst + allowed(times[earlier], times[later]) + TICK
    assert [number for _, number in starts] == list(range(20))
    for number in range(burst, 20):  # all wait from the start, so every start is as early as may be
        assert number + 1 - burst == pytest.approx(allowed(0, times[number]))


def test_a_second_event_loop_goes_on_where_the_first_ended() -> None:
    """What began in the first still counts: the clock is the same."""
    limit = RateLimit(1, period_s=3600)
    asyncio.run(limit.acquire())

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await limit.acquire()

    asyncio.run(main())
    asyncio.run(main())


@pytest.mark.parametrize("later", [True, False])
def test_a_clock_that_jumps_costs_a_burst_at_most(later: bool) -> None:  # noqa: FBT001
    """Two loops with clocks of their own: the second is a thousand seconds on, or back."""
    limit = RateLimit(1, period_s=2, burst=3)
    times: list[float] = []

    async def use(count: int) -> None:
        begin = now()
        for _ in range(count):
            await limit.acquire()
            times.append(now() - begin)

    for begin in (0.0, 1000.0) if later else (1000.0, 0.0):
        loop = VirtualClockLoop()
        loop.advance(begin)
        with asyncio.Runner(loop_factory=lambda loop=loop: loop) as runner:  # type: ignore[misc]
            runner.run(use(5))

    assert times == [0, 0, 0, 2, 4, *([0, 0, 0, 2, 4] if later else [2, 4, 6, 8, 10])]


def test_two_event_loops_at_once_are_refused() -> None:
    """While somebody waits in the first; it is none the worse for it."""
    limit = RateLimit(1, period_s=5)

    async def main() -> float:
        await limit.acquire()
        waiter = asyncio.create_task(limit.acquire())
        await asyncio.sleep(1)
        other = VirtualClockLoop()
        with pytest.raises(RuntimeError, match="another event loop"):
            step(limit.acquire(), other)
        other.close()
        await waiter
        return now()

    assert run_virtually(main()) == 5


def step(waiting: Any, loop: asyncio.AbstractEventLoop) -> None:  # noqa: ANN401 - a coroutine
    """Run a coroutine as far as it gets, as if in another loop."""
    here = asyncio.get_running_loop()
    asyncio._set_running_loop(loop)
    try:
        waiting.send(None)
    finally:
        asyncio._set_running_loop(here)
        waiting.close()


def test_a_loop_that_was_closed_over_a_waiter_is_forgotten() -> None:
    """It was stopped by hand, its waiter never ended; the limit goes on in the next one."""
    limit = RateLimit(1, period_s=5, burst=2)
    loop = VirtualClockLoop()
    waiting = limit.acquire()

    async def main() -> None:
        await limit.acquire()
        await limit.acquire()

    loop.run_until_complete(main())
    asyncio._set_running_loop(loop)
    waiting.send(None)
    asyncio._set_running_loop(None)
    loop.close()

    async def go_on() -> float:
        await limit.acquire()
        return now()

    assert run_virtually(go_on()) == 5
    waiting.close()


def test_a_waiter_is_not_held_after_it_has_gone() -> None:
    """Nor is what it waits for."""

    async def main() -> None:
        limit = RateLimit(1, period_s=1)
        tasks = [weakref.ref(asyncio.create_task(limit.acquire())) for _ in range(3)]
        await asyncio.sleep(5)
        gc.collect()
        assert [task() for task in tasks] == [None] * 3

    run_virtually(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks_change_nothing() -> None:
    """The first begins as soon as its task is made."""
    starts: Starts = []

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        limit = RateLimit(1, period_s=1, burst=2)
        await asyncio.gather(*(call(limit, number, starts) for number in range(5)))

    run_virtually(main())
    assert starts == [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4)]


@pytest.mark.parametrize("number", [0, -1])
def test_refuses_counts_below_one(number: int) -> None:
    """Naming the bound and the value; a limit in use keeps its rate."""
    with pytest.raises(ValueError, match=f"max_starts must be 1 or more, got {number}"):
        RateLimit(number, period_s=1)
    with pytest.raises(ValueError, match=f"burst must be 1 or more, got {number}"):
        RateLimit(1, period_s=1, burst=number)
    limit = RateLimit(1, period_s=7)
    with pytest.raises(ValueError, match=f"max_starts must be 1 or more, got {number}"):
        limit.change_rate(number, period_s=1)

    async def main() -> float:
        await limit.acquire()
        await limit.acquire()
        return now()

    assert run_virtually(main()) == 7


@pytest.mark.parametrize("period_s", [0, -0.5, float("inf"), float("nan")])
def test_refuses_a_period_that_is_none(period_s: float) -> None:
    """Naming the bound and the value."""
    for refuse in (RateLimit, RateLimit(1, period_s=1).change_rate):
        with pytest.raises(ValueError, match=f"more than 0, and finite, got {period_s}"):
            refuse(1, period_s=period_s)


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_starts": 2.5, "period_s": 1},
        {"max_starts": "2", "period_s": 1},
        {"max_starts": 2, "period_s": "1"},
        {"max_starts": 2, "period_s": None},
        {"max_starts": 2, "period_s": 1, "burst": 1.5},
    ],
    ids=str,
)
def test_refuses_what_is_no_number(arguments: dict[str, Any]) -> None:
    """At the call."""
    with pytest.raises(TypeError):
        RateLimit(**arguments)


def test_the_broken_limit_lets_all_go_together() -> None:
    """One after the other it is right; ten at once begin at the same time."""
    starts: Starts = []

    async def main() -> None:
        limit = limit_rate_broken.RateLimit(1, period_s=2)
        for number in range(3):
            await call(limit, number, starts)
        assert [at for at, _ in starts] == [0, 2, 4]
        starts.clear()
        await asyncio.gather(*(call(limit, number, starts) for number in range(10)))

    run_virtually(main())
    assert {at for at, _ in starts} == {6}
    assert len(starts) == 10
