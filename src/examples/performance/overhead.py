"""Map on a pool in chunks that grow until a trip to a worker is worth it.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from itertools import islice
from typing import TypeVar

__all__ = ["map_in_growing_chunks"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_growing_chunks(  # noqa: PLR0913 - three are for tuning, by keyword
    compute: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    executor: Executor,
    max_chunks: int,
    chunk_s: float = 0.05,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Result]:
    """Call `compute(item)` for every item on a pool, many items to a trip if they are small.

    Use it when you do not know how long a call takes, or when that changes on the
    way. Do not use it where a chunk is short already, or for waits. If you know a
    good number of items, give it as `chunksize` to `ProcessPoolExecutor.map`.

    Args:
        compute: Work on one item. For an executor of processes or interpreters a
            function of a module, not a lambda.
        items: One argument per call, read when a chunk is sent.
        executor: Who computes. It stays open.
        max_chunks: Chunks under way at the same time, 1 or more; twice the workers
            keep all of them busy.
        chunk_s: Seconds that a worker is to compute per chunk. Make it many times
            what a trip costs.
        clock: Seconds, read where the chunk is computed.

    Returns:
        One result per item, in the order of `items`.

    Raises:
        ValueError: If `max_chunks` is below 1 or `chunk_s` is not above 0.
        TypeError: If `max_chunks` is not a whole number.
        Exception: What a call, or reading an item, raised. Chunks in flight end
            first, and what a pool of processes has been sent by then; the rest is
            dropped.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     map_in_growing_chunks(abs, [-1, 2, -3], executor=pool, max_chunks=4)
        [1, 2, 3]

    Source:
        [Executor.map](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.map)
        in the Python documentation, on `chunksize`.
    """
    if operator.index(max_chunks) < 1:
        raise ValueError(f"max_chunks must be 1 or more, got {max_chunks}")
    if not chunk_s > 0:
        raise ValueError(f"chunk_s must be above 0, got {chunk_s}")
    todo, size = iter(items), 1
    results: list[Result] = []
    calls: deque[Future[tuple[list[Result], float]]] = deque()
    try:
        while True:
            while len(calls) < max_chunks and (chunk := list(islice(todo, size))):
                calls.append(executor.submit(compute_chunk, compute, chunk, clock))
            if not calls:
                return results
            done, taken_s = calls[0].result()
            calls.popleft()
            results += done
            wanted = int(len(done) * chunk_s / taken_s) if taken_s > 0 else 2 * size
            size = max(1, min(wanted, 2 * size))  # doubles at most: the next may cost more
    finally:
        # Dropped from the end, for the executor takes them from the front.
        wait([call for call in reversed(calls) if not call.cancel()])


def compute_chunk(
    compute: Callable[[Item], Result], chunk: Sequence[Item], clock: Callable[[], float]
) -> tuple[list[Result], float]:
    """Run in the worker; also tell how long it took without the trip."""
    start = clock()
    return [compute(item) for item in chunk], clock() - start
