"""Start calls that block, compute meanwhile in the calling thread, then collect.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["compute_while_waiting"]

Computed = TypeVar("Computed")
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def compute_while_waiting(
    compute: Callable[[], Computed],
    call: Callable[[Item], Answer],
    items: Iterable[Item],
    *,
    max_threads: int = 32,
) -> tuple[Computed, list[Answer]]:
    """Run `compute()` here while `call(item)` waits in a thread for every item.

    Use it when there is work to do that does not need the answers yet. If the
    work needs them one by one as they come, use futures instead; if there is
    more to compute than one thread can do, use processes.

    Args:
        compute: Work for the calling thread, begun when the calls are on their way.
        call: Function that blocks its thread until it has an answer.
        items: One argument per call, read to its end before the first call.
        max_threads: Ceiling on calls in flight, 1 or more.

    Returns:
        What `compute` returned, and one answer per item in the order of `items`.

    Raises:
        ValueError: If `max_threads` is below 1.
        TypeError: If `max_threads` is not a whole number.
        Exception: What `compute` raised; else what a call raised, the first by
            the order of `items`, once `compute` has returned. Calls in flight
            end first; calls not begun are dropped.

    Examples:
        >>> compute_while_waiting(lambda: sum(range(10)), str.upper, ["a", "b"])
        (45, ['A', 'B'])

    Source:
        [Executor objects](https://docs.python.org/3/library/concurrent.futures.html#executor-objects)
        in the Python documentation.
    """
    if operator.index(max_threads) < 1:
        raise ValueError(f"max_threads must be 1 or more, got {max_threads}")
    todo = list(items)
    pool = ThreadPoolExecutor(max_threads, thread_name_prefix="waiting")
    try:
        calls = [pool.submit(call, item) for item in todo]
        computed = compute()
        wait(calls, return_when=FIRST_EXCEPTION)
    finally:
        pool.shutdown(cancel_futures=True)
    # Calls begin in the order of the items, so whatever was dropped stands behind the error.
    return computed, [begun.result() for begun in calls]
