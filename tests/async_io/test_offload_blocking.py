"""BlockingCalls: result, overlap, context, failure, cancellation, refusal; and its broken twin."""

import asyncio
import gc
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

import pytest

from examples.async_io.offload_blocking import BlockingCalls, outlast
from examples.async_io.offload_blocking_broken import run_in_default_executor

Result = TypeVar("Result")
user: ContextVar[str] = ContextVar("user", default="nobody")


def check(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main`, not for ever, and see that no task, no thread and no unseen error is left."""
    unseen: list[dict[str, Any]] = []

    async def limited() -> Result:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: unseen.append(said))
        async with asyncio.timeout(10):
            result = await main
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()
        return result

    result = asyncio.run(limited())
    assert [thread for thread in threading.enumerate() if "BlockingCalls" in thread.name] == []
    assert unseen == []
    return result


async def some_turns() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Gate:
    """A call that blocks until it is let through, and says where it is."""

    def __init__(self) -> None:
        """Closed, with nobody before it."""
        self.begun, self.open, self.ended = (threading.Event() for _ in range(3))

    def __call__(self) -> str:
        """Wait at the gate."""
        self.begun.set()
        assert self.open.wait(10)
        self.ended.set()
        return "through"

    async def has_begun(self) -> None:
        """Wait, without holding the loop, until somebody is at the gate."""
        await asyncio.to_thread(self.begun.wait, 10)


def test_gives_the_result_of_the_call() -> None:
    """With its arguments, by position and by name."""

    async def main() -> list[object]:
        async with BlockingCalls(max_threads=2) as blocking:
            return [await blocking.run(int, "11", base=2), await blocking.run(str)]

    assert check(main()) == [3, ""]


def test_calls_run_at_the_same_time() -> None:
    """Each waits for all the others: only overlap lets any of them pass."""
    everyone = threading.Barrier(5)

    async def main() -> None:
        async with BlockingCalls(max_threads=5) as blocking:
            await asyncio.gather(*(blocking.run(everyone.wait, 10) for _ in range(5)))

    check(main())


@pytest.mark.parametrize("max_threads", [1, 3])
def test_fills_the_ceiling_and_never_passes_it(max_threads: int) -> None:
    """The barrier opens only for a full house, and the peak is counted."""
    full, lock = threading.Barrier(max_threads), threading.Lock()
    running = highest = 0

    def call() -> None:
        nonlocal running, highest
        with lock:
            running += 1
            highest = max(highest, running)
        full.wait(10)
        with lock:
            running -= 1

    async def main() -> None:
        async with BlockingCalls(max_threads=max_threads) as blocking:
            await asyncio.gather(*(blocking.run(call) for _ in range(6)))

    check(main())

    assert highest == max_threads


def test_the_loop_is_free_meanwhile() -> None:
    """The call ends only because another task opens the gate."""
    gate = Gate()

    async def open_it() -> None:
        await gate.has_begun()
        gate.open.set()

    async def main() -> str:
        async with BlockingCalls(max_threads=1) as blocking, asyncio.TaskGroup() as group:
            group.create_task(open_it())
            return await blocking.run(gate)

    assert check(main()) == "through"


def test_each_call_sees_the_context_of_its_caller() -> None:
    """The second does not see the first one's; what a call sets stays with it."""

    async def main() -> list[str]:
        async with BlockingCalls(max_threads=1) as blocking:
            seen = []
            for name in ("first", "second"):
                user.set(name)
                seen.append(await blocking.run(user.get))
                await blocking.run(user.set, "changed")
            return [*seen, user.get()]

    assert check(main()) == ["first", "second", "second"]


def test_an_error_reaches_the_caller_and_the_threads_go_on() -> None:
    """The next call is none the worse."""

    async def main() -> str:
        async with BlockingCalls(max_threads=1) as blocking:
            with pytest.raises(ValueError, match="twelve"):
                await blocking.run(int, "twelve")
            return await blocking.run(str.upper, "next")

    assert check(main()) == "NEXT"


def test_the_end_of_an_iterator_is_an_error_and_no_hang() -> None:
    """No future can carry it."""

    async def main() -> None:
        async with BlockingCalls(max_threads=1) as blocking:
            with pytest.raises(RuntimeError, match="StopIteration"):
                await blocking.run(next, iter([]))

    check(main())


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancelled_caller_ends_with_its_call(fails: bool) -> None:  # noqa: FBT001 - a case
    """However often it is cancelled, and whatever becomes of the call, which is dropped."""
    gate = Gate()

    def call() -> None:
        gate()
        if fails:
            raise LookupError

    async def main() -> None:
        async with BlockingCalls(max_threads=1) as blocking:
            caller = asyncio.create_task(blocking.run(call))
            await gate.has_begun()
            for _ in range(2):
                caller.cancel()
                await some_turns()
                assert not caller.done()
            gate.open.set()
            await asyncio.wait([caller])
            assert caller.cancelled()
            assert gate.ended.is_set()
            del caller

    check(main())


def test_a_call_not_begun_is_dropped_at_once() -> None:
    """The only thread is at the gate; what waits behind it never begins."""
    gate = Gate()

    async def main() -> None:
        async with BlockingCalls(max_threads=1) as blocking:
            first = asyncio.create_task(blocking.run(gate))
            await gate.has_begun()
            second = asyncio.create_task(blocking.run(pytest.fail, "begun"))
            await some_turns()
            second.cancel()
            await asyncio.wait([second])
            assert second.cancelled()
            gate.open.set()
            assert await first == "through"

    check(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_leaving_waits_for_calls_and_holds_no_loop(cancelled: bool) -> None:  # noqa: FBT001 - a case
    """The gate is opened by another task, when leaving has begun; cancelled or not."""
    gate = Gate()

    async def leave() -> None:
        async with BlockingCalls(max_threads=1) as blocking:
            group.create_task(blocking.run(gate))
            await gate.has_begun()

    async def main() -> None:
        nonlocal group
        async with asyncio.TaskGroup() as group:
            leaving = asyncio.create_task(leave())
            await gate.has_begun()
            await some_turns()
            if cancelled:
                leaving.cancel()
                await some_turns()
            assert not leaving.done()
            gate.open.set()
            await asyncio.wait([leaving])
            assert leaving.cancelled() == cancelled

    group: asyncio.TaskGroup
    check(main())

    assert gate.ended.is_set()


def test_leaving_is_not_dropped_although_it_has_not_begun() -> None:
    """The call that shuts the threads down waits for its thread when the caller is cancelled."""

    async def main() -> None:
        not_begun: Future[None] = Future()
        leaving = asyncio.create_task(outlast(not_begun, droppable=False))
        await some_turns()
        leaving.cancel()
        await some_turns()
        assert not not_begun.cancelled()
        assert not leaving.done()
        not_begun.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            await leaving

    check(main())


def test_refuses_a_call_after_the_end() -> None:
    """There is no thread any more."""

    async def main() -> None:
        async with BlockingCalls(max_threads=1) as blocking:
            pass
        with pytest.raises(RuntimeError, match="after shutdown"):
            await blocking.run(str)

    check(main())


@pytest.mark.parametrize("max_threads", [0, -1])
def test_refuses_a_ceiling_below_one(max_threads: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {max_threads}"):
        BlockingCalls(max_threads=max_threads)


@pytest.mark.parametrize("max_threads", [2.5, "3"])
def test_refuses_a_ceiling_that_is_no_whole_number(max_threads: Any) -> None:  # noqa: ANN401 - so it is
    """Refused at the call."""
    with pytest.raises(TypeError):
        BlockingCalls(max_threads=max_threads)


def test_broken_one_loses_the_context() -> None:
    """The second call does not see its caller's value."""

    async def main() -> str:
        for name in ("first", "second"):
            user.set(name)
            seen = await run_in_default_executor(lambda _: user.get(), None)
        return seen

    assert asyncio.run(main()) != "second"


def test_broken_one_leaves_the_call_running() -> None:
    """Its caller has ended; the call is still at the gate."""
    gate = Gate()

    async def main() -> None:
        caller = asyncio.create_task(run_in_default_executor(lambda _: gate(), None))
        await gate.has_begun()
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        assert not gate.ended.is_set()
        gate.open.set()

    asyncio.run(main())

    assert gate.ended.is_set()  # asyncio.run waited for it
