"""Broken on purpose: it fetches everything before it computes anything."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ["fetch_then_compute"]

Item = TypeVar("Item")
Fetched = TypeVar("Fetched")
Result = TypeVar("Result")


async def fetch_then_compute(
    fetch: Callable[[Item], Awaitable[Fetched]],
    compute: Callable[[Fetched], Result],
    items: Iterable[Item],
    *,
    pool: Executor,
) -> list[Result]:
    """Hold all that is fetched at once, and hold the event loop while the pool computes."""
    fetched = await asyncio.gather(*(fetch(item) for item in items))
    return list(pool.map(compute, fetched))
