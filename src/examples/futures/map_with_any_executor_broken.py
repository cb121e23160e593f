"""Broken on purpose: it takes in every item before it gives the first result."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ["map_with_any_executor"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_with_any_executor(
    executor: Executor, work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield `work(item)` for every item, in order. Of an endless input, nothing ever comes."""
    return executor.map(work, items)
