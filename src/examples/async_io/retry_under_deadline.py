"""Try again until it succeeds or the time is up, a time that all nested calls share.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from math import inf
from typing import Any, TypeVar

__all__ = ["retry_under_deadline", "time_left_s"]

Result = TypeVar("Result")

DEADLINE: ContextVar[float] = ContextVar("DEADLINE", default=inf)  # in the loop's time
NOTES = 10


def retry_under_deadline(  # noqa: PLR0913 - what to retry, how long, how often
    call: Callable[[], Awaitable[Result]],
    *,
    timeout_s: float,
    on: type[Exception] | tuple[type[Exception], ...],
    first_wait_s: float = 0.1,
    longest_wait_s: float = 10,
    jitter: Callable[[float, float], float] = random.uniform,
) -> Coroutine[Any, Any, Result]:
    """Await `call()` until it succeeds, with growing waits in between, for `timeout_s` at most.

    Use it for what fails for a while: a connection refused, a service restarting.
    Do not use it for what does harm if it is done twice, and not for errors that
    the next attempt repeats. Calls of this function within `call` have the same
    deadline, or an earlier one of their own: their waits and attempts count in.

    Order and back-pressure: one attempt at a time. Memory: the last few errors, as
    text. Clock: that of the event loop.

    Args:
        call: Function without arguments that gives something to await.
        timeout_s: Seconds for all attempts and waits, more than 0.
        on: Errors to try again after; any other ends it. Cancellation is none of them.
        first_wait_s: Upper bound of the first wait, more than 0. It doubles each time.
        longest_wait_s: Where it stops doubling, `first_wait_s` or more.
        jitter: Picks a wait between 0 and the bound; so callers that failed together
            do not come back together.

    Returns:
        A coroutine, to be awaited once, that gives the result of the first attempt that
        succeeds.

    Raises:
        ValueError: At the call, if a time is out of its bounds.
        TypeError: At the call, if `on` holds something else than types of `Exception`, as
            `CancelledError` is.
        TimeoutError: If the deadline passes during an attempt or a wait, or had passed
            before. An attempt in flight is cancelled and has ended.
        Exception: What the last attempt raised, if the next wait would pass the
            deadline, at once; or what is not in `on`. Whatever is raised has notes on
            the attempts that failed.
        CancelledError: If the caller is cancelled, or an attempt ends as cancelled. It is
            never tried again. An attempt that makes another error of it is the last as
            well, and that error goes out.

    Examples:
        >>> replies = iter([ConnectionError(), ConnectionError(), "done"])
        >>> async def ask() -> str:
        ...     reply = next(replies)
        ...     if isinstance(reply, Exception):
        ...         raise reply
        ...     return str(reply)
        >>> asyncio.run(
        ...     retry_under_deadline(ask, timeout_s=60, on=ConnectionError, first_wait_s=0.01)
        ... )
        'done'

    Source:
        Marc Brooker, [Exponential Backoff And
        Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
        2015: "full jitter".
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s must be more than 0, got {timeout_s}")
    if not 0 < first_wait_s <= longest_wait_s:
        waits = f"{first_wait_s} and {longest_wait_s}"
        raise ValueError(f"0 < first_wait_s <= longest_wait_s must hold, got {waits}")
    for kind in on if isinstance(on, tuple) else (on,):
        check_error_type(kind)
    return attempt(call, timeout_s, on, (first_wait_s, longest_wait_s), jitter)


async def attempt(
    call: Callable[[], Awaitable[Result]],
    timeout_s: float,
    on: type[Exception] | tuple[type[Exception], ...],
    waits_s: tuple[float, float],
    jitter: Callable[[float, float], float],
) -> Result:
    """Await `call()` until it succeeds, with arguments that are known to be good."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    deadline = min(begun + timeout_s, DEADLINE.get())
    if deadline <= begun:
        raise TimeoutError("the deadline had passed before the first attempt")
    attempts, notes, bound_s = 0, deque[str](maxlen=NOTES), waits_s[0]
    requests = count_cancellations()
    token = DEADLINE.set(deadline)
    try:
        async with asyncio.timeout_at(deadline):
            while True:
                attempts += 1
                try:
                    return await call()
                except on as error:
                    wait_s = jitter(0, bound_s)
                    at = loop.time()
                    notes.append(f"attempt {attempts} failed after {at - begun:.3f} s: {error!r}")
                    if at + wait_s >= deadline or count_cancellations() > requests:
                        raise
                await asyncio.sleep(wait_s)
                bound_s = min(2 * bound_s, waits_s[1])
    except Exception as error:
        for note in notes:
            error.add_note(note)
        raise
    finally:
        DEADLINE.reset(token)


def check_error_type(kind: object) -> None:
    """Refuse what is no type of `Exception`: what cancels or exits is never tried again."""
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise TypeError(f"on must be types of Exception, got {kind!r}")


def count_cancellations() -> int:
    """Count how often this task was asked to cancel, in case `call` makes another error of it."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def time_left_s() -> float:
    """Give the seconds until the deadline of the `retry_under_deadline` that one runs in.

    For what cannot be cancelled, such as a server or a thread: hand it on.

    Returns:
        Seconds, 0 when they are over, infinity where there is no deadline.
    """
    return max(0, DEADLINE.get() - asyncio.get_running_loop().time())
