"""Find what holds the event loop, while it holds it.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from queue import Empty, SimpleQueue

__all__ = ["watch_loop"]


def watch_loop(
    report: Callable[[str], object], *, longest_s: float = 0.1
) -> AbstractContextManager[None]:
    """Report the stack of whatever holds the running loop longer than `longest_s`.

    Use it in tests and in production, around the body of `main`: it needs no
    debug mode, and costs one callback per `longest_s`. It misses a call
    that keeps the GIL from all threads: when the watch can run, the loop can too.

    Args:
        report: Called in a thread of its own with the loop's stack as text, the
            line that blocks at its end; once for each time the loop is held. It
            must not wait for the loop.
        longest_s: Seconds without a turn for others, above 0. A hold is reported
            if it lasts twice as long, and may be if it lasts longer than this.

    Returns:
        A context manager: it watches the loop that runs where it is entered, and
        ends with the `with` statement.

    Raises:
        ValueError: If `longest_s` is not above 0.
        RuntimeError: On entering, if no event loop runs in this thread.
        Exception: What `report` raised, at the end of the `with` statement, unless
            its body raises. The watch ends with the first such error.

    Examples:
        >>> async def main() -> None:
        ...     with watch_loop(print, longest_s=10):
        ...         await asyncio.sleep(0)
        >>> asyncio.run(main())

    Source:
        [Running blocking code](https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code)
        in the Python documentation.
    """
    if not longest_s > 0:
        raise ValueError(f"longest_s must be above 0, got {longest_s}")
    return _watch(report, longest_s)


@contextmanager
def _watch(report: Callable[[str], object], longest_s: float) -> Iterator[None]:
    loop, thread = asyncio.get_running_loop(), threading.get_ident()
    news: SimpleQueue[str] = SimpleQueue()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(longest_s):
            loop.call_soon_threadsafe(news.put, "free")
            try:
                latest = news.get(timeout=longest_s)
            except Empty:
                frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented
                report("".join(traceback.format_stack(frame)))
                latest = news.get()
            if latest == "over":
                return

    with ThreadPoolExecutor(1, thread_name_prefix="watch_loop") as pool:
        watching = pool.submit(watch)
        try:
            yield
        finally:
            over.set()
            news.put("over")
    watching.result()
