"""Choose between a loop, threads, tasks, interpreters, processes and child programs.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
import os
import sys
from typing import Literal, NamedTuple

__all__ = ["choose_tool"]

Work = Literal["waits", "computes", "computes in C", "programs"]
Tool = Literal["loop", "threads", "asyncio", "interpreters", "processes", "programs"]
WORKS = ("waits", "computes", "computes in C", "programs")


class Choice(NamedTuple):
    """What to use, with how many workers or things in flight, and why."""

    tool: Tool
    workers: int
    reason: str


def choose_tool(  # noqa: PLR0913 - each is a question, answered by keyword
    work: Work,
    count: int,
    *,
    call_s: float,
    start_s: float = 0.0,
    async_library: bool = False,
    picklable: bool = True,
    extensions: bool = True,
    many: int = 1_000,
    cores: int | None = None,
    gil: bool | None = None,
    version: tuple[int, int] | None = None,
) -> Choice:
    """Recommend a tool for `count` calls that do not depend on each other.

    Use it for a first choice that says why. Do not take it for a measurement:
    give it your own `call_s` and `start_s`, and then measure what it recommends.

    Args:
        work: What a call does most: `"waits"` for something outside; `"computes"`
            in Python; `"computes in C"` that releases the GIL; `"programs"` if each
            is a program to run.
        count: How many calls, 0 or more.
        call_s: Seconds that one call takes.
        start_s: Seconds until a new process has brought back its first result; 0 for
            a pool that is there already.
        async_library: Whether what waits can be awaited.
        picklable: Whether function, items and results can be pickled.
        extensions: Whether the calls import extension modules that are not of the
            standard library. Some, NumPy among them, refuse a second interpreter.
        many: From how many waits on a thread for each is too many.
        cores: How many cores there are; `None` for those this process may use.
        gil: Whether a GIL is on; `None` asks this interpreter.
        version: Python's, as `(3, 14)`; `None` for this one.

    Returns:
        The tool, how many workers or waits at once to begin with, and the reason.

    Raises:
        ValueError: If `work` is none of the four, or a number is below its bound.
        TypeError: If `count`, `many` or `cores` is not a whole number.

    Examples:
        >>> choose_tool("waits", 50, call_s=0.1).tool
        'threads'
        >>> choose_tool("computes", 50, call_s=0.1, cores=4, gil=True, version=(3, 12)).tool
        'processes'

    Source:
        [Concurrent execution](https://docs.python.org/3/library/concurrency.html)
        in the Python documentation.
    """
    if work not in WORKS:
        raise ValueError(f"work must be one of {', '.join(WORKS)}, got {work!r}")
    cores = usable_cores() if cores is None else cores
    refuse_below(0, count=operator.index(count), call_s=call_s, start_s=start_s)
    refuse_below(1, many=operator.index(many), cores=operator.index(cores))
    gil = getattr(sys, "_is_gil_enabled", lambda: True)() if gil is None else gil
    version = sys.version_info[:2] if version is None else version
    workers = max(1, min(count, cores))
    saved_s = call_s * count * (1 - 1 / workers)
    waits, no_gil = work == "waits", work == "computes in C" or not gil
    interpreters = version >= (3, 14) and not extensions
    rules: tuple[tuple[bool, Tool, int, str], ...] = (  # the first that applies is the choice
        (count <= 1, "loop", 1, "one call has nothing to overlap with"),
        (work == "programs", "programs", workers, "each is a process of its own already"),
        (waits and count < many, "threads", count, "a thread that waits needs no core"),
        (waits and async_library, "asyncio", many, "a waiting task costs less than a thread"),
        (waits, "threads", many, "nothing can be awaited: threads, with a ceiling"),
        (cores == 1, "loop", 1, "one core computes one thing at a time"),
        (no_gil, "threads", workers, "no GIL is in the way, and nothing has to be sent"),
        (not picklable, "loop", 1, "the GIL is in the way, and nothing can be sent"),
        (saved_s <= workers * start_s, "loop", 1, "starting the workers takes what they save"),
        (interpreters, "interpreters", workers, "a GIL for each, in one process"),
        (True, "processes", workers, "a GIL for each, and every library works there"),
    )
    return next(
        Choice(tool, at_once, reason) for applies, tool, at_once, reason in rules if applies
    )


def refuse_below(least: float, **numbers: float) -> None:
    """Name the number that is too small."""
    for name, number in numbers.items():
        if not number >= least:
            raise ValueError(f"{name} must be {least} or more, got {number}")


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
