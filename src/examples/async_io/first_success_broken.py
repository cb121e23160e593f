"""Broken on purpose: the first to end wins, failed or not, and the others are not awaited."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["first_completed"]

Result = TypeVar("Result")


async def first_completed(*calls: Callable[[], Awaitable[Result]]) -> Result:
    """Await all calls at once, and give the first result."""
    tasks = [asyncio.ensure_future(call()) for call in calls]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return done.pop().result()
