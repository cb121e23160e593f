"""Broken on purpose: the call loses its context, outlives its caller, and nobody counts it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["run_in_default_executor"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def run_in_default_executor(call: Callable[[Item], Answer], item: Item) -> Answer:
    """Call `call(item)` in a thread that all of the program shares."""
    return await asyncio.get_running_loop().run_in_executor(None, call, item)
