"""Broken on purpose: another process computes, and the event loop stands still until it is done."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

__all__ = ["compute_elsewhere"]

Item = TypeVar("Item")
Result = TypeVar("Result")


async def compute_elsewhere(
    pool: ProcessPoolExecutor, compute: Callable[[Item], Result], item: Item
) -> Result:
    """Call `compute(item)` in a process of `pool`."""
    return pool.submit(compute, item).result()
