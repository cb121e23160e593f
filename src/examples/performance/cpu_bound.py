"""Cut work that computes into equal parts, a few for each core.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, wait
from itertools import pairwise
from typing import TypeVar

__all__ = ["compute_in_parts"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def compute_in_parts(
    compute: Callable[[Sequence[Item]], Result],
    items: Sequence[Item],
    *,
    parts: int,
    executor: Executor | None = None,
) -> list[Result]:
    """Call `compute(part)` for each of so many equal parts of `items`, on any executor.

    Use it when there are many items and each is too small to be sent alone: a
    part is one trip to a worker. A `range` is cut into ranges, which travel as a
    few numbers. Do not use it for waits: they overlap best one by one.

    Args:
        compute: Work on a sequence of items. For an executor of processes or
            interpreters a function of a module, not a lambda.
        items: What is cut: a `range`, list, tuple or anything else with slices.
        parts: How many, 1 or more; fewer if there are fewer items. As many as
            workers if all items cost the same, several times that if they do not.
        executor: Who computes: threads, interpreters or processes. It stays open.
            `None` computes in the calling thread, part by part.

    Returns:
        One result per part, in the order of the items.

    Raises:
        ValueError: If `parts` is below 1.
        TypeError: If `parts` is not a whole number, or `items` has no length.
        Exception: What `compute` raised; if several parts did, the first by their
            order. Parts in flight end first, and what a pool of processes has been
            sent by then; the rest is dropped.

    Examples:
        >>> compute_in_parts(sum, range(10), parts=3)
        [3, 12, 30]

    Source:
        [Executor](https://docs.python.org/3/library/concurrent.futures.html#executor-objects)
        in the Python documentation.
    """
    if operator.index(parts) < 1:
        raise ValueError(f"parts must be 1 or more, got {parts}")
    count = len(items)
    parts = min(parts, count)
    edges = [count * number // parts for number in range(parts + 1)] if count else [0]
    pieces = [items[start:end] for start, end in pairwise(edges)]
    if executor is None:
        return [compute(piece) for piece in pieces]
    calls: list[Future[Result]] = []
    try:
        for piece in pieces:
            calls.append(executor.submit(compute, piece))  # noqa: PERF401 - known if one fails
        wait(calls, return_when=FIRST_EXCEPTION)
    finally:
        # Dropped from the end, for the executor takes them from the front.
        wait([call for call in reversed(calls) if not call.cancel()])
    # Only after an error are there parts that were cancelled; they come last, so it is raised.
    return [call.result() for call in sorted(calls, key=lambda call: call.cancelled())]
