"""Broken on purpose: Ctrl-C ends calls in flight, workers begin the next ones, and all wait."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

__all__ = ["map_interruptible"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_interruptible(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    max_workers: int,
    workers: str = "spawn",
) -> Iterator[Result]:
    """Yield `call(item)` for every item, in the order of the items."""
    with ProcessPoolExecutor(max_workers, get_context(workers)) as executor:
        yield from executor.map(call, items)
