"""Ask several ways at once, take the first that succeeds, and leave none of the others running.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["first_success"]

Result = TypeVar("Result")


def first_success(
    *calls: Callable[[], Awaitable[Result]], stagger_s: float = 0
) -> Coroutine[Any, Any, Result]:
    """Await all `calls` at once; give the first result, cancel and await the others.

    Use it where several ways lead to the same: replicas, mirrors, addresses of a
    host. Do not use it where a call does harm if it is done twice: each of them may
    run to its end.

    Order: calls begin in the order given; of two that succeed in the same turn of
    the loop the earlier one counts. Back-pressure: none, one task for each call
    that has begun. Failure: a call that fails is out, its error is kept. Memory:
    results and errors of the others are dropped, so a call that opens something
    must close it when it is cancelled.

    Args:
        calls: Functions without arguments that give something to await, 1 or more.
        stagger_s: Seconds that each call gets before the next one begins too, 0 or
            more. When a call fails, the next begins at once.

    Returns:
        A coroutine, to be awaited once, that gives the result of the first call that
        succeeds. All others have ended.

    Raises:
        ValueError: At the call, if there is none, or if `stagger_s` is below 0.
        TypeError: At the call, if one is no function. Coroutines are not taken: one that
            never begins would have to be closed.
        ExceptionGroup: If no call succeeds: the error of each, in the order given. A
            call that ends as cancelled though the caller is not counts as a failure,
            with a `RuntimeError`.
        BaseException: What a call raises that is no `Exception`, at once; the others
            are cancelled and have ended.
        CancelledError: If the caller is cancelled. The calls are cancelled and have
            ended.

    Examples:
        >>> async def ask(mirror: str, seconds: float) -> str:
        ...     await asyncio.sleep(seconds)
        ...     return mirror
        >>> async def main() -> str:
        ...     return await first_success(lambda: ask("far", 60), lambda: ask("near", 0))
        >>> asyncio.run(main())
        'near'

    Source:
        [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305), Happy Eyeballs, for the
        stagger; `asyncio.staggered` in CPython does it for `create_connection`.
    """
    if not calls:
        raise ValueError("calls must be 1 or more, got 0")
    for call in calls:
        if not callable(call):
            raise TypeError(f"calls must be functions without arguments, got {call!r}")
    if not stagger_s >= 0:
        raise ValueError(f"stagger_s must be 0 or more, got {stagger_s}")

    async def ask() -> Result:
        begun: list[asyncio.Task[Result]] = []
        try:
            return await race(deque(calls), begun, stagger_s)
        finally:
            await end(begun)

    return ask()


async def race(
    waiting: deque[Callable[[], Awaitable[Result]]],
    begun: list[asyncio.Task[Result]],
    stagger_s: float,
) -> Result:
    """Begin the calls that wait, one after the other, until one has a result."""

    async def perform(call: Callable[[], Awaitable[Result]]) -> Result:
        return await call()

    running: set[asyncio.Task[Result]] = set()
    while waiting or running:
        if waiting:
            begun.append(asyncio.create_task(perform(waiting.popleft())))
            running.add(begun[-1])
            if waiting and stagger_s == 0:
                continue
        limit = stagger_s if waiting else None
        first = asyncio.FIRST_COMPLETED
        done, running = await asyncio.wait(running, timeout=limit, return_when=first)
        for task in begun:
            if task in done and not isinstance(failure(task), Exception):
                return task.result()
    errors = [error for error in map(failure, begun) if isinstance(error, Exception)]
    raise ExceptionGroup(f"none of {len(begun)} calls succeeded", errors)


async def end(tasks: list[asyncio.Task[Result]]) -> None:
    """Cancel what still runs, and wait until it has ended, even if cancelled oneself."""
    for task in tasks:
        task.cancel()
    cancelled = None
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as request:
            cancelled = request
    for error in map(failure, tasks):  # which marks it as seen
        if error is not None and not isinstance(error, Exception):
            raise error
    if cancelled is not None:
        raise cancelled


def failure(task: asyncio.Task[Result]) -> BaseException | None:
    """Give what a task that has ended raised, if it did."""
    if task.cancelled():
        return RuntimeError("a call ended as cancelled, and its caller was not")
    return task.exception()
