"""What can go wrong around the RateLimit of threads: each case runs in a process of its own."""

import itertools
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from examples.threads.limit_rate import RateLimit
from fault_cases import LIMIT_S, faces, raises, wait_until


@faces(23)
def crowd_of_which_a_third_gives_up() -> None:
    """Never too many in any stretch; nobody's start is lost, and nobody is left in line."""
    interval_s, burst = 0.0005, 3
    looked = threading.local()

    def look() -> float:
        looked.at = time.monotonic()
        return float(looked.at)

    limit = RateLimit(1, period_s=interval_s, burst=burst, clock=look)
    starts: list[float] = []

    def call(number: int) -> bool:
        try:
            limit.acquire(timeout_s=0.002 if number % 3 == 0 else None)
        except TimeoutError:
            return False
        starts.append(looked.at)  # the time at which the limit let it go
        return True

    with ThreadPoolExecutor(50) as pool:
        begun = list(pool.map(call, range(600)))
    assert all(begun[number] for number in range(600) if number % 3)
    assert sum(begun) == len(starts)
    starts.sort()
    for count in (burst + 1, burst + 10, burst + 100):
        closest = min(
            last - first for first, last in zip(starts, starts[count - 1 :], strict=False)
        )
        assert closest > (count - burst) * interval_s - 1e-6
    assert not limit._line


@faces(23)
def clock_set_back_and_rate_changed() -> None:
    """The one costs a burst at most; the other wakes who waits."""
    now = [1_000.0]
    limit = RateLimit(1, period_s=10, burst=2, clock=lambda: now[0])
    limit.acquire(timeout_s=0)
    now[0] = 0  # back by far
    raises(TimeoutError, lambda: limit.acquire(timeout_s=0))
    now[0] = 20
    limit.acquire(timeout_s=0)
    now[0] = 1_000_000  # forward by far: a burst, no more
    for _ in range(2):
        limit.acquire(timeout_s=0)
    raises(TimeoutError, lambda: limit.acquire(timeout_s=0))

    waits = RateLimit(1, period_s=3_600)
    waits.acquire()
    waiter = threading.Thread(target=waits.acquire)
    waiter.start()
    wait_until(lambda: waits._line)
    waits.change_rate(1_000, period_s=1)
    waiter.join(LIMIT_S)
    assert not waiter.is_alive()


@faces(9, 23, posix=True)
def interrupted_in_line() -> None:
    """The main thread waits as the first and is interrupted: the next one goes."""
    limit, began = RateLimit(1, period_s=3_600), []
    limit.acquire()
    main = threading.main_thread().ident or 0

    def interrupt() -> None:
        wait_until(lambda: limit._line)
        other.start()
        wait_until(lambda: len(limit._line) == 2)
        signal.pthread_kill(main, signal.SIGINT)

    other = threading.Thread(target=lambda: (limit.acquire(), began.append("other")))
    thread = threading.Thread(target=interrupt)
    thread.start()
    raises(KeyboardInterrupt, limit.acquire)
    assert len(limit._line) == 1
    limit.change_rate(1_000, period_s=1)
    thread.join()
    other.join()
    assert (began, len(limit._line)) == (["other"], 0)


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call."""
    values = ((0, ValueError), (-1, ValueError), (2.5, TypeError), ("x", TypeError))
    for limit, (value, kind) in itertools.product(("max_starts", "burst"), values):
        wrong: dict[str, Any] = {"max_starts": 1, "period_s": 1, limit: value}
        raises(kind, lambda: RateLimit(**wrong))  # noqa: B023 - called at once
    for period_s, kind in ((0, ValueError), (-1, ValueError), ("x", TypeError)):
        raises(kind, lambda: RateLimit(1, period_s=period_s))  # type: ignore[arg-type]  # noqa: B023 - likewise
