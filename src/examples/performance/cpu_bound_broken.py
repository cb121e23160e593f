"""Broken on purpose: it cuts parts of a fixed size, and the rest is never computed."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ["compute_in_parts"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def compute_in_parts(
    compute: Callable[[Sequence[Item]], Result],
    items: Sequence[Item],
    *,
    parts: int,
    executor: Executor,
) -> list[Result]:
    """Call `compute(part)` for each of so many parts, of which no item is left over by luck."""
    size = len(items) // parts
    pieces = [items[number * size : (number + 1) * size] for number in range(parts)]
    return list(executor.map(compute, pieces))
