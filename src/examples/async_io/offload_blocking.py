"""Call functions that block from asyncio, in a limited number of threads.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import contextvars
import operator
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, Self, TypeVar

__all__ = ["BlockingCalls"]

Params = ParamSpec("Params")
Result = TypeVar("Result")


class BlockingCalls:
    """Threads for calls that block, at most `max_threads` of them at a time.

    Use it for a library that is not async: a database driver, files, an old
    client. It runs the call with the caller's context variables, and keeps a
    thread counted until its call has really ended. Do not use it to compute: on
    the default build, threads and the loop take turns at that.

    Args:
        max_threads: Ceiling on calls in flight, 1 or more. Others queue up.

    Raises:
        ValueError: If `max_threads` is below 1.
        TypeError: If `max_threads` is not a whole number.

    Examples:
        >>> async def main() -> str:
        ...     async with BlockingCalls(max_threads=4) as blocking:
        ...         return await blocking.run(str.upper, "done")
        >>> asyncio.run(main())
        'DONE'

    Source:
        [Running in threads](https://docs.python.org/3/library/asyncio-task.html#running-in-threads)
        in the Python documentation.
    """

    def __init__(self, *, max_threads: int) -> None:
        """Start no thread yet."""
        if operator.index(max_threads) < 1:
            raise ValueError(f"max_threads must be 1 or more, got {max_threads}")
        self._pool = ThreadPoolExecutor(max_threads, thread_name_prefix="BlockingCalls")

    async def run(
        self, call: Callable[Params, Result], /, *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Call `call(*args, **kwargs)` in a thread, and wait without holding the loop.

        Args:
            call: Function that blocks. Nothing can stop it, so give it a time limit.
            args: Its positional arguments.
            kwargs: Its arguments by name.

        Returns:
            What the call returned.

        Raises:
            RuntimeError: If the `async with` statement has ended.
            CancelledError: If the caller is cancelled: at once if the call had not
                begun, else when it has ended. What it returned or raised is dropped.
            Exception: What the call raised.
        """

        def work() -> Result:
            try:
                return call(*args, **kwargs)
            except StopIteration as end:  # no future can carry it; older releases hang
                raise RuntimeError("the call raised StopIteration") from end

        begun = self._pool.submit(contextvars.copy_context().run, work)
        return await outlast(begun)

    async def __aenter__(self) -> Self:
        """Give itself."""
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Wait, without holding the loop, until every call has ended."""
        with ThreadPoolExecutor(1) as waiter:
            await outlast(waiter.submit(self._pool.shutdown), droppable=False)


async def outlast(call: Future[Result], *, droppable: bool = True) -> Result:
    """Wait for the end of a call, even if cancelled; one not begun is dropped if it may be."""
    answer, cancelled = asyncio.wrap_future(call), None
    while not answer.done():
        try:
            await asyncio.wait([answer])
        except asyncio.CancelledError as request:
            cancelled = request
            if droppable:
                call.cancel()
    if cancelled is None:
        return answer.result()
    if not answer.cancelled():
        answer.exception()  # dropped, and marked as seen
    raise cancelled
