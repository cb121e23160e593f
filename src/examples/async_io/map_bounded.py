"""Await one call per item, with a ceiling on how many are in flight: as a list, or as a stream.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable
from itertools import count
from operator import index, itemgetter
from typing import Any, TypeVar

__all__ = ["map_bounded", "stream_bounded"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Call = Callable[[Item], Coroutine[Any, Any, Result]]
Items = Iterable[Item] | AsyncIterable[Item]
_producers: set[asyncio.Task[None]] = set()  # a loop alone does not keep its tasks


def map_bounded(
    call: Call[Item, Result], items: Items[Item], *, limit: int
) -> Coroutine[Any, Any, list[Result]]:
    """Await `call(item)` for every item, at most `limit` at a time; give a list in order.

    Use it when a server sets the pace, or when there are too many items to have
    a task for each. Do not use it for calls that block or compute: they hold
    the loop, and run one after the other. For an endless input, or results that
    need not be kept, take `stream_bounded`.

    Order: that of `items`. Back-pressure: at most `limit` items are pulled whose
    calls have not ended. Failure: the first cancels the calls in flight and the
    reading of `items`, and they have ended when it goes out; no call begins later
    than in that turn of the event loop. Cancellation of the caller does the same.
    Memory: results are kept, items are not. Each call is a task of its own, with its
    own copy of the context.

    Args:
        call: Coroutine function of one argument.
        items: One argument per call, sync or async. Reading a sync input must not
            block. An input is not closed.
        limit: Ceiling on calls in flight, 1 or more.

    Returns:
        A coroutine, to be awaited once, that gives one result per item.

    Raises:
        ValueError: At the call, if `limit` is below 1. No item is read.
        TypeError: At the call, if `limit` is not a whole number, or `items` cannot be
            iterated over.
        ExceptionGroup: What calls, or reading `items`, raised, also while they ended.
            A call that ends as cancelled though the map did not cancel it counts as a
            failure, with a `RuntimeError`.
        SystemExit, KeyboardInterrupt: If a call raises it. That ends the event loop, as in
            any task, and who waits for the list may not come to clean up.
        CancelledError: If the caller is cancelled, and no call raised anything else.

    Examples:
        >>> async def double(number: int) -> int:
        ...     await asyncio.sleep(0)
        ...     return 2 * number
        >>> asyncio.run(map_bounded(double, [3, 1, 2], limit=2))
        [6, 2, 4]

    Source:
        [Task groups](https://docs.python.org/3/library/asyncio-task.html#task-groups)
        in the Python documentation.
    """
    numbers = count()

    async def pair(number: int, item: Item) -> tuple[int, Result]:
        return number, await call(item)

    async def collect() -> list[Result]:
        return [result for _, result in sorted([p async for p in pairs], key=itemgetter(0))]

    pairs = stream_bounded(lambda i: pair(next(numbers), i), items, limit=limit, ordered=False)
    return collect()


def stream_bounded(  # noqa: C901, PLR0915 - what it promises takes as much
    call: Call[Item, Result], items: Items[Item], *, limit: int, ordered: bool = True
) -> AsyncGenerator[Result, None]:
    """Stream what `call(item)` returns, with at most `limit` items pulled ahead.

    Use it for long or endless inputs, and for results that are dealt with one by one.
    Do not use it for calls that block or compute.

    Order: that of `items`, or with `ordered=False` as the calls finish. In order, a
    slow call holds back what was pulled after it. Back-pressure: at most `limit` items
    are pulled, and so at most `limit` calls begun, whose results were not handed over;
    a slow consumer holds the input back. Memory: nothing is kept of what was handed
    over. Each call is a task of its own.

    Failure: the first cancels at once the calls in flight and the reading of `items`;
    no call begins later than in that turn of the event loop. Results that stood before
    it are handed over, then it goes out, when all have ended.

    Cleanup: if the consumer is cancelled while it waits for a result, if the generator
    is closed, or if it is dropped, the calls in flight are cancelled and awaited.
    `async with contextlib.aclosing(...)` closes it before the next line runs; after a
    bare `break` the event loop does so soon, at the latest when it ends.

    Args:
        call: Coroutine function of one argument.
        items: One argument per call, endless or not, sync or async. It is read in a
            task of its own. Reading a sync input must not block. An input is not closed.
        limit: Ceiling on items pulled and not handed over, 1 or more.
        ordered: Whether results keep the order of `items`.

    Returns:
        An async generator of results. Nothing runs before the first is asked for.

    Raises:
        ValueError: At the call, if `limit` is below 1. No item is read.
        TypeError: At the call, if `limit` is not a whole number, or `items` cannot be
            iterated over.
        ExceptionGroup: What calls, or reading `items`, raised, also while they ended.
            A call that ends as cancelled though the stream did not cancel it counts as
            a failure, with a `RuntimeError`.
        SystemExit, KeyboardInterrupt: If a call raises it. That ends the event loop, as in
            any task, and who waits for the stream may not come to clean up.

    Examples:
        >>> from contextlib import aclosing
        >>> from itertools import count
        >>> async def double(number: int) -> int:
        ...     await asyncio.sleep(0)
        ...     return 2 * number
        >>> async def main() -> None:
        ...     async with aclosing(stream_bounded(double, count(), limit=10)) as results:
        ...         async for result in results:
        ...             if result > 4:
        ...                 break
        ...             print(result)
        >>> asyncio.run(main())
        0
        2
        4

    Source:
        [Asynchronous generators](https://docs.python.org/3/reference/expressions.html#asynchronous-generator-functions)
        in the Python documentation.
    """
    if index(limit) < 1:
        raise ValueError(f"limit must be 1 or more, got {limit}")
    source = aiter(items) if isinstance(items, AsyncIterable) else iter(items)
    # The queue has all tasks in order, or those that have ended.
    queue, requests = deque[asyncio.Task[Result]](), deque[asyncio.CancelledError](maxlen=1)
    room, changed = asyncio.Semaphore(limit - 1), asyncio.Event()

    async def produce() -> None:
        def begin(item: Item) -> None:
            task = group.create_task(call(item))
            if ordered:
                queue.append(task)
            else:
                task.add_done_callback(queue.append)
            task.add_done_callback(lambda _: changed.set())

        async with asyncio.TaskGroup() as group:
            if isinstance(source, AsyncIterable):
                async for item in source:
                    if (task := asyncio.current_task()) and task.cancelling():
                        raise asyncio.CancelledError  # the input kept it to itself
                    begin(item)
                    del item  # or it lives while this waits
                    await room.acquire()
            else:
                for box in map(lambda item: [item], source):  # noqa: C417 - a generator keeps the item
                    begin(box.pop())
                    await room.acquire()

    async def consume() -> AsyncGenerator[Result, None]:
        producer = asyncio.create_task(produce())
        _producers.add(producer)
        producer.add_done_callback(_producers.discard)
        producer.add_done_callback(lambda _: changed.set())
        try:
            while queue or not producer.done():
                if not (queue and queue[0].done()):
                    changed.clear()
                    await changed.wait()
                elif queue[0].cancelled() or queue[0].exception() is not None:
                    break
                else:
                    room.release()
                    yield queue.popleft().result()
        finally:
            producer.cancel()
            while not producer.done():
                try:
                    await asyncio.wait([producer])
                except asyncio.CancelledError as request:
                    requests.append(request)
            if not producer.cancelled():
                producer.result()
            while requests:
                raise requests.pop()  # an error that this frame held would hold this frame
        if queue or producer.cancelled():
            raise ExceptionGroup("a call failed", [RuntimeError("cancelled, but not by its map")])

    return consume()
