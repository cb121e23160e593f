"""Overlap calls that block, each in a thread.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["overlap_waits"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def overlap_waits(
    call: Callable[[Item], Answer],
    items: Iterable[Item],
    *,
    max_threads: int = 32,
) -> list[Answer]:
    """Call `call(item)` for every item, so that the calls wait at the same time.

    Use it for calls that block the calling thread: requests, queries, files,
    child processes. Do not use it to compute: on the default build, threads
    take turns at that.

    Args:
        call: What to call. It runs in several threads at once, so it must not
            change what they share without a lock.
        items: One argument per call, read to its end before the first call.
        max_threads: Ceiling on calls in flight, 1 or more.

    Returns:
        One answer per item, in the order of `items`.

    Raises:
        ValueError: If `max_threads` is below 1.
        TypeError: If `max_threads` is not a whole number.
        Exception: What a call raised; if several did, the first by the order of
            `items`. Calls in flight end first; calls not begun are dropped.

    Examples:
        >>> overlap_waits(str.upper, ["a", "b"])
        ['A', 'B']

    Source:
        [ThreadPoolExecutor](https://docs.python.org/3/library/concurrent.futures.html#threadpoolexecutor)
        in the Python documentation.
    """
    if operator.index(max_threads) < 1:
        raise ValueError(f"max_threads must be 1 or more, got {max_threads}")
    todo = list(items)
    pool = ThreadPoolExecutor(max_threads, thread_name_prefix="overlap_waits")
    try:
        calls = [pool.submit(call, item) for item in todo]
        wait(calls, return_when=FIRST_EXCEPTION)
    finally:
        pool.shutdown(cancel_futures=True)
    # Calls begin in the order of the items, so whatever was dropped stands behind the error.
    return [begun.result() for begun in calls]
