"""Await several coroutines together, and leave none of them behind.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["gather_or_cancel"]

Result = TypeVar("Result")


async def gather_or_cancel(*coroutines: Coroutine[Any, Any, Result]) -> list[Result]:
    """Run all coroutines at once; if one fails, cancel and await the others.

    Use it for a few different things that are needed together. For the same
    call over many items, set a ceiling on how many run at once.

    Args:
        coroutines: What to run, each as a task of its own. If they are refused,
            they are closed, and none begins.

    Returns:
        One result per coroutine, in the order of the arguments.

    Raises:
        TypeError: If an argument is no coroutine. A task or a future belongs to
            somebody else, who would be surprised to find it cancelled.
        ExceptionGroup: What the coroutines raised. The first failure cancels the
            others, and they have ended when this is raised. A coroutine that ends
            as cancelled though nobody cancelled it counts as a failure, with a
            `RuntimeError`.
        CancelledError: If the caller is cancelled. The coroutines are cancelled
            and have ended.

    Examples:
        >>> async def double(number: int) -> int:
        ...     await asyncio.sleep(0)
        ...     return 2 * number
        >>> async def main() -> list[int]:
        ...     return await gather_or_cancel(double(3), double(1))
        >>> asyncio.run(main())
        [6, 2]

    Source:
        [Task groups](https://docs.python.org/3/library/asyncio-task.html#task-groups)
        in the Python documentation.
    """
    failed = False

    async def finish(coroutine: Coroutine[Any, Any, Result]) -> Result:
        nonlocal failed
        try:
            return await coroutine
        except BaseException as error:
            failed = True
            if isinstance(error, asyncio.CancelledError) and not cancel_requested():
                raise RuntimeError("a coroutine ended as cancelled by nobody") from error
            raise

    tasks: list[asyncio.Task[Result]] = []
    try:
        for one in coroutines:
            if not asyncio.iscoroutine(one):
                raise TypeError(f"gather_or_cancel takes coroutines, got {one!r}")
        async with asyncio.TaskGroup() as group:
            for one in coroutines:
                tasks.append(group.create_task(finish(one)))
                if failed:  # at once: so it can be with eager tasks
                    break
        return [task.result() for task in tasks]
    finally:
        for one in coroutines:
            if asyncio.iscoroutine(one):
                one.close()  # does nothing to one that has ended


def cancel_requested() -> bool:
    """Tell whether somebody cancelled the running task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
