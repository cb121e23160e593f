"""Broken on purpose: it never asks a future for its result, so every error is lost."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from typing import TypeVar

__all__ = ["submit_all"]

Item = TypeVar("Item")


def submit_all(executor: Executor, work: Callable[[Item], object], items: Iterable[Item]) -> int:
    """Run every call, wait for all, and return how many are done."""
    calls = [executor.submit(work, item) for item in items]
    return sum(call.done() for call in as_completed(calls))
