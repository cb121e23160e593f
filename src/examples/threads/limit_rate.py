"""Limit how many calls begin in a stretch of time, in a program with threads.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import math
import operator
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import TIMEOUT_MAX, Condition, Lock

__all__ = ["RateLimit"]


class RateLimit:
    """Let at most `max_starts` calls begin per `period_s`, first come, first served.

    Use it before each call to a service that counts requests per second or minute. Do
    not use it to limit how many calls are in flight: that is a semaphore, and a slow
    service needs both. It knows of one process only.

    Guaranteed, by `clock`: any stretch of time of `t` seconds, wherever it begins, sees
    at most `burst + max_starts * t / period_s` starts. A start is counted when `acquire`
    looks at the clock for the last time before it returns. With a `burst` of 1 starts are
    evenly spaced, at most `max_starts` in any period. A larger `burst` lets so many begin
    at once after a rest.

    Order: first come, first served, by who got the inner lock. Back-pressure: the caller
    blocks, and as many wait as call. No drift: times are computed from the clock, not
    added up from sleeps. A start that comes late is made up for, up to `burst - 1`
    intervals of `period_s / max_starts`. After a standstill no more than `burst` begin at
    once.

    Cancellation: a thread that waits cannot be cancelled; it can have a time limit. One
    that gives up, or gets a `KeyboardInterrupt`, uses no start up, and the next one goes
    when it would have gone. Failure: a call that fails has used its start. Memory: one
    lock for each waiter. Cleanup: none; no thread or timer stays.

    Any number of threads may use it at once, on all builds of Python.

    Args:
        max_starts: How many calls may begin in each period, 1 or more.
        period_s: The period in seconds, more than 0.
        burst: How many may begin at once after a rest, 1 or more.
        clock: Seconds on a clock that only goes forward.

    Raises:
        ValueError: If a number is too low, or `period_s` is not finite.
        TypeError: If `max_starts` or `burst` is not a whole number.

    Examples:
        >>> limit = RateLimit(100, period_s=1, burst=5)
        >>> for number in range(3):
        ...     limit.acquire()
        ...     print("call", number)
        call 0
        call 1
        call 2

    Source:
        The [generic cell rate algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm)
        of ITU-T I.371; [Condition](https://docs.python.org/3/library/threading.html#condition-objects)
        in the Python documentation. No version of Python has a rate limit built in.
    """

    def __init__(
        self,
        max_starts: int,
        *,
        period_s: float,
        burst: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin as after a rest."""
        if operator.index(burst) < 1:
            raise ValueError(f"burst must be 1 or more, got {burst}")
        self._interval_s, self._burst = _interval_s(max_starts, period_s), burst
        self._clock, self._lock = clock, Lock()
        self._rested_at = -math.inf  # when a whole burst may begin, if nobody begins before
        self._line: deque[Condition] = deque()

    def acquire(self, *, timeout_s: float | None = None) -> None:
        """Wait until the next call may begin.

        Args:
            timeout_s: Seconds to wait, 0 or more; 0 does not wait, `None` sets no limit.

        Raises:
            ValueError: If `timeout_s` is below 0.
            TimeoutError: If the call may not begin in time. It must not begin then.
        """
        if timeout_s is not None and not timeout_s >= 0:  # so written, it refuses NaN too
            raise ValueError(f"timeout_s must be 0 or more, got {timeout_s}")
        with self._lock:
            now = self._clock()
            late = math.inf if timeout_s is None else now + timeout_s
            turn = Condition(self._lock)
            try:
                self._line.append(turn)
                while (due := self._due(turn, now)) > now:
                    if now >= late:
                        raise TimeoutError(f"the call may not begin within {timeout_s:g} s")
                    turn.wait(min(due - now, late - now, TIMEOUT_MAX))
                    now = self._clock()
                self._rested_at = max(self._rested_at, now) + self._interval_s
            finally:
                with suppress(ValueError):  # it never got in: Ctrl-C can come anywhere
                    self._line.remove(turn)
                self._wake_first()

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
        with self._lock:
            now = self._clock()
            starts_to_rest = (self._rested_at - now) / self._interval_s
            self._rested_at = now + starts_to_rest * interval_s
            self._interval_s = interval_s
            self._wake_first()

    def _due(self, turn: Condition, now: float) -> float:
        """Tell when it may begin: never, unless it is the first in line."""
        if self._line[0] is not turn:
            return math.inf
        # A clock that was set back costs one burst.
        self._rested_at = min(self._rested_at, now + self._burst * self._interval_s)
        return self._rested_at - (self._burst - 1) * self._interval_s

    def _wake_first(self) -> None:
        if self._line:
            self._line[0].notify()


def _interval_s(max_starts: int, period_s: float) -> float:
    if operator.index(max_starts) < 1:
        raise ValueError(f"max_starts must be 1 or more, got {max_starts}")
    if not 0 < period_s < math.inf:  # so written, it refuses NaN too
        raise ValueError(f"period_s must be more than 0, and finite, got {period_s}")
    return period_s / max_starts
