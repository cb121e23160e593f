"""Limit how many calls begin in a stretch of time, in an asyncio program.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import math
import operator
import time

__all__ = ["RateLimit"]

_RESOLUTION_S = time.get_clock_info("monotonic").resolution


class RateLimit:
    """Let at most `max_starts` calls begin per `period_s`, first come, first served.

    Use it before each call to a service that counts requests per second or minute. Do
    not use it to limit how many calls are in flight: that is a ceiling, and a slow
    service needs both. It knows of one process only.

    Guaranteed, by the event loop's clock: any stretch of time of `t` seconds, wherever
    it begins, sees at most `burst + max_starts * t / period_s` starts. A start is the
    return of `acquire`. With a `burst` of 1 starts are evenly spaced, at most
    `max_starts` in any period. A larger `burst` lets so many begin at once after a rest.

    Order: first come, first served. Back-pressure: the caller waits, and as many wait as
    call. No drift: times are computed from the clock, not added up from sleeps. A start
    that comes late is made up for, up to `burst - 1` intervals of `period_s /
    max_starts`; timers ring late by a millisecond or two, so a high rate is only reached
    with a `burst` above 1. After a standstill no more than `burst` begin at once.

    Cancellation: a caller that is cancelled while it waits uses no start up, and the
    next one goes when it would have gone. Failure: a call that fails has used its start.
    Memory: one future for each waiter. Cleanup: none; no task, thread or timer stays.

    One event loop at a time: after `asyncio.run` ends, the next one may go on with the
    same limit, and what had begun still counts.

    Args:
        max_starts: How many calls may begin in each period, 1 or more.
        period_s: The period in seconds, more than 0.
        burst: How many may begin at once after a rest, 1 or more.

    Raises:
        ValueError: If a number is too low, or `period_s` is not finite.
        TypeError: If `max_starts` or `burst` is not a whole number.

    Examples:
        >>> async def main() -> None:
        ...     limit = RateLimit(100, period_s=1, burst=5)
        ...     for number in range(3):
        ...         await limit.acquire()
        ...         print("call", number)
        >>> asyncio.run(main())
        call 0
        call 1
        call 2

    Source:
        The [generic cell rate algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm)
        of ITU-T I.371; [Lock](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Lock)
        in the Python documentation. No version of asyncio has a rate limit built in.
    """

    def __init__(self, max_starts: int, *, period_s: float, burst: int = 1) -> None:
        """Begin as after a rest."""
        if operator.index(burst) < 1:
            raise ValueError(f"burst must be 1 or more, got {burst}")
        self._interval_s, self._burst = _interval_s(max_starts, period_s), burst
        self._rested_at = -math.inf  # when a whole burst may begin, if nobody begins before
        self._line = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.Future[None] | None = None

    async def acquire(self) -> None:
        """Wait until the next call may begin.

        For a limit in time, write `async with asyncio.timeout(...)` around it.

        Raises:
            RuntimeError: If callers of another event loop, which is not closed, wait.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed() and self._line.locked():
                raise RuntimeError("callers of another event loop wait for this limit")
            self._loop, self._line = loop, asyncio.Lock()
        line = self._line
        await line.acquire()  # first come, first served; `async with` costs more
        try:
            while (due := self._due(now := loop.time())) > now + _RESOLUTION_S:
                self._alarm = loop.create_future()
                timer = loop.call_at(due, _ring, self._alarm)
                try:
                    await self._alarm
                finally:
                    timer.cancel()
            self._rested_at = max(self._rested_at, now) + self._interval_s
        finally:
            line.release()

    def change_rate(self, max_starts: int, *, period_s: float) -> None:
        """Go on at another rate from now on, also for those who wait.

        Args:
            max_starts: As for a new limit. What has begun still counts.
            period_s: As for a new limit.

        Raises:
            ValueError: As for a new limit. The old rate stays.
            TypeError: Likewise.
        """
        interval_s = _interval_s(max_starts, period_s)
        if self._loop is not None:
            now = self._loop.time()
            starts_to_rest = (self._rested_at - now) / self._interval_s
            self._rested_at = now + starts_to_rest * interval_s
        self._interval_s = interval_s
        if self._alarm is not None:
            _ring(self._alarm)

    def _due(self, now: float) -> float:
        """Tell when the next call may begin. A clock that was set back costs one burst."""
        self._rested_at = min(self._rested_at, now + self._burst * self._interval_s)
        return self._rested_at - (self._burst - 1) * self._interval_s


def _interval_s(max_starts: int, period_s: float) -> float:
    if operator.index(max_starts) < 1:
        raise ValueError(f"max_starts must be 1 or more, got {max_starts}")
    if not 0 < period_s < math.inf:  # so written, it refuses NaN too
        raise ValueError(f"period_s must be more than 0, and finite, got {period_s}")
    return period_s / max_starts


def _ring(alarm: asyncio.Future[None]) -> None:
    if not alarm.done():
        alarm.set_result(None)
