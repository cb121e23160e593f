"""Broken on purpose: `async` by name only, which holds the loop, and a monitor that cannot see who does."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

__all__ = ["fetch", "watch_lag"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def fetch(call: Callable[[Item], Answer], item: Item) -> Answer:
    """Give the answer of a call that blocks: `time.sleep`, a query, a request."""
    return call(item)  # it waits, and nobody else gets a turn


async def watch_lag(report: Callable[[float], object], *, longest_s: float) -> None:
    """Report by how much a sleep was too long, for ever."""
    while True:
        begun = monotonic()
        await asyncio.sleep(longest_s)  # held up as all others are
        lag_s = monotonic() - begun - longest_s
        if lag_s > longest_s:
            report(lag_s)  # whoever it was has long gone
