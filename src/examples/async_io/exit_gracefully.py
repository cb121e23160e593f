"""End an asyncio program on SIGINT and SIGTERM: stop, drain with a deadline, or at once.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from types import FrameType

__all__ = ["exit_gracefully"]


def exit_gracefully(*, drain_s: float) -> AbstractAsyncContextManager[asyncio.Event]:
    """Let SIGINT and SIGTERM ask the `async with` body to stop, and bound how long it takes.

    Use it around the body of `main` in a service or a worker, which has work in
    flight that should be finished. Without it, `asyncio.run` cancels `main` at the
    first Ctrl-C, and SIGTERM ends the process in the middle of a statement.

    The first signal sets the event, and from then on the body has `drain_s` seconds.
    A second Ctrl-C, after either, ends at once: `KeyboardInterrupt` is raised where
    the main thread is, in a call that blocks as well. A second SIGTERM changes nothing.

    It works beside `asyncio.run` and `asyncio.Runner`, whose own handler of SIGINT is put
    back, as all handlers are, when the body ends or is interrupted. A signal that
    was ignored stays ignored. Nested, the innermost alone is asked. On Windows only Ctrl-C
    asks: SIGTERM is not delivered there.

    Args:
        drain_s: Seconds from the first signal until the body is cancelled, 0 or more.
            What holds the loop, and what waits in threads, is not ended by that.

    Returns:
        An async context manager. It gives the event to wait for or to look at:
        take no new work once it is set.

    Raises:
        ValueError: If `drain_s` is below 0. On entering, if this is not the main
            thread, which alone may handle signals.
        TimeoutError: If the body has not ended in time. It was cancelled, and its
            clean-up awaited.
        KeyboardInterrupt: At the second Ctrl-C. `asyncio.run` then cancels all tasks
            and awaits their clean-up; a third Ctrl-C ends that too.

    Examples:
        >>> async def main() -> str:
        ...     async with exit_gracefully(drain_s=10) as stop:
        ...         signal.raise_signal(signal.SIGTERM)  # somebody asks
        ...         await stop.wait()
        ...         return "drained"
        >>> asyncio.run(main())
        'drained'

    Source:
        [Handling keyboard interruption](https://docs.python.org/3/library/asyncio-runner.html#handling-keyboard-interruption)
        in the Python documentation.
    """
    if not drain_s >= 0:  # so written, it refuses NaN too
        raise ValueError(f"drain_s must be 0 or more, got {drain_s}")
    return _handle(drain_s)


@asynccontextmanager
async def _handle(drain_s: float) -> AsyncGenerator[asyncio.Event, None]:
    loop, stop, asked = asyncio.get_running_loop(), asyncio.Event(), False
    limit, handlers = asyncio.timeout(None), ExitStack()

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            loop.call_soon_threadsafe(ask)  # which wakes the loop as well
        elif number == signal.SIGINT:
            handlers.close()  # before asyncio.Runner looks at them
            raise KeyboardInterrupt

    def ask() -> None:
        stop.set()
        with suppress(RuntimeError):  # the body has ended meanwhile
            limit.reschedule(loop.time() + drain_s)

    try:
        with handlers:
            for number in (signal.SIGINT, signal.SIGTERM):
                was = signal.getsignal(number)
                if was not in (signal.SIG_IGN, None):
                    signal.signal(number, on_signal)
                    handlers.callback(signal.signal, number, was)
            async with limit:
                yield stop
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"not drained within {drain_s} s of being asked to stop") from error
