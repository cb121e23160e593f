"""Broken on purpose: it bounds the calls that run, not the tasks, and a failure stops nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

__all__ = ["map_with_semaphore"]

Item = TypeVar("Item")
Result = TypeVar("Result")


async def map_with_semaphore(
    call: Callable[[Item], Awaitable[Result]], items: Iterable[Item], *, limit: int
) -> list[Result]:
    """Await `call(item)` for every item, at most `limit` at a time."""
    slots = asyncio.Semaphore(limit)

    async def call_in_slot(item: Item) -> Result:
        async with slots:
            return await call(item)

    return await asyncio.gather(*(call_in_slot(item) for item in items))
