"""Fetch with tasks, compute in processes, and let neither run far ahead of the other.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import operator
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor, Future
from typing import TypeVar

__all__ = ["fetch_then_compute"]

Item = TypeVar("Item")
Fetched = TypeVar("Fetched")
Result = TypeVar("Result")


async def fetch_then_compute(  # noqa: PLR0913 - four are for tuning, by keyword
    fetch: Callable[[Item], Awaitable[Fetched]],
    compute: Callable[[Fetched], Result],
    items: Iterable[Item],
    *,
    pool: Executor,
    max_fetching: int,
    max_computing: int,
    max_ready: int = 1,
) -> list[Result]:
    """Await `fetch(item)` for every item, and give what it returns to `compute` in a pool.

    Use it when each item first waits and then computes: both go on at the same
    time. Do not use it when one of the two is short: then the other alone decides.

    Args:
        fetch: Coroutine function that waits. It must not block the event loop.
        compute: Function that computes; of a module if `pool` has processes.
        items: One argument per fetch. An item is read when a fetch can begin.
        pool: Who computes, as a `ProcessPoolExecutor`. It stays open.
        max_fetching: Ceiling on fetches in flight, 1 or more.
        max_computing: Ceiling on calls given to the pool, 1 or more: its workers.
        max_ready: Ceiling on what is fetched and lies ready, 1 or more. When it is
            reached, each fetch that ends waits with its result in hand.

    Returns:
        One result per item, in the order of `items`.

    Raises:
        ValueError: If a ceiling is below 1. No item is read.
        TypeError: If a ceiling is not a whole number.
        ExceptionGroup: What fetches, calls or reading an item raised. The first
            failure cancels the other fetches and drops the calls not yet sent to a
            worker. A call that computes is not stopped: it ends first. One that ends as cancelled
            though nobody cancelled it is a failure, with a `RuntimeError`.
        CancelledError: If the caller is cancelled. What is in flight ends likewise.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> async def fetch(number: int) -> str:
        ...     await asyncio.sleep(0)
        ...     return str(number)
        >>> with ThreadPoolExecutor(2) as pool:
        ...     asyncio.run(fetch_then_compute(
        ...         fetch, len, [7, 42], pool=pool, max_fetching=10, max_computing=2
        ...     ))
        [1, 2]

    Source:
        [Executing code in thread or process pools](https://docs.python.org/3/library/asyncio-eventloop.html#executing-code-in-thread-or-process-pools)
        in the Python documentation.
    """
    refuse_below_1(max_fetching=max_fetching, max_computing=max_computing, max_ready=max_ready)
    todo = enumerate(items)  # shared by the fetching tasks: each takes the next item
    ready: asyncio.Queue[tuple[int, Fetched] | None] = asyncio.Queue(max_ready)
    results: dict[int, Result] = {}
    fetching = max_fetching

    async def keep_fetching() -> None:
        nonlocal fetching
        for number, item in todo:
            await ready.put((number, await uncancelled(fetch(item))))
        fetching -= 1
        if not fetching:
            for _ in range(max_computing):
                await ready.put(None)  # no more to come

    async def keep_computing() -> None:
        while (taken := await ready.get()) is not None:
            number, fetched = taken
            results[number] = await uncancelled(end_of(pool.submit(compute, fetched)))

    async with asyncio.TaskGroup() as group:
        for _ in range(max_fetching):
            group.create_task(keep_fetching())
        for _ in range(max_computing):
            group.create_task(keep_computing())
    return [results[number] for number in range(len(results))]


def refuse_below_1(**ceilings: int) -> None:
    """Name the ceiling that is none."""
    for name, ceiling in ceilings.items():
        if operator.index(ceiling) < 1:
            raise ValueError(f"{name} must be 1 or more, got {ceiling}")


async def uncancelled(call: Awaitable[Result]) -> Result:
    """Await a call. Only who cancels this task cancels: neither more nor less comes of the call."""
    task = asyncio.current_task()
    try:
        result = await call
    except asyncio.CancelledError as error:
        if task is None or task.cancelling():
            raise
        raise RuntimeError("it ended as cancelled, and nobody here had cancelled it") from error
    if task is not None and task.cancelling():
        raise asyncio.CancelledError  # the call had swallowed it
    return result


async def end_of(call: Future[Result]) -> Result:
    """Await a call of a pool; if cancelled, drop it, or wait for its end if it has begun."""
    answer, cancelled = asyncio.wrap_future(call), None
    while not answer.done():
        try:
            await asyncio.wait([answer])  # unlike `await answer`, leaves it alone if cancelled
        except asyncio.CancelledError as request:
            cancelled = request
            call.cancel()
    if cancelled is not None:
        _ = answer.cancelled() or answer.exception()  # it has been looked at
        raise cancelled
    return answer.result()
