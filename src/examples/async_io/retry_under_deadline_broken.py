"""Broken on purpose: each layer counts and waits for itself, and a cancellation is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["retry"]

Result = TypeVar("Result")


async def retry(
    call: Callable[[], Awaitable[Result]], *, attempts: int = 3, timeout_s: float, wait_s: float
) -> Result:
    """Await `call()` up to so many times, each with its own time limit."""
    for attempt in range(1, attempts + 1):
        try:
            async with asyncio.timeout(timeout_s):
                return await call()
        except BaseException:
            if attempt == attempts:
                raise
            await asyncio.sleep(wait_s)
    raise AssertionError
