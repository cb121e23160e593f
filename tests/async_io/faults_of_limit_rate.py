"""What can go wrong around the RateLimit of asyncio: each case runs in a process of its own."""

import asyncio
import itertools
from typing import Any

from examples.async_io.limit_rate import RateLimit
from fault_cases import faces, raises


@faces(23)
def crowd_of_which_half_is_cancelled() -> None:
    """A thousand wait; never too many start, in order; then more in a second loop."""
    interval_s, burst, looked = 0.0005, 3, [0.0]
    limit = RateLimit(1, period_s=interval_s, burst=burst)

    async def call(number: int, starts: list[tuple[float, int]]) -> None:
        await limit.acquire()
        starts.append((looked[-1], number))  # when the limit let it go

    async def main(crowd: int) -> None:
        loop, starts = asyncio.get_running_loop(), list[tuple[float, int]]()
        look = loop.time

        def note() -> float:
            looked[-1] = look()
            return looked[-1]

        loop.time = note  # type: ignore[method-assign]
        tasks = [asyncio.create_task(call(number, starts)) for number in range(crowd)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks)
        del loop.time
        times = [at for at, _ in starts]
        for count in (burst + 1, burst + 10, burst + 100):
            closest = min(
                last - first for first, last in zip(times, times[count - 1 :], strict=False)
            )
            assert closest > (count - burst) * interval_s - 1e-6
        assert [number for _, number in starts if number % 2] == list(range(1, crowd, 2))
        assert sorted(starts) == starts

    for crowd in (1_000, 250):
        asyncio.run(main(crowd))


@faces(23)
def clock_set_back_and_rate_changed() -> None:
    """The one costs a burst at most; the other wakes who waits."""

    async def main() -> None:
        loop, ahead = asyncio.get_running_loop(), 1_000.0
        look = loop.time
        loop.time = lambda: look() + ahead  # type: ignore[method-assign]
        limit = RateLimit(1, period_s=0.01)
        await limit.acquire()
        ahead = 0  # back by far
        async with asyncio.timeout(30):
            await limit.acquire()
        del loop.time
        limit.change_rate(1, period_s=3_600)
        waiter = asyncio.create_task(limit.acquire())
        await asyncio.sleep(0)
        limit.change_rate(1_000, period_s=1)
        async with asyncio.timeout(30):
            await waiter

    asyncio.run(main())


@faces(19, 23)
def cancelled_at_any_turn() -> None:
    """In the start, in the wait, on leaving, with a limit in time around; the others go."""

    async def use(limit: RateLimit) -> None:
        async with asyncio.timeout(50):
            await limit.acquire()

    async def main(turns: int) -> None:
        limit = RateLimit(1, period_s=0.005)
        callers = [asyncio.create_task(use(limit)) for _ in range(4)]
        for _ in range(turns):
            await asyncio.sleep(0)
        callers[2].cancel()
        await asyncio.wait(callers)
        assert [caller.cancelled() for caller in callers] == [False, False, True, False]
        assert (callers[2].cancelling(), len(asyncio.all_tasks())) == (1, 1)

    for turns in range(5):
        asyncio.run(main(turns))


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call."""
    values = ((0, ValueError), (-1, ValueError), (2.5, TypeError), ("x", TypeError))
    for limit, (value, kind) in itertools.product(("max_starts", "burst"), values):
        wrong: dict[str, Any] = {"max_starts": 1, "period_s": 1, limit: value}
        raises(kind, lambda: RateLimit(**wrong))  # noqa: B023 - called at once
    for period_s, kind in ((0, ValueError), (-1, ValueError), ("x", TypeError)):
        raises(kind, lambda: RateLimit(1, period_s=period_s))  # type: ignore[arg-type]  # noqa: B023 - likewise
