"""Broken on purpose: it submits every item first, and keeps every result to the end."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, as_completed
from typing import TypeVar

__all__ = ["map_unordered"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_unordered(
    call: Callable[[Item], Result], items: Iterable[Item], *, executor: Executor
) -> Iterator[tuple[Item, Future[Result]]]:
    """Yield each item with the finished future of `call(item)`, whichever ends first."""
    item_of = {executor.submit(call, item): item for item in items}
    for future in as_completed(item_of):
        yield item_of[future], future
