"""Broken on purpose: the pool's `with` waits for every call before the computing begins."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["compute_while_waiting"]

Computed = TypeVar("Computed")
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def compute_while_waiting(
    compute: Callable[[], Computed],
    call: Callable[[Item], Answer],
    items: Iterable[Item],
) -> tuple[Computed, list[Answer]]:
    """Start the calls, and compute one line too late."""
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(call, item) for item in items]
    computed = compute()  # the line above ended the pool, and that waits
    return computed, [begun.result() for begun in calls]
