"""Broken on purpose: its time limit passes, and it waits for the calls all the same."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_in_time"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_time(
    work: Callable[[Item], Result], items: Iterable[Item], *, timeout_s: float
) -> list[Result]:
    """Return `work(item)` for every item, or raise `TimeoutError`, some time after `timeout_s`."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items, timeout=timeout_s))
