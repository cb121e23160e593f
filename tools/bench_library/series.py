"""What is measured of a way, in a process of its own; what came of it is emitted as a record."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psutil
from calls import FAILING, WAIT_S
from journal import LOOK_S, TAKEN, Seen, is_settled, note, pulling, read, settle
from ways import LIST, OURS, PLAIN, STREAM, Task, Way, outcome_of

from measured.records import emit
from measured.sampling import Sampler, sample

WAITS = 2_000
MILLION = 1_000_000
SOME = 5_000
FEW = 20
WARM_UP = 1_000
AFTER_S = 2.0
EVERY = 10_000
MEGABYTE = 1e6

Record = dict[str, Any]
Call = Callable[[int], Any]
Hook = Callable[[int], Any]
"""Is called after each result that was taken, with how many these are."""


class LeftError(Exception):
    """The consumer leaves."""


def never(_: int) -> None:
    """Do nothing after a result."""


async def nothing(_: int) -> None:
    """Do nothing after a result."""


def take(way: Way, call: Call, items: Iterable[int], hook: Hook = never) -> list[Any]:
    """Take all results of a way, and note each."""
    if way.form == LIST:
        return [outcome_of(result) for result in way.run(call, items)]
    taken = []
    with way.run(call, items) as results:
        held = [results]
        del results  # so that a loop that is left drops its iterator, as everybody's does
        for result in held.pop():
            note(TAKEN)
            taken.append(outcome_of(result))
            hook(len(taken))
    return taken


async def take_in_asyncio(
    way: Way, call: Call, items: Iterable[int], hook: Hook = nothing
) -> list[Any]:
    """Take all results of a way, and note each."""
    if way.form == LIST:
        return list(await way.run(call, items))
    taken = []
    async with way.run(call, items) as results:
        async for result in results:
            note(TAKEN)
            taken.append(result)
            await hook(len(taken))
    return taken


def take_of(task: Task, way: Way, call: Call, items: Iterable[int]) -> list[Any]:
    """Take all results, in asyncio or not."""
    if task.in_asyncio:
        return asyncio.run(take_in_asyncio(way, call, items))
    return take(way, call, items)


def drain(task: Task, way: Way, call: Call, items: Iterable[int]) -> None:
    """Take all results and drop them."""
    if task.in_asyncio:
        asyncio.run(drain_in_asyncio(way, call, items))
    elif way.form == LIST:
        way.run(call, items)
    else:
        with way.run(call, items) as results:
            deque(results, maxlen=0)


async def drain_in_asyncio(way: Way, call: Call, items: Iterable[int]) -> None:
    """Take all results and drop them."""
    if way.form == LIST:
        await way.run(call, items)
        return
    async with way.run(call, items) as results:
        async for _ in results:
            pass


def cost(task: Task, way: Way) -> Record:
    """Measure what an item costs, in seconds of the clock and of all CPUs."""

    def repeat(times: int) -> None:
        for _ in range(times):
            if way.form == PLAIN:
                asyncio.run(way.run(task.items))
            else:
                drain(task, way, task.calls.give_back, range(task.items))

    sampler, first = Sampler.of_pairs(), sample(repeat, 1)
    taken = sampler.take(repeat, sampler.calls_for(repeat, first.wall_s, 1))
    return {
        "wall_s": taken.wall_s / task.items,
        "cpu_s": taken.cpu_s / task.items,
        "pressure": taken.pressure,
    }


def overlap(task: Task, way: Way) -> Record:
    """Measure how near waits come to running `limit` at a time, all the time: 1 is the best."""
    drain(task, way, task.calls.wait, range(way.limit))
    taken = sample(lambda _: drain(task, way, task.calls.wait, range(WAITS)), 1)
    return {"overlap": WAITS * WAIT_S / (way.limit * taken.wall_s)}


def order(task: Task, way: Way) -> Record:
    """Tell whether the results come in the order of the items, though the first is slow."""
    items = range(min(300, task.items))
    values = take_of(task, way, task.calls.last_first, items)
    return {"in_order": values == list(items), "complete": sorted(values) == list(items)}


def ahead(task: Task, way: Way) -> Record:
    """Count the inputs pulled ahead of a consumer that takes some results and stops."""
    items, call = pulling(range(SOME)), task.calls.noted

    def idle(taken: int) -> None:
        if taken == FEW:
            settle()
            raise LeftError

    async def idle_in_asyncio(taken: int) -> None:
        if taken == FEW:
            await settle_in_asyncio()
            raise LeftError

    if way.form == LIST:
        take_of(task, way, call, items)
        seen = read()
        return {"ahead": seen.most_waiting, "most_running": seen.most_running}
    try:
        if task.in_asyncio:
            asyncio.run(take_in_asyncio(way, call, items, idle_in_asyncio))
        else:
            take(way, call, items, idle)
    except* LeftError:
        seen = read()
    else:
        raise RuntimeError("it ended before twenty results were taken")
    return {"ahead": seen.most_ahead, "most_running": seen.most_running}


async def settle_in_asyncio() -> Seen:
    """Wait until nothing is noted any more, and read."""
    sizes: list[int] = []
    while not is_settled(sizes):  # noqa: ASYNC110 - of a file
        await asyncio.sleep(LOOK_S)
    return read()


def is_failure(error: BaseException) -> bool:
    """Tell whether an error is that of the failing item, alone or in a group."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_failure, error.exceptions))
    return isinstance(error, ValueError) and error.args == (FAILING,)


def story(how: str, then: Seen, later: Seen) -> Record:
    """Tell what ran when a map had ended, and what began afterwards."""
    return {
        "how": how,
        "begun": then.begun,
        "running": then.running,
        "afterwards": later.begun - then.begun,
        "of": SOME,
    }


def told(values: list[Any]) -> str:
    """Tell how a failure was told, if the map did not raise it."""
    return "an outcome" if any(map(is_failure, filter(is_error, values))) else "not told"


def is_error(value: object) -> bool:
    """Tell whether a value is an exception."""
    return isinstance(value, BaseException)


def failure(task: Task, way: Way) -> Record:
    """Let a call fail: how is it told, and what runs when it is?"""
    items, call = pulling(range(SOME)), task.calls.fail

    async def in_asyncio() -> Record:
        try:
            how = told(await take_in_asyncio(way, call, items))
        except Exception as error:
            if not is_failure(error):
                raise
            how = "raised"
        return story(how, read(), await settle_in_asyncio())

    if task.in_asyncio:
        return asyncio.run(in_asyncio())
    try:
        how = told(take(way, call, items))
    except Exception as error:
        if not is_failure(error):
            raise
        how = "raised"
    return story(how, read(), settle())


def leaving(task: Task, way: Way) -> Record:
    """Leave the loop, or cancel what awaits the list: what still runs?"""
    items, call = pulling(range(SOME)), task.calls.noted

    def leave(taken: int) -> None:
        if taken == FEW:
            raise LeftError

    async def leave_in_asyncio(taken: int) -> None:
        leave(taken)

    async def in_asyncio() -> Record:
        consumer = asyncio.create_task(take_in_asyncio(way, call, items, leave_in_asyncio))
        while way.form == LIST and not read().begun > FEW:  # noqa: ASYNC110 - of a file
            await asyncio.sleep(0.001)
        if way.form == LIST:
            consumer.cancel()
        await asyncio.wait([consumer])
        if not consumer.cancelled() and not isinstance(consumer.exception(), LeftError):
            consumer.result()
        return story("left", read(), await settle_in_asyncio())

    if task.in_asyncio:
        return asyncio.run(in_asyncio())
    with suppress(LeftError):
        take(way, call, items, leave)
    return story("left", read(), settle())


def crash(task: Task, way: Way) -> Record:
    """Let a worker die: how many of the other results are there?"""
    items = range(min(SOME, task.items))
    taken: list[Any] = []
    how = ""
    try:
        taken = take(way, task.calls.crash, items)
    except Exception as error:  # noqa: BLE001 - each way has its own
        how = type(error).__name__
    good = sum(isinstance(value, int) for value in taken)
    return {"raised": how, "good": good, "of": len(items) - 1}


def apart(task: Task, way: Way) -> Record:
    """Count the processes that did the calls."""
    return {"processes": len(set(take(way, task.calls.who, range(FEW)))), "of": FEW}


def child(task: Task, way: Way) -> Record:
    """Let a worker start a program and die: does the program run on when the map has ended?"""
    take(way, task.calls.leave_child, range(1))
    try:
        process = psutil.Process(int(task.calls.CHILD.read_text(encoding="ascii")))
        process.wait(AFTER_S)
    except psutil.NoSuchProcess:
        return {"left": False}
    except psutil.TimeoutExpired:
        process.kill()
        return {"left": True}
    return {"left": False}


def memory(task: Task, way: Way) -> Record:
    """Measure by how much this process grows on a million items."""
    process = psutil.Process()
    drain(task, way, task.calls.forget, range(WARM_UP))
    before = most = process.memory_info().rss

    def look(number: int) -> None:
        nonlocal most
        if number % EVERY == 0:
            most = max(most, process.memory_info().rss)

    def looking() -> Iterator[int]:
        for item in range(MILLION):
            look(item)
            yield item

    if way.form == STREAM:
        way = looked_at(task, way, look)
    drain(task, way, task.calls.forget, looking())
    look(MILLION)
    return {"grown_mb": (most - before) / MEGABYTE}


def looked_at(task: Task, way: Way, look: Callable[[int], None]) -> Way:
    """Look while the results are taken, too."""

    @contextmanager
    def run(call: Call, items: Iterable[int]) -> Iterator[Iterator[Any]]:
        with way.run(call, items) as results:
            yield (look(number) for number, _ in enumerate(results))

    @asynccontextmanager
    async def run_in_asyncio(call: Call, items: Iterable[int]) -> AsyncIterator[Any]:
        async with way.run(call, items) as results:

            async def each() -> AsyncIterator[Any]:
                number = 0
                async for _ in results:
                    number += 1
                    look(number)
                    yield None

            yield each()

    return Way(way.name, run_in_asyncio if task.in_asyncio else run, way.package, STREAM)


MEASURES: dict[str, Callable[[Task, Way], Record]] = {
    one.__name__: one
    for one in (
        cost,
        overlap,
        order,
        ahead,
        failure,
        leaving,
        crash,
        apart,
        child,
        memory,
    )
}


def measure(task: Task, place: int, name: str) -> None:
    """Measure one thing of the way at a place of a task."""
    way = task.ways[place]
    try:
        found = MEASURES[name](task, way)
    except Exception as error:  # noqa: BLE001 - that it cannot be done is what was found out
        found = {"error": f"{type(error).__name__}: {error}"}
    emit({"kind": "found", "measure": name, **found})


def tell(tasks: dict[str, Task]) -> None:
    """Tell which tasks there are, and which ways of doing each."""
    for name, task in tasks.items():
        emit(
            {
                "kind": "task",
                "name": name,
                "title": task.title,
                "items": task.items,
                "measures": task.measures,
                "ways": [way.title for way in task.ways],
                "ours": [way.package == OURS for way in task.ways],
            }
        )
