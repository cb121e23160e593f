"""Compute in parallel: in threads where they can, in processes where they cannot.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import operator
import os
import pickle
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Literal, TypeVar

__all__ = ["map_cpu_bound"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_cpu_bound(
    compute: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    run_in: Literal["auto", "threads", "processes"] = "auto",
) -> list[Result]:
    """Call `compute(item)` for every item, on as many cores as there are.

    Use it for Python code that computes, when one call takes much longer than
    sending its item and result to another process. Do not use it for waits:
    threads overlap those on every build.

    Args:
        compute: Work on one item. For processes a function of a module, not a
            lambda, and the script that starts it needs a main guard.
        items: One argument per call, read to its end before the first call.
        workers: Threads or processes, 1 or more; `None` for a worker per core.
        run_in: `"auto"` for threads if this interpreter runs without a GIL, else
            processes. `"threads"` if `compute` spends its time in C code that
            releases the GIL.

    Returns:
        One result per item, in the order of `items`.

    Raises:
        ValueError: If `workers` is below 1 or `run_in` is none of the three.
        TypeError: If `workers` is not a whole number.
        PicklingError: If `compute` cannot be sent to a process; `AttributeError`
            or `TypeError` for some objects and versions.
        BrokenProcessPool: If a process dies. The other results are lost.
        Exception: The first by the order of `items` that a call raised. Calls
            in flight end first, and what the processes have been sent by then;
            the rest is dropped.

    Examples:
        >>> from math import factorial
        >>> map_cpu_bound(factorial, [3, 4, 5], workers=2)
        [6, 24, 120]

    Source:
        [ProcessPoolExecutor](https://docs.python.org/3/library/concurrent.futures.html#processpoolexecutor)
        and [free-threaded Python](https://docs.python.org/3/howto/free-threading-python.html)
        in the Python documentation.
    """
    if workers is not None and operator.index(workers) < 1:
        raise ValueError(f"workers must be 1 or more, got {workers}")
    if run_in not in {"auto", "threads", "processes"}:
        raise ValueError(f"run_in must be auto, threads or processes, got {run_in!r}")
    if run_in == "auto":
        gil = getattr(sys, "_is_gil_enabled", lambda: True)()  # 3.13 or newer
        run_in = "processes" if gil else "threads"
    todo = list(items)
    cores: int = getattr(os, "process_cpu_count", os.cpu_count)() or 1  # 3.13 or newer
    if sys.platform == "win32":
        cores = min(cores, 61)  # a process pool takes no more there
    workers = min(workers or cores, max(1, len(todo)))
    pool: Executor
    if run_in == "threads":
        pool = ThreadPoolExecutor(workers, thread_name_prefix="map_cpu_bound")
    else:
        pickle.dumps(compute)  # refused here, before any process starts
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    with pool:
        return list(pool.map(compute, todo, chunksize=max(1, len(todo) // (4 * workers))))
