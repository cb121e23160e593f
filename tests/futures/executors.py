"""Executors made for tests."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any


def process_pool(workers: int, method: str) -> ProcessPoolExecutor:
    """Make a pool of processes by a start method."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context(method))


class NotingPool(ThreadPoolExecutor):
    """A pool of threads that keeps every future it gave."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - handed on
        """Begin with none."""
        super().__init__(*args, **options)
        self.given: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:  # noqa: ANN401 - handed on
        """Keep the future."""
        self.given.append(super().submit(fn, *args, **options))
        return self.given[-1]
