"""Map a function over a pool that Ctrl-C ends at once, with no worker left.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import signal
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing import get_context
from threading import current_thread, get_ident, main_thread
from typing import Any, TypeVar

__all__ = ["map_interruptible"]

Item = TypeVar("Item")
Result = TypeVar("Result")
MASK = getattr(signal, "pthread_sigmask", None)  # Windows has none


def map_interruptible(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    max_workers: int,
    workers: str = "spawn",
    buffersize: int | None = None,
) -> Generator[Result, None, None]:
    """Yield `call(item)` for every item, from a pool that ends whenever the loop does.

    Use it for long jobs at a terminal. Do not use processes for calls that must not be
    torn: one that is killed cleans nothing up, and what it started itself lives on.

    Order: that of `items`. Back-pressure: at most `buffersize` items are pulled ahead of
    the results taken. Memory: nothing is kept of what was handed over. Failure of a call,
    of `items` or of a worker: raised where it is met, and ends the pool.

    Cancellation: at Ctrl-C, an error, or when the generator is closed or dropped, calls
    not begun are cancelled, and worker processes are killed, whatever they do. Threads
    cannot be ended: calls in flight are waited for, and a second Ctrl-C ends the
    waiting, though not the calls; the interpreter waits for them at its exit. Workers
    take no notice of Ctrl-C themselves, from their start on; where a fork server starts
    them, one that is just starting may print a traceback of its own.

    Cleanup: when the loop ends, no worker is left. CPython drops the generator where the
    `for` statement ends; if a name refers to it, close it, by `contextlib.closing`. If
    another thread closes it than the one that reads it, as the garbage collector may,
    calls are cancelled, and nothing is killed nor waited for.

    Args:
        call: Work on one item; for processes a function of a module. The script that
            starts them needs a main guard.
        items: Anything to iterate over, endless or not.
        max_workers: Number of workers, 1 or more; on Windows at most 61 processes.
        workers: `"threads"`, or the start method of processes: `"spawn"`, `"forkserver"`
            or `"fork"`. Do not take `"fork"` while other threads run.
        buffersize: Ceiling on items pulled and not handed over, 1 or more; twice
            `max_workers` if not given.

    Returns:
        A generator of the results. No call begins before the first is asked for.

    Raises:
        ValueError: If a number is too low or the platform lacks the start method.
        TypeError: If a number is not whole, or `items` cannot be iterated over.
        BaseException: What a call or `items` raised, `BrokenProcessPool` if a worker
            died, `KeyboardInterrupt` if it came; after the pool has ended.

    Examples:
        >>> for result in map_interruptible(abs, [-3, 4], max_workers=2):
        ...     print(result)
        3
        4

    Source:
        [ProcessPoolExecutor.kill_workers](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.ProcessPoolExecutor.kill_workers)
        in the Python documentation: from 3.14 on, for a pool made by hand. It does not wait
        for the end of what it kills.
    """
    ahead = 2 * max_workers if buffersize is None else buffersize
    if range(max_workers).stop < 1 or range(ahead).stop < 1:  # refuses what is not whole, too
        raise ValueError(f"max_workers, buffersize must be >= 1, got {max_workers}, {buffersize}")
    if workers == "threads":
        return _results(call, iter(items), ThreadPoolExecutor(max_workers), ahead)
    if workers == "forkserver":
        from multiprocessing.forkserver import ensure_running  # noqa: PLC0415 - not on Windows

        ensure_running()  # not while Ctrl-C is held back, or all its children were deaf to it
    pool = ProcessPoolExecutor(max_workers, get_context(workers), _take_no_notice)
    return _results(call, iter(items), pool, ahead)


def _results(
    call: Callable[[Item], Result], todo: Iterator[Item], executor: Executor, ahead: int
) -> Generator[Result, None, None]:
    reader, pending = 0, deque[Future[Result]]()
    try:
        try:
            while reader := get_ident():  # who asks for the next result
                for item in islice(todo, ahead - len(pending)):
                    with _ctrl_c_held_back():  # half a start would be a worker that nobody knows
                        pending.append(executor.submit(call, item))
                if not pending:
                    break
                while not _ctrl_c_held_back()(wait)([pending[0]], 0.1).done:
                    pass  # interrupted at once, it could leave the future locked for the pool
                if (error := pending[0].exception()) is not None:  # it may be falsy
                    raise error
                yield pending.popleft().result()
        finally:
            _kill(vars(executor), pending, reader)
    finally:
        if reader != get_ident():  # the garbage collector may run in a worker, or hold its locks
            any(future.cancel() and False for future in pending)
        else:
            _kill(vars(executor), pending, reader)  # a second Ctrl-C may have come before it did
            executor.shutdown(cancel_futures=True)


@contextmanager
def _ctrl_c_held_back() -> Generator[None, None, None]:
    came: list[int] = []
    with ExitStack() as stack:
        if current_thread() is main_thread():
            was = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
            stack.callback(signal.signal, signal.SIGINT, was)
        if MASK:  # which children inherit: they hear nothing while they start
            stack.callback(MASK, signal.SIG_SETMASK, MASK(signal.SIG_BLOCK, [signal.SIGINT]))
        yield
    if came:
        signal.raise_signal(signal.SIGINT)


def _take_no_notice() -> None:
    # Not ignored: programs that it starts would ignore it too.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    if MASK:
        MASK(signal.SIG_UNBLOCK, [signal.SIGINT])


def _kill(inside: dict[str, Any], pending: Collection[object], reader: int) -> None:
    if pending and reader == get_ident() and "_processes" in inside:  # so on 3.11 to 3.15
        with _ctrl_c_held_back(), inside["_shutdown_lock"]:  # no worker is started meanwhile
            for process in inside["_processes"].values():
                process.kill()
            # For half a result the pool waits as long as anybody could send the other half.
            inside["_result_queue"]._writer.close()  # noqa: SLF001
