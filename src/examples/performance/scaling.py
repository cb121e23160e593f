# /// script
# requires-python = ">=3.11"
# ///
"""Measure the ceiling: how many cores' worth of computing a machine gives to independent copies.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import operator
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from threading import Barrier

__all__ = ["measure_ceiling"]

_start_line: Barrier  # in a worker


def measure_ceiling(  # noqa: PLR0913 - five are for tuning, by keyword
    compute: Callable[[], object],
    *,
    copies: int,
    rounds: int = 5,
    start_method: str | None = None,
    timeout_s: float = 60,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Run the same work in so many processes at once, and tell how many cores that was worth.

    Use it before you judge a speed-up: work shared among as many processes gets no
    further than copies that share nothing, unless its parts fit into a cache and the
    whole does not. It says what the machine gives now; what other programs take is not
    in it. Do not use it to choose a number of workers for calls that wait: they need no
    core.

    Args:
        compute: A stretch of your own work, some tenths of a second or longer. A
            function of a module, or a `functools.partial` of one, not a lambda.
        copies: How many processes compute at once, 1 or more.
        rounds: How often one copy alone and all copies at once are timed in turn, 1 or
            more.
        start_method: `"spawn"`, `"forkserver"` or `"fork"`; `None` takes the default.
        timeout_s: Seconds in which all copies must have started.
        clock: Seconds on a clock that only goes forward, read in the calling process.

    Returns:
        Copies, times the time of one alone, over the time of all at once: the median
        of the rounds. As large as `copies` where each has a core to itself; about 1
        where they take turns on one.

    Raises:
        ValueError: If `copies` or `rounds` is below 1, or `start_method` is not
            available on this system.
        TypeError: If `copies` or `rounds` is not a whole number.
        RuntimeError: If the clock went backward, or stands still.
        threading.BrokenBarrierError: If the copies did not all start in time.
        Exception: What `compute` raised, when the other copies of the round have ended.

    Examples:
        >>> from functools import partial
        >>> measure_ceiling(partial(sum, range(100_000)), copies=2, rounds=1) > 0
        True

    Source:
        [ProcessPoolExecutor](https://docs.python.org/3/library/concurrent.futures.html#processpoolexecutor)
        and [barriers](https://docs.python.org/3/library/threading.html#barrier-objects)
        in the Python documentation.
    """
    if operator.index(copies) < 1:
        raise ValueError(f"copies must be 1 or more, got {copies}")
    if operator.index(rounds) < 1:
        raise ValueError(f"rounds must be 1 or more, got {rounds}")
    context = multiprocessing.get_context(start_method)
    start_line = context.Barrier(copies, timeout=timeout_s)

    def time_copies(count: int) -> float:
        before = clock()
        runs = [pool.submit(_run, compute, together=count == copies) for _ in range(count)]
        for run in runs:
            run.result()
        taken_s = clock() - before
        if taken_s <= 0:
            raise RuntimeError("the clock went backward or stands still: the work is too short")
        return taken_s

    with ProcessPoolExecutor(copies, context, _keep, (start_line,)) as pool:
        time_copies(copies)  # starts every process, and warms it up
        return statistics.median(
            copies * time_copies(1) / time_copies(copies) for _ in range(rounds)
        )


def _keep(start_line: Barrier) -> None:
    """Run in each worker as it starts: a barrier cannot travel later."""
    global _start_line  # noqa: PLW0603 - one for each worker process
    _start_line = start_line


def _run(compute: Callable[[], object], *, together: bool) -> None:
    """Run one copy, in a worker; several begin when all have come, each in its own process."""
    if together:
        _start_line.wait()
    compute()


def main() -> None:
    """Say what this machine gives to as many copies as it has cores."""
    copies = os.cpu_count() or 1
    given = measure_ceiling(partial(sum, range(5_000_000)), copies=copies)
    print(f"{copies} copies at once are given {given:.1f} cores' worth of computing here.")


if __name__ == "__main__":
    main()
