"""Broken on purpose: one copy of the context for all calls; it can be entered only once at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from typing import TypeVar

__all__ = ["map_in_context"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_context(
    executor: Executor, call: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield `call(item)` for every item, in the caller's context."""
    return executor.map(partial(copy_context().run, call), items)
