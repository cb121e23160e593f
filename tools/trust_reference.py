"""The reference set of `make trust`: waits, and computations in threads and in processes.

Runs as a block, a round at a time. The identical arms of the set are those of the control.
"""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

from measured import compare, records
from measured.control import COMPUTING
from measured.control import compute as compute_alike


def compute(_: int = 0) -> int:
    """Compute for some hundredths of a second."""
    return sum(number % 7 for number in range(500_000))


def wait(_: int = 0) -> None:
    """Wait for some hundredths of a second."""
    time.sleep(0.04)


def as_a_tutorial_does(title: str, **arms: Callable[[], object]) -> None:
    """Time each arm once, with a clock that can be set back, and without a warm-up."""
    taken: dict[str, float] = {}
    for name, arm in arms.items():
        start = time.time()
        arm()
        taken[name] = time.time() - start
    records.emit({"kind": "naive", "title": title, "arms": taken})


def measure(title: str, **arms: Callable[[], object]) -> None:
    """Measure in both ways."""
    as_a_tutorial_does(title, **arms)
    compare(title, **arms)


if __name__ == "__main__":
    spawn = get_context("spawn")
    with ThreadPoolExecutor(5) as threads, ProcessPoolExecutor(2, spawn) as processes:
        list(processes.map(compute, range(2)))  # both are there
        measure(
            "Five waits",
            in_turn=lambda: [wait() for _ in range(5)],
            in_threads=lambda: list(threads.map(wait, range(5))),
        )
        measure(
            "Two computations, two threads",
            in_turn=lambda: [compute(), compute()],
            in_threads=lambda: list(threads.map(compute, range(2))),
        )
        measure(
            "Two computations, two processes",
            in_turn=lambda: [compute(), compute()],
            in_processes=lambda: list(processes.map(compute, range(2))),
        )
    as_a_tutorial_does(COMPUTING, first=compute_alike, second=compute_alike)
