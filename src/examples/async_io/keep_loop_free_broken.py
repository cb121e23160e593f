"""Broken on purpose: `async` by name only. It waits in a blocking call, and nobody else gets a turn."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["fetch"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def fetch(call: Callable[[Item], Answer], item: Item) -> Answer:
    """Give the answer of a call that blocks: `time.sleep`, a query, a request."""
    return call(item)
