"""Run threads in phases: nobody begins one before all have ended the last.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["run_in_phases"]

Part = TypeVar("Part")
Result = TypeVar("Result")


def run_in_phases(
    phases: Sequence[Callable[[Part], Result]],
    parts: Iterable[Part],
    *,
    between: Callable[[], None] | None = None,
) -> list[Result]:
    """Run every phase on every part, a thread for each part, all phases in step.

    Use it when a phase reads what the others wrote in the one before, and the
    threads keep something from phase to phase: a connection, a cache.

    Do not use it if they keep nothing: `list(pool.map(phase, parts))`, once for
    each phase, waits for all of them as well, with any number of threads.

    Args:
        phases: Functions that take a part, one or more. They meet at a barrier
            after each, as long as the slowest takes.
        parts: One argument per thread, read once before the first thread
            starts. From two phases on there are as many threads as parts.
        between: Called once between two phases, in one of the threads, while
            all the others wait: to swap buffers, to sum up.

    Returns:
        What the last phase returned for each part, in the order of `parts`.

    Raises:
        ValueError: If there is no phase.
        Exception: What a phase or `between` raised; of several, the one of the
            first part. The other threads end the phase that they are in and
            begin no other.

    Examples:
        >>> read, written = [3, 1, 2], [0, 0, 0]
        >>> def sum_up_to(part: int) -> None:
        ...     written[part] = sum(read[: part + 1])
        >>> def share(part: int) -> float:
        ...     return written[part] / written[-1]
        >>> run_in_phases([sum_up_to, share], range(3))[:2]
        [0.5, 0.6666666666666666]

    Source:
        [Barrier objects](https://docs.python.org/3/library/threading.html#barrier-objects),
        Python 3.15
    """
    if not phases:
        raise ValueError("phases must hold 1 function or more, got 0")
    all_parts = list(parts)
    if not all_parts:
        return []
    barrier = threading.Barrier(len(all_parts), action=between)

    def run(part: Part) -> Result:
        try:
            result = phases[0](part)
            for phase in phases[1:]:
                barrier.wait()
                result = phase(part)
        except BaseException:
            barrier.abort()  # the others shall not wait for this thread
            raise
        return result

    with ThreadPoolExecutor(len(all_parts), thread_name_prefix="part") as pool:
        try:
            runs = [pool.submit(run, part) for part in all_parts]
            errors = [error for error in (each.exception() for each in runs) if error is not None]
        except BaseException:  # no more threads to be had, or Ctrl-C
            barrier.abort()
            raise
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return [each.result() for each in runs]
