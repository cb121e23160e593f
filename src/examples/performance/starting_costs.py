# /// script
# requires-python = ">=3.11"
# ///
"""Measure what it costs to start and end something, with its spread.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import math
import multiprocessing
import operator
import statistics
import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, NamedTuple

__all__ = ["measure_start"]


class StartCost(NamedTuple):
    """Seconds per start: what half of the samples took at most, and between which the most lie."""

    median_s: float
    low_s: float
    high_s: float
    samples: int
    starts_per_sample: int


def measure_start(
    start_and_end: Callable[[int], object],
    *,
    samples: int = 15,
    shortest_sample_s: float = 0.05,
    clock: Callable[[], float] = time.perf_counter,
) -> StartCost:
    """Time how long one start takes, from many, and say how far the samples lie apart.

    Use it to find the grain of your own work: what a worker does should take much
    longer than its start. Do not use it to compare two things on a busy machine:
    measure those in turn, and look at the ratios.

    Args:
        start_and_end: Starts so many of what you measure **and waits until all have
            ended**; else the clock stops before the cost is paid.
        samples: How many samples to take, 6 or more: with fewer, no interval
            covers the median in 19 of 20 cases.
        shortest_sample_s: A sample starts as many as it takes to last so long.
        clock: Seconds on a clock that only goes forward.

    Returns:
        Seconds per start: the median of the samples, and the interval of two samples
        that covers the median in at least 19 of 20 cases, if the samples are
        independent. On a busy machine they are not, and it is too narrow.

    Raises:
        ValueError: If `samples` is below 6 or `shortest_sample_s` is not above 0.
        TypeError: If `samples` is not a whole number.
        RuntimeError: If the clock went backward, or stands still.
        Exception: What `start_and_end` raised, at once.

    Examples:
        >>> from threading import Thread
        >>> def start_and_end(count: int) -> None:
        ...     threads = [Thread(target=int) for _ in range(count)]
        ...     for thread in threads:
        ...         thread.start()
        ...     for thread in threads:
        ...         thread.join()
        >>> cost = measure_start(start_and_end, samples=6, shortest_sample_s=0.001)
        >>> 0 < cost.low_s <= cost.median_s <= cost.high_s
        True

    Source:
        [time.perf_counter](https://docs.python.org/3/library/time.html#time.perf_counter)
        in the Python documentation.
    """
    if operator.index(samples) < 6:  # noqa: PLR2004 - see above
        raise ValueError(f"samples must be 6 or more, got {samples}")
    if not shortest_sample_s > 0:
        raise ValueError(f"shortest_sample_s must be above 0, got {shortest_sample_s}")

    def sample(count: int) -> float:
        before = clock()
        start_and_end(count)
        taken_s = clock() - before
        if taken_s < 0:
            raise RuntimeError("the clock went backward: give one that cannot be set")
        return taken_s

    count = 1
    while sample(count) < shortest_sample_s:  # warms up as well
        count *= 2
        if count > 2**30:
            raise RuntimeError("the clock stands still, or start_and_end does nothing")
    ordered = sorted(sample(count) / count for _ in range(samples))
    # The median lies below the k-th smallest sample as often as n coins show fewer than k heads.
    missed, rank = 0.0, 0
    while 2 * (missed := missed + math.comb(samples, rank) / 2**samples) <= 1 / 20:
        rank += 1
    interval = ordered[rank - 1], ordered[-rank]
    return StartCost(statistics.median(ordered), *interval, samples, count)


def main() -> None:
    """Say what a thread and a process cost here, from start to end."""

    def start_and_end(kind: Callable[..., Any], count: int) -> None:
        workers = [kind(target=int) for _ in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    for kind in (Thread, multiprocessing.Process):
        cost = measure_start(partial(start_and_end, kind))
        median, low, high = (f"{seconds * 1e6:,.0f}" for seconds in cost[:3])
        print(f"{kind.__name__}: {median} microseconds, from {low} to {high}")


if __name__ == "__main__":
    main()
