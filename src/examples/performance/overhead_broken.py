"""Broken on purpose: each item makes a trip of its own, however small it is."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ["map_one_by_one"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_one_by_one(
    compute: Callable[[Item], Result], items: Iterable[Item], *, executor: Executor
) -> list[Result]:
    """Call `compute(item)` for every item, with a future, a pickle and a wake-up for each."""
    return [call.result() for call in [executor.submit(compute, item) for item in items]]
