"""Compute in other processes from asyncio, while the event loop stays free.

Copy this file whole: standard library only, Python 3.11 or newer. The script that starts
it needs a main guard: `if __name__ == "__main__":`.
"""

import asyncio
import multiprocessing
import operator
import pickle
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import ParamSpec, Self, TypeVar

__all__ = ["ComputingCalls"]

Params = ParamSpec("Params")
Result = TypeVar("Result")


class ComputingCalls:
    """Processes for calls that compute, at most `workers` of them at a time.

    Use it for Python code that keeps a core busy for much longer than it takes to
    send its arguments and result. Do not use it for waits. Keep one open for as
    long as the program needs it: starting a process is what costs most.

    Args:
        workers: Processes, and ceiling on calls in flight, 1 or more. Each starts
            when it is first needed.
        start_method: How `multiprocessing` starts them. `"spawn"` is everywhere;
            `"forkserver"`, on POSIX, starts the second and later ones sooner.

    Raises:
        ValueError: If `workers` is below 1, or `start_method` is none of the two. A
            forked child of a program with threads can hang, so there is no `"fork"`.
        TypeError: If `workers` is not a whole number.

    Examples:
        >>> from math import factorial
        >>> async def main() -> int:
        ...     async with ComputingCalls(workers=1) as computing:
        ...         return await computing.run(factorial, 5)
        >>> asyncio.run(main())
        120

    Source:
        [Executing code in thread or process pools](https://docs.python.org/3/library/asyncio-eventloop.html#executing-code-in-thread-or-process-pools)
        in the Python documentation.
    """

    def __init__(self, *, workers: int, start_method: str = "spawn") -> None:
        """Start no process yet."""
        if operator.index(workers) < 1:
            raise ValueError(f"workers must be 1 or more, got {workers}")
        if start_method not in {"spawn", "forkserver"}:
            raise ValueError(f"start_method must be spawn or forkserver, got {start_method!r}")
        self._context = multiprocessing.get_context(start_method)
        self._pools: set[ProcessPoolExecutor] = set()  # of one process: its death is its own
        self._idle: asyncio.LifoQueue[ProcessPoolExecutor | None] = asyncio.LifoQueue()
        for _ in range(workers):
            self._idle.put_nowait(None)
        self._ended = False

    async def run(
        self, compute: Callable[Params, Result], /, *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Call `compute(*args, **kwargs)` in another process, and wait without holding the loop.

        Args:
            compute: Function of a module, not a lambda.
            args: Its positional arguments, to be pickled.
            kwargs: Its arguments by name, likewise.

        Returns:
            What the call returned, unpickled.

        Raises:
            PicklingError: If `compute` or an argument cannot be pickled; some things
                raise `TypeError` or `AttributeError`. Nothing is sent.
            BrokenProcessPool: If the process of this call died. Others go on, and
                another process takes its place.
            RuntimeError: If the `async with` statement has ended.
            CancelledError: If the caller is cancelled. A call not begun is dropped;
                one that runs goes on in its process, and its result is dropped.
            Exception: What the call raised, or pickling its result; if that cannot
                be sent back, a `RuntimeError` with its text.
        """
        parcel = pickle.dumps((compute, args, kwargs))
        pool = await self._idle.get()
        try:
            pool, call = self._begin(pool, parcel)
        except BaseException:
            self._idle.put_nowait(pool)
            raise
        answer = asyncio.wrap_future(call)
        answer.add_done_callback(partial(self._settle, pool))
        await asyncio.wait([answer])  # unlike `await answer`, leaves it alone if cancelled
        result: Result = pickle.loads(answer.result())  # noqa: S301 - from our own process
        return result

    def _begin(
        self, pool: ProcessPoolExecutor | None, parcel: bytes
    ) -> tuple[ProcessPoolExecutor, Future[bytes]]:
        """Send a call to an idle process, or to a new one if there is none or it has died."""
        if self._ended:
            raise RuntimeError("no call can begin: the async with statement has ended")
        if pool is not None:
            try:
                return pool, pool.submit(open_and_compute, parcel)
            except BrokenProcessPool:
                self._pools.discard(pool)
        pool = ProcessPoolExecutor(1, self._context)
        self._pools.add(pool)
        return pool, pool.submit(open_and_compute, parcel)

    def _settle(self, pool: ProcessPoolExecutor, answer: asyncio.Future[bytes]) -> None:
        """Take back a process that has done its call, or has died of it."""
        answer.exception()  # marked as seen: the caller may have gone
        self._idle.put_nowait(pool)

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Wait, without holding the loop, until calls and processes have ended."""
        self._ended, cancelled = True, None
        loop = asyncio.get_running_loop()
        ending = {loop.run_in_executor(None, pool.shutdown) for pool in self._pools}
        while ending:
            try:
                _, ending = await asyncio.wait(ending)
            except asyncio.CancelledError as request:
                cancelled = request
        if cancelled is not None:
            raise cancelled


def open_and_compute(parcel: bytes) -> bytes:
    """Run in the other process; let nothing out that could break the pool on its way."""
    try:
        compute, args, kwargs = pickle.loads(parcel)  # noqa: S301 - from our own process
        return pickle.dumps(compute(*args, **kwargs))
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - as above
        except Exception:  # noqa: BLE001 - whatever it is, it could not travel
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise
