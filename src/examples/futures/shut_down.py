"""Shut a pool down at once when its work is no longer wanted.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

from collections.abc import Generator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

__all__ = ["stop_on_error"]

Pool = TypeVar("Pool", bound=Executor)


def stop_on_error(executor: Pool, *, kill_workers: bool = False) -> AbstractContextManager[Pool]:
    """Use an executor in a `with` block that does not wait for work nobody wants.

    Use it in place of `with executor:`, which runs all that was submitted even
    if the block failed or Ctrl-C came. Do not kill workers that write files or
    hold locks which others need, and do not share the executor: its end is the
    end of everybody's calls.

    Args:
        executor: A new executor, used by this block alone.
        kill_workers: Whether an error in the block also ends the calls in
            flight, by killing the processes that run them. Only processes can be
            killed; what they started themselves lives on. If one is killed while it
            sends a result, the block also waits for the end of processes that
            were forked meanwhile, by it or beside it: they have its pipe.

    Returns:
        A context manager that gives the executor. If the block ends well, all
        that was submitted is run first. If it raises, calls not begun are
        cancelled; those in flight are killed or waited for. No worker is left.

    Raises:
        TypeError: If `kill_workers` is asked of an executor without processes.
        BaseException: What the block raised, after the workers have ended.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with stop_on_error(ThreadPoolExecutor(2)) as pool:
        ...     pool.submit(abs, -1).result()
        1

    Source:
        [Executor.shutdown](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.shutdown)
        and [ProcessPoolExecutor.kill_workers](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.ProcessPoolExecutor.kill_workers)
        in the Python documentation.
    """
    if kill_workers and not isinstance(executor, ProcessPoolExecutor):
        raise TypeError(f"only processes can be killed, got {type(executor).__name__}")
    return _stopping(executor, kill_workers=kill_workers)


@contextmanager
def _stopping(executor: Pool, *, kill_workers: bool) -> Generator[Pool, None, None]:
    wanted = False
    try:
        yield executor
        wanted = True
    finally:
        if kill_workers and not wanted:
            _kill(executor)
        executor.shutdown(cancel_futures=not wanted)


def _kill(executor: Executor) -> None:
    # From 3.14 on there is `executor.kill_workers()`, after which nobody waits for the dead.
    inside = vars(executor)  # named so on 3.11 to 3.15
    with inside["_shutdown_lock"]:  # while it is held, no worker is replaced
        inside["_max_workers"] = 0  # nor later
        for process in dict[int, Any](inside["_processes"] or ()).values():
            process.kill()
        if inside["_result_queue"] is not None:  # it is, if the block shut the executor down
            # For half a result the pool waits as long as anybody could send the other half.
            inside["_result_queue"]._writer.close()  # noqa: SLF001
