"""Await one call per item, with a ceiling on how many run at once.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import operator
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain, islice
from typing import TypeVar

__all__ = ["map_bounded"]

Item = TypeVar("Item")
Result = TypeVar("Result")


async def map_bounded(
    call: Callable[[Item], Awaitable[Result]],
    items: Iterable[Item],
    *,
    max_running: int,
) -> list[Result]:
    """Await `call(item)` for every item, at most `max_running` at a time.

    Use it when a server sets the pace, or when there are too many items to have
    a task for each. Do not use it for calls that block or compute: they hold
    the loop, and run one after the other.

    Args:
        call: Coroutine function of one argument.
        items: One argument per call. An item is read when a call can begin, so a
            generator is never more than `max_running` items ahead. It must not block.
        max_running: Ceiling on calls in flight, 1 or more.

    Returns:
        One result per item, in the order of `items`.

    Raises:
        ValueError: If `max_running` is below 1. No item is read.
        TypeError: If `max_running` is not a whole number.
        ExceptionGroup: What calls, or reading an item, raised. The first failure
            cancels the calls in flight, and they have ended when this is raised; no
            other begins. A call that ends as cancelled though nobody cancelled it
            counts as a failure, with a `RuntimeError`.
        CancelledError: If the caller is cancelled. The calls in flight are
            cancelled and have ended.

    Examples:
        >>> async def double(number: int) -> int:
        ...     await asyncio.sleep(0)
        ...     return 2 * number
        >>> asyncio.run(map_bounded(double, [3, 1, 2], max_running=2))
        [6, 2, 4]

    Source:
        [Task groups](https://docs.python.org/3/library/asyncio-task.html#task-groups)
        in the Python documentation.
    """
    if operator.index(max_running) < 1:
        raise ValueError(f"max_running must be 1 or more, got {max_running}")
    numbered = enumerate(items)
    results: dict[int, Result] = {}
    stopped = False

    async def work(first: tuple[int, Item]) -> None:
        nonlocal stopped
        try:
            for number, item in chain([first], numbered):
                results[number] = await call(item)
                if stopped or cancel_requested():
                    return
        except BaseException as error:
            stopped = True  # so that no other begins before the group cancels them
            if isinstance(error, asyncio.CancelledError) and not cancel_requested():
                raise RuntimeError(
                    "a call ended as cancelled, and nobody had cancelled it"
                ) from error
            raise

    async with asyncio.TaskGroup() as group:
        for first in islice(numbered, max_running):
            group.create_task(work(first))
            if stopped:
                break
    return [results[number] for number in range(len(results))]


def cancel_requested() -> bool:
    """Tell whether somebody cancelled the running task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
