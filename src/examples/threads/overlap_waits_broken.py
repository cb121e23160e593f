"""Broken on purpose: it waits for each answer before it starts the next call."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["overlap_waits"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def overlap_waits(call: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """Call `call(item)` for every item, in threads that never wait at the same time."""
    with ThreadPoolExecutor() as pool:
        return [pool.submit(call, item).result() for item in items]
