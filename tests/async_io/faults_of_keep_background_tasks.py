"""What can go wrong around BackgroundTasks: each case runs in a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from examples.async_io.keep_background_tasks import BackgroundTasks
from fault_cases import Falsy, cancel_at, faces, raises, stubborn


class Other(BaseException):
    """No Exception."""


@faces(16, 17)
def tasks_fail_at_once() -> None:
    """Each error is reported once; nothing is "never retrieved"."""
    told = []

    async def fail(error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    async def main() -> None:
        def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            told.append(type(context["exception"]).__name__)

        asyncio.get_running_loop().set_exception_handler(handle)
        async with BackgroundTasks(drain_s=10) as background:
            for error in (Falsy(), Other(), StopAsyncIteration(), GeneratorExit()):
                background.create_task(fail(error))
            background.create_task(fail(StopIteration()))  # which Python makes a RuntimeError

    asyncio.run(main())
    assert told == ["Falsy", "Other", "StopAsyncIteration", "GeneratorExit", "RuntimeError"]


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call."""
    raises(ValueError, lambda: BackgroundTasks(drain_s=-1))
    raises(TypeError, lambda: BackgroundTasks(drain_s="x"))  # type: ignore[arg-type]


@faces(19)
def cancelled_at_any_turn() -> None:
    """In the start, the wait, the clean-up of a stubborn task, with a limit in time around."""

    async def swallow() -> None:
        with suppress(asyncio.CancelledError):
            await stubborn()

    async def serve() -> None:
        async with asyncio.timeout(50), BackgroundTasks(drain_s=0.01) as background:
            for _ in range(3):
                background.create_task(swallow())
                await asyncio.sleep(0)

    for turn in range(6):
        asyncio.run(cancel_at(turn, serve()))


@faces(20)
def generator_abandoned() -> None:
    """A task leaves one unfinished: loop and interpreter end without a word."""
    held, closed = [], []

    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    async def work() -> None:
        held.append(numbers())
        async for _ in held[0]:
            break

    async def main() -> None:
        async with BackgroundTasks(drain_s=10) as background:
            background.create_task(work())

    asyncio.run(main())
    assert closed == ["closed"]
