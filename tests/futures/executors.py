"""Executors made for tests, and a generator that is dropped in one."""

import gc
import itertools
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from fault_cases import LIMIT_S


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


def drop_in_a_worker(
    submit_four: Callable[[NotingPool, Callable[[int], None], Iterator[int]], Iterator[object]],
) -> None:
    """Have the garbage collector close a generator in the one worker, amid the second call."""
    full, dropped, collected = threading.Event(), threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield from range(3)
        full.set()
        yield from itertools.count(3)

    def call(item: int) -> None:
        assert full.wait(LIMIT_S)
        if item == 1:
            assert dropped.wait(LIMIT_S)
            gc.collect()
            collected.set()

    gc.disable()
    with NotingPool(1) as executor:
        results = submit_four(executor, call, items())
        cycle: list[object] = [results]
        cycle.append(cycle)
        next(results)
        del results, cycle
        dropped.set()
        assert collected.wait(LIMIT_S)
    gc.enable()
    assert [call.cancelled() for call in executor.given] == [False, False, True, True]
