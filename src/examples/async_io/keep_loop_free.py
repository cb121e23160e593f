"""Watch the event loop: who held it, where, and for how long.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Self

__all__ = ["LoopWatch", "watch_loop"]

IDLE = {"selectors", "asyncio.windows_events"}  # where a loop waits for something to do


def watch_loop(
    report: Callable[[str, float], object],
    *,
    longest_s: float = 0.1,
    while_held: Callable[[str], object] | None = None,
) -> "LoopWatch":
    """Report the stack of whatever holds the running loop for longer than `longest_s`.

    Use it in production, from the first line of `main`: it needs no debug mode, and
    an idle program pays for two short wake-ups in each `longest_s`. Do not use it to
    find out why one function is slow: that takes a profiler.

    A thread asks the loop for a turn twice in each `longest_s`. If none comes, it reads
    the stack of the loop's thread, once for each hold. A call that keeps the GIL stops
    this thread too: it is mostly seen at its end, and sometimes missed. On a machine
    with too much to do, a lack of cores looks like a hold.

    Args:
        report: Called once for each hold, when it is over, in the watching thread:
            the stack as text, with the line that holds the loop at its end, and the
            seconds that it lasted, at most `longest_s / 2` too few. It must not wait for
            the loop.
        longest_s: Seconds without a turn for others, above 0, and finite. A hold is reported if it
            lasts twice as long, and may be if it lasts longer than this.
        while_held: Called as soon as a stack is read, while the loop is still
            held: for holds that never end.

    Returns:
        The watch, which has begun. It ends with `stop()`, with a `with` statement, or
        when the loop is closed.

    Raises:
        ValueError: If `longest_s` is not above 0, or longer than a thread can wait.
        RuntimeError: If no event loop runs in this thread.

    Examples:
        >>> async def main() -> None:
        ...     with watch_loop(print, longest_s=10):
        ...         await asyncio.sleep(0)
        >>> asyncio.run(main())

    Source:
        [Running blocking code](https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code)
        in the Python documentation.
    """
    if not 0 < longest_s <= threading.TIMEOUT_MAX:  # so written, it refuses NaN too
        raise ValueError(f"longest_s must be above 0, and finite, got {longest_s}")
    return LoopWatch(longest_s, report, while_held or len)  # len: of no effect


class LoopWatch:
    """A watch that runs, made by `watch_loop`."""

    def __init__(self, longest_s: float, *callbacks: Callable[..., object]) -> None:
        """Begin to watch the loop that runs in this thread."""
        self._longest_s, (self._report, self._while_held) = longest_s, callbacks
        self._loop, self._watched = asyncio.get_running_loop(), threading.get_ident()
        self._over = threading.Event()
        self._free_at: float | None = monotonic()  # None while a question is open
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch_loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch; what a callback raised, which ended it, is raised here. Harmless twice.

        A hold that is not over yet is reported with its seconds until now.
        """
        self._over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def __enter__(self) -> Self:
        """Give the watch, which has begun."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop. An error of the body goes before one of a callback."""
        try:
            self.stop()
        except BaseException:
            if kind is None:
                raise

    def _run(self) -> None:
        try:
            self._watch()
        except BaseException as error:  # noqa: BLE001 - raised by stop
            self._error = error

    def _watch(self) -> None:
        pause_s, since, stack = self._longest_s / 2, monotonic(), ""
        while True:
            due = monotonic() + pause_s
            over = self._over.wait(pause_s)
            now, free_at = monotonic(), self._free_at
            if stack and (free_at is not None or over or not self._loop.is_running()):
                self._report(stack, (now if free_at is None else free_at) - since)
                stack = ""
            if over or self._loop.is_closed():
                return
            if free_at is not None:
                since = max(due, free_at)  # a thread that is late: a call may have kept the GIL
            if not self._loop.is_running():
                since = now
            elif not stack and now - since >= self._longest_s:
                stack = self._read_stack()
            if free_at is not None:
                since = since if stack else now
                self._free_at = None
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._free_at = monotonic()

    def _read_stack(self) -> str:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - documented  # pyright: ignore[reportPrivateUsage]
        if frame is None or frame.f_globals.get("__name__") in IDLE:
            return ""
        stack = "".join(traceback.format_stack(frame))
        self._while_held(stack)
        return stack
