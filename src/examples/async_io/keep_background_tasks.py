"""Begin tasks that nobody awaits, without losing them, their errors, or their last words.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Self, TypeVar

__all__ = ["BackgroundTasks"]

Result = TypeVar("Result")


class BackgroundTasks:
    """Hold tasks until they end, report their errors at once, and leave none at exit.

    Use it for what a program does beside its work: a mail to send, a cache to
    warm, statistics to write. Do not use it where a failure should stop the
    others, or where a result is needed: that is a task group's work.

    Order: tasks begin in the order of creation and end in any. Back-pressure: none.
    Memory: a task is held until it has ended. Failure: reported once, as soon as the
    task has ended, also if somebody awaits it; the caller and the other tasks go on.

    Cancellation and cleanup: when the `async with` statement ends, for whatever
    reason, the tasks have `drain_s` seconds to end by themselves, and so have those
    that they begin meanwhile. What is left then is cancelled, once, and awaited. A
    caller that is cancelled while it waits cuts the drain short, and ends as
    cancelled when all have ended. A task that ignores its cancellation is waited for.

    Args:
        drain_s: Seconds that tasks have to end by themselves at exit, 0 or more. 0
            cancels at once, `None` waits as long as it takes.
        on_error: Called in the event loop with a task that failed and its error; it
            must not block. `None` reports to the loop's exception handler, which logs
            the error unless it is set otherwise, and so does an error of `on_error`.
            A task that ends as cancelled though nobody cancelled it has failed, with a
            `RuntimeError`.

    Raises:
        ValueError: If `drain_s` is below 0.

    Examples:
        >>> async def say(words: str) -> None:
        ...     await asyncio.sleep(0)
        ...     print(words)
        >>> async def main() -> None:
        ...     async with BackgroundTasks(drain_s=10) as background:
        ...         background.create_task(say("the mail is sent"))
        ...         print("the order is taken")
        >>> asyncio.run(main())
        the order is taken
        the mail is sent

    Source:
        [create_task](https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task)
        in the Python documentation: "Save a reference to the result".
    """

    def __init__(
        self,
        *,
        drain_s: float | None,
        on_error: Callable[[asyncio.Task[Any], BaseException], object] | None = None,
    ) -> None:
        """Begin with no task."""
        if drain_s is not None and not drain_s >= 0:
            raise ValueError(f"drain_s must be 0 or more, or None, got {drain_s}")
        self._drain_s, self._on_error = drain_s, on_error
        self._tasks: set[asyncio.Task[Any]] = set()
        self._open = False

    def create_task(
        self,
        coro: Coroutine[Any, Any, Result],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Result]:
        """Begin a task, and hold it until it has ended.

        From another thread, let `loop.call_soon_threadsafe` call this.

        Args:
            coro: The coroutine to run.
            name: The task's name.
            context: Its context variables; a copy of the caller's if not given.

        Returns:
            The task. It may be cancelled, which is no error, or awaited.

        Raises:
            RuntimeError: Outside of the `async with` statement, and once it cancels its
                tasks. `coro` is closed.
            TypeError: If `coro` is no coroutine.
        """
        if not asyncio.iscoroutine(coro):
            raise TypeError(f"coro must be a coroutine, got {coro!r}")
        if not self._open:
            coro.close()
            raise RuntimeError("tasks can begin only within the async with statement")
        task = asyncio.get_running_loop().create_task(coro, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            error = task.exception()
        else:
            error = None if task.cancelling() else RuntimeError("ended as cancelled by nobody")
        if error is not None and self._on_error is not None:
            self._on_error(task, error)
        elif error is not None:
            said = {"message": "a background task failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(said)

    async def __aenter__(self) -> Self:
        """Give itself."""
        self._open = True
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Wait until every task has ended."""
        loop, cancelled = asyncio.get_running_loop(), None
        end = None if self._drain_s is None else loop.time() + self._drain_s
        while self._tasks:
            left = None if end is None or not self._open else end - loop.time()
            if self._open and (cancelled is not None or (left is not None and left <= 0)):
                self._open, left = False, None
                for task in self._tasks:
                    task.cancel()
            try:
                await asyncio.wait(self._tasks, timeout=left)
            except asyncio.CancelledError as request:
                cancelled = request
        self._open = False
        if cancelled is not None:
            raise cancelled
