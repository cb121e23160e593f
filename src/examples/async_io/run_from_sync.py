"""Call async code from sync code: an event loop in a thread of its own.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import threading
from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from typing import Any, Self, TypeVar

__all__ = ["LoopThread"]

Result = TypeVar("Result")


class LoopThread:
    """Run coroutines from sync code, on one event loop that lives in a thread.

    Use it in notebooks, sync libraries and programs that call async code more than
    once: connections and background tasks live on between two calls. Do not use it
    from a coroutine: `await` instead. For a single call at the top of a program,
    `asyncio.run` is enough.

    Order: calls from one thread run one after another, those from several threads side
    by side. Back-pressure: each call blocks the calling thread until its coroutine has
    ended; if another event loop runs in that thread, it stands still meanwhile.
    Failure: raised in the caller, with its traceback. Memory: nothing is kept of what
    has ended. Context: the coroutine sees a copy of the caller's context variables; what
    it sets there, the caller does not see.

    Cancellation: at its time limit, at Ctrl-C or another exception that a signal handler
    raises in the caller, the coroutine is cancelled and its clean-up awaited. A second
    Ctrl-C ends the waiting.

    Cleanup: when the `with` statement ends, all tasks of the loop are cancelled and
    awaited, then asynchronous generators and the default executor are closed, and the
    thread has ended. A task that ignores its cancellation is waited for; for the threads
    of the executor, Python 3.13 and newer wait five minutes at most. The thread is no
    daemon: if the `with` statement is never left, the interpreter does not end.

    Args:
        loop_factory: Makes the event loop, as for `asyncio.Runner`.

    Raises:
        BaseException: When the `with` statement ends, if a task of the loop raised
            `SystemExit` or `KeyboardInterrupt`. It has ended the loop before.

    Examples:
        >>> async def greet(name: str) -> str:
        ...     await asyncio.sleep(0)
        ...     return f"Hello, {name}"
        >>> with LoopThread() as loop_thread:
        ...     [loop_thread.run(greet(name), timeout_s=10) for name in ("Ada", "Guido")]
        ['Hello, Ada', 'Hello, Guido']

    Source:
        [Concurrency and multithreading](https://docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading)
        in the Python documentation.
    """

    def __init__(self, *, loop_factory: Callable[[], AbstractEventLoop] = new_event_loop) -> None:
        """Make the thread, and do not start it."""
        self._loop_factory = loop_factory
        self._thread = threading.Thread(target=self._serve, name="LoopThread")
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        """Start the loop; once only."""
        if self._thread.ident is not None:
            raise RuntimeError("a LoopThread can be entered only once")
        self._loop = self._loop_factory()
        self._thread.start()
        return self

    def run(self, coro: Coroutine[Any, Any, Result], *, timeout_s: float | None = None) -> Result:  # noqa: C901 - what it promises takes as much
        """Run a coroutine on the loop, and wait until it has ended.

        It may be called from any thread but the loop's own, also where another loop runs.

        Args:
            coro: The coroutine. It is closed if it is refused.
            timeout_s: Seconds until it is cancelled, 0 or more; `None` for no limit.

        Returns:
            What the coroutine returned.

        Raises:
            TypeError: If `coro` is no coroutine.
            ValueError: If `timeout_s` is below 0.
            RuntimeError: Outside of the `with` statement, and on the loop's own thread,
                which would wait for itself.
            TimeoutError: If the coroutine was cancelled at its time limit, and has ended.
            concurrent.futures.CancelledError: If it ended as cancelled otherwise, as all
                do that the end of the `with` statement finds.
            BaseException: What the coroutine raised. An error of its clean-up goes out in
                place of the `KeyboardInterrupt` or `TimeoutError`, as from `asyncio.run`.
        """
        if not asyncio.iscoroutine(coro):
            raise TypeError(f"coro must be a coroutine, got {coro!r}")
        refusal: Exception | None = None
        if timeout_s is not None and not timeout_s >= 0:  # so written, it refuses NaN too
            refusal = ValueError(f"timeout_s must be 0 or more, or None, got {timeout_s}")
        elif self._thread is threading.current_thread():
            refusal = RuntimeError("the loop's thread would wait for itself: await the coroutine")
        elif not self._thread.is_alive():
            refusal = RuntimeError("a LoopThread runs coroutines only in its with statement")
        if refusal is not None:
            coro.close()
            raise refusal
        future: Future[Result] = Future()
        tasks: list[asyncio.Task[None]] = []

        def begin() -> None:
            if self._stop.is_set() and end():
                return
            tasks.append(self._loop.create_task(attend()))
            tasks[0].add_done_callback(end)

        async def attend() -> None:
            try:
                async with asyncio.timeout(timeout_s):
                    future.set_result(await coro)
            except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop
                if not isinstance(error, asyncio.CancelledError):
                    future.set_exception(error)

        def end(_: object = None) -> bool:
            coro.close()  # it has ended, or never begins
            return future.cancel()  # has no effect on one that has its outcome

        def result_after(callback: Callable[[], object]) -> Result:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(callback)  # in a copy of the caller's context
            while not future.done() and self._thread.is_alive():
                wait([future], 0.2)  # without a limit, Ctrl-C would be too late on Windows
            end()
            if (error := future.exception()) is not None:  # `result()` returns if it is falsy
                raise error
            return future.result()

        try:
            return result_after(begin)
        except BaseException:
            if not future.done():  # a signal handler raised it
                with suppress(CancelledError):
                    result_after(lambda: tasks[0].cancel() if tasks else end())
            raise

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._stop.wait())
        except BaseException as error:  # noqa: BLE001 - raised at the end of the with statement
            self._failure = error

    def __exit__(self, *_: object) -> None:
        """Cancel what is left, close the loop, and end the thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._failure is not None:
            raise self._failure
