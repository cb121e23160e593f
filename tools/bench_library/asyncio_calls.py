"""The calls that tasks make, each on one number."""

import asyncio

from calls import FAILING, WAIT_S
from journal import BEGUN, ENDED, note


async def give_back(item: int) -> int:
    """Do nothing but let others run."""
    await asyncio.sleep(0)
    return item


async def forget(item: int) -> None:  # noqa: ARG001 - what a map calls
    """Let others run, and return nothing that takes memory."""
    await asyncio.sleep(0)


async def wait(item: int) -> int:
    """Wait."""
    await asyncio.sleep(WAIT_S)
    return item


async def noted(item: int) -> int:
    """Wait a little, and note it."""
    note(BEGUN)
    try:
        await asyncio.sleep(0.001)
        return item
    finally:
        note(ENDED)


async def fail(item: int) -> int:
    """Do the same, and fail on one item."""
    await noted(item)
    if item == FAILING:
        raise ValueError(item)
    return item


async def last_first(item: int) -> int:
    """Wait on the first item only."""
    if item == 0:
        await asyncio.sleep(0.3)
    return item
