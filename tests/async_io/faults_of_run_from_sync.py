"""What can go wrong around LoopThread, in a process of its own."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator

from examples.async_io.run_from_sync import LoopThread
from fault_cases import LIMIT_S, Falsy, faces, raises


async def raise_error(error: BaseException) -> None:
    """Raise it."""
    raise error


@faces(17)
def falsy_and_base_errors() -> None:
    """Each goes out as it is, and the loop goes on."""
    with LoopThread() as loop_thread:
        for kind in (Falsy, SystemExit, KeyboardInterrupt, GeneratorExit, StopAsyncIteration):
            error = kind()
            assert raises(kind, lambda: loop_thread.run(raise_error(error))) is error  # noqa: B023 - called at once
        assert loop_thread.run(asyncio.sleep(0, "goes on")) == "goes on"


@faces(9, 19)
def interrupted_while_it_waits() -> None:
    """Ctrl-C cancels the coroutine, awaits its clean-up, and goes out once."""
    steps = []

    async def wait() -> None:
        try:
            steps.append("waits")
            threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
            await asyncio.sleep(LIMIT_S)
        finally:
            await asyncio.sleep(0.05)
            steps.append("cleaned up")

    with LoopThread() as loop_thread:
        raises(KeyboardInterrupt, lambda: loop_thread.run(wait()))
        assert steps == ["waits", "cleaned up"]
        assert loop_thread.run(asyncio.sleep(0, "goes on")) == "goes on"


@faces(19)
def swallowed_cancellation_at_the_time_limit() -> None:
    """A coroutine that goes on after its cancellation is waited for."""

    async def go_on() -> str:
        try:
            await asyncio.sleep(LIMIT_S)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
        return "late"

    with LoopThread() as loop_thread:
        assert loop_thread.run(go_on(), timeout_s=0.01) == "late"


@faces(20)
def generators_and_tasks_left_behind() -> None:
    """The end closes what nobody closed: a generator, a task, the threads of the loop."""
    ended = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append("generator")

    async def task() -> None:
        try:
            await asyncio.sleep(LIMIT_S)
        finally:
            ended.append("task")

    async def leave() -> tuple[object, object]:
        generator, left = numbers(), asyncio.create_task(task())
        await anext(generator)
        await asyncio.to_thread(int)
        return generator, left

    with LoopThread() as loop_thread:
        kept = loop_thread.run(leave())
    assert sorted(ended) == ["generator", "task"]
    del kept
