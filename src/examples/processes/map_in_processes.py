"""Map over a pool of processes, and see which process did what.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import operator
import os
import pickle
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

__all__ = ["map_in_processes"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(
    compute: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    chunk_items: int = 1,
    start_method: str = "spawn",
) -> list[tuple[Result, int]]:
    """Call `compute(item)` for every item, and say in which process each call ran.

    Use it for Python code that computes, when a call takes much longer than
    sending its item and result to another process. Do not use it for waits:
    threads overlap those at less cost.

    Args:
        compute: Work on one item: a function of a module, not a lambda. The
            script that starts it needs a main guard.
        items: One argument per call, read to its end before the first call.
        workers: Processes, 1 or more; `None` for one per core that this process
            may use. An idle worker takes the next chunk.
        chunk_items: Items that travel together, 1 or more. Raise it for small calls.
        start_method: `"spawn"` works everywhere; `"forkserver"` and `"fork"`
            where the platform has them.

    Returns:
        A pair for each item, in the order of `items`: the result, and the id of
        the process that computed it. One process may have done all.

    Raises:
        ValueError: If `workers` or `chunk_items` is below 1, or the platform
            lacks the start method; on Windows also if more than 61 workers are needed.
        TypeError: If one of the two is not a whole number. Python also raises
            it, or `AttributeError` or `pickle.PicklingError`, if `compute` or an
            item cannot be sent to another process. No process was started.
        BrokenProcessPool: If a process dies, or raises what cannot be unpickled.
            All results are lost.
        Exception: The first by the order of `items` that a call raised. Chunks
            handed out, a few more than there are workers, end first; the rest
            are dropped.

    Examples:
        >>> from math import factorial
        >>> done = map_in_processes(factorial, [3, 5, 10], workers=2)
        >>> [result for result, process in done]
        [6, 120, 3628800]

    Source:
        [ProcessPoolExecutor](https://docs.python.org/3/library/concurrent.futures.html#processpoolexecutor)
        in the Python documentation.
    """
    for name, value in (("workers", workers), ("chunk_items", chunk_items)):
        if value is not None and operator.index(value) < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")
    context = multiprocessing.get_context(start_method)
    todo = list(items)
    parts = (todo[at : at + chunk_items] for at in range(0, len(todo), chunk_items))
    chunks = [pickle.dumps((compute, part)) for part in parts]  # refused before a process starts
    if not chunks:
        return []
    with ProcessPoolExecutor(min(workers or _usable_cores(), len(chunks)), context) as pool:
        done = pool.map(_compute_chunk, chunks)
        return [(result, process) for results, process in done for result in results]


def _compute_chunk(chunk: bytes) -> tuple[list[Any], int]:
    compute, items = pickle.loads(chunk)  # noqa: S301 - pickled by map_in_processes
    return [compute(item) for item in items], os.getpid()


def _usable_cores() -> int:
    if count := getattr(os, "process_cpu_count", None):  # 3.13 or newer
        cores = count()
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return min(cores or 1, 61 if sys.platform == "win32" else 1_000)
