"""Make a pool of processes that start the same way on every Python version.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import operator
import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

__all__ = ["make_process_pool"]


def make_process_pool(
    workers: int | None = None,
    *,
    start_method: str | None = None,
    preload: Iterable[str] = (),
    initializer: Callable[..., object] | None = None,
    initargs: tuple[Any, ...] = (),
) -> ProcessPoolExecutor:
    """Make a pool of processes, by fork only if told to, whatever the version's default.

    Use it where a program runs on several Python versions, has threads, or
    imports much. Do not use it for one small map: starting costs more.

    Args:
        workers: Processes, 1 or more; `None` for one per core that this process
            may use. The quota of a container is not seen: pass a number there.
        start_method: `"spawn"`, `"forkserver"` or `"fork"`; `None` for
            `"forkserver"` on Linux and `"spawn"` elsewhere.
        preload: Modules that the fork server imports once, for all its children.
            They must start no thread. One that is not found is passed over. Used
            if no fork server of this program runs yet, and ignored by the other
            start methods.
        initializer: What each worker calls before its first task.
        initargs: Arguments of `initializer`.

    Returns:
        The pool. Use it in a `with` statement, which waits for its workers.

    Raises:
        ValueError: If `workers` is below 1, or the platform lacks the start method.
        TypeError: If `workers` is not a whole number, or `preload` is one string.
        RuntimeError: If `start_method` is `"fork"` and other threads run: a child
            would inherit their locks as they are, without who could release them.
        BrokenProcessPool: If `start_method` is `"fork"` and `initializer` fails. With
            the others, the calls that are submitted raise it.

    Examples:
        >>> with make_process_pool(2) as pool:
        ...     list(pool.map(abs, [-1, 2, -3]))
        [1, 2, 3]

    Source:
        [Contexts and start methods](https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods)
        in the Python documentation.
    """
    if workers is not None and operator.index(workers) < 1:
        raise ValueError(f"workers must be 1 or more, got {workers}")
    if isinstance(preload, str):
        raise TypeError(f"preload must be several names of modules, got {preload!r}")
    if start_method is None:
        start_method = "forkserver" if sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(start_method)
    if start_method == "fork" and threading.active_count() > 1:
        others = ", ".join(
            thread.name
            for thread in threading.enumerate()
            if thread is not threading.current_thread()
        )
        raise RuntimeError(f"fork is not safe while other threads run: {others}")
    if start_method == "forkserver":
        context.set_forkserver_preload(["__main__", *preload])
    pool = ProcessPoolExecutor(workers or _usable_cores(), context, initializer, initargs)
    if start_method == "fork":
        pool.submit(int).result()  # all workers are forked now, while there are no threads
    return pool


def _usable_cores() -> int:
    if count := getattr(os, "process_cpu_count", None):  # 3.13 or newer
        cores = count()
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return min(cores or 1, 61 if sys.platform == "win32" else 1_000)
