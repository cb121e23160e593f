"""Maps of coroutine functions with a ceiling of `LIMIT` on how many run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from typing import Any

import aiometer
import aiostream
import anyio
import asyncio_calls
from ways import OURS, STREAM, Task, Way

from examples.async_io.map_bounded import map_bounded, stream_bounded

LIMIT = 100
Call = Callable[[int], Awaitable[Any]]
Items = Iterable[int]
Stream = AbstractAsyncContextManager[AsyncIterator[Any]]


async def ours(call: Call, items: Items) -> list[Any]:
    """Return the results in order."""
    return await map_bounded(call, items, limit=LIMIT)


async def gather_with_semaphore(call: Call, items: Items) -> list[Any]:
    """Have a task for each item, and let so many pass."""
    ceiling = asyncio.Semaphore(LIMIT)

    async def one(item: int) -> Any:  # noqa: ANN401 - what the call returns
        async with ceiling:
            return await call(item)

    return await asyncio.gather(*map(one, items))


async def group_with_semaphore(call: Call, items: Items) -> list[Any]:
    """Have a task for each item in a group, and let so many pass."""
    ceiling = asyncio.Semaphore(LIMIT)

    async def one(item: int) -> Any:  # noqa: ANN401 - what the call returns
        async with ceiling:
            return await call(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


async def anyio_limiter(call: Call, items: Items) -> list[Any]:
    """Have a task for each item in a group of anyio, and let so many pass."""
    limiter, results = anyio.CapacityLimiter(LIMIT), {}

    async def one(item: int) -> None:
        async with limiter:
            results[item] = await call(item)

    async with anyio.create_task_group() as group:
        for item in items:
            group.start_soon(one, item)
    return [results[item] for item in sorted(results)]


async def aiometer_run_all(call: Call, items: Items) -> list[Any]:
    """Return the results in order."""
    return await aiometer.run_all([partial(call, item) for item in items], max_at_once=LIMIT)


def ours_as_finished(call: Call, items: Items) -> Stream:
    """Stream the results as the calls finish."""
    return aclosing(stream_bounded(call, items, limit=LIMIT, ordered=False))


def ours_in_order(call: Call, items: Items) -> Stream:
    """Stream the results in order."""
    return aclosing(stream_bounded(call, items, limit=LIMIT, ordered=True))


def as_completed(call: Call, items: Items) -> Stream:
    """Have a task for each item, let so many pass, take each that is done."""
    ceiling = asyncio.Semaphore(LIMIT)

    async def one(item: int) -> Any:  # noqa: ANN401 - what the call returns
        async with ceiling:
            return await call(item)

    async def results() -> AsyncIterator[Any]:
        for done in asyncio.as_completed([asyncio.create_task(one(item)) for item in items]):
            yield await done

    return aclosing(results())


def aiometer_amap(call: Call, items: Items) -> Stream:
    """Stream the results as the calls finish."""
    return aiometer.amap(call, items, max_at_once=LIMIT)


@asynccontextmanager
async def aiostream_map(call: Call, items: Items, *, ordered: bool) -> AsyncIterator[Any]:
    """Stream the results."""
    mapped = aiostream.stream.map(
        aiostream.stream.iterate(items), call, ordered=ordered, task_limit=LIMIT
    )
    async with mapped.stream() as results:
        yield results


MEASURES = ("cost", "overlap", "order", "ahead", "failure", "leaving", "memory")
TASKS = {
    "asyncio_list": Task(
        "asyncio: a list of results",
        [
            Way("map_bounded", ours, OURS),
            Way("gather and a Semaphore", gather_with_semaphore),
            Way("TaskGroup and a Semaphore", group_with_semaphore),
            Way("CapacityLimiter and a task group", anyio_limiter, "anyio"),
            Way("run_all", aiometer_run_all, "aiometer"),
        ],
        100_000,
        MEASURES,
        asyncio_calls,
        in_asyncio=True,
    ),
    "asyncio_finished": Task(
        "asyncio: results as the calls finish",
        [
            Way("stream_bounded(ordered=False)", ours_as_finished, OURS, STREAM),
            Way("as_completed and a Semaphore", as_completed, "", STREAM),
            Way("amap", aiometer_amap, "aiometer", STREAM),
            Way("map(ordered=False)", partial(aiostream_map, ordered=False), "aiostream", STREAM),
        ],
        100_000,
        MEASURES,
        asyncio_calls,
        in_asyncio=True,
    ),
    "asyncio_order": Task(
        "asyncio: a stream of results in order",
        [
            Way("stream_bounded(ordered=True)", ours_in_order, OURS, STREAM),
            Way("map(ordered=True)", partial(aiostream_map, ordered=True), "aiostream", STREAM),
        ],
        100_000,
        MEASURES,
        asyncio_calls,
        in_asyncio=True,
    ),
}
