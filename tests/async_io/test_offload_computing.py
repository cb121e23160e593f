"""ComputingCalls: result, where and how many at once, failure, cancellation, refusal."""

import asyncio
import gc
import multiprocessing
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from pickle import PicklingError
from typing import Any, TypeVar

import pytest

from examples.async_io.offload_computing import ComputingCalls
from examples.async_io.offload_computing_broken import compute_elsewhere

Result = TypeVar("Result")
VISIT = "__import__('socket').create_connection(('127.0.0.1', {})).recv(1)"


def check(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main`, not for ever, and see that no task, no process and no unseen error is left."""
    unseen: list[dict[str, Any]] = []

    async def limited() -> Result:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: unseen.append(said))
        async with asyncio.timeout(60):
            result = await main
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()
        return result

    result = asyncio.run(limited())
    assert multiprocessing.active_children() == []
    assert unseen == []
    return result


class Door:
    """Where calls in other processes knock, and wait until they are let go.

    The event loop of this process answers, so it must be free.
    """

    def __init__(self) -> None:
        """Nobody there."""
        self.visit = ""
        self.inside: list[asyncio.StreamWriter] = []
        self.highest = self.visits = 0
        self.changed = asyncio.Condition()

    async def come_in(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count one more."""
        async with self.changed:
            self.inside.append(writer)
            self.visits += 1
            self.highest = max(self.highest, len(self.inside))
            self.changed.notify_all()

    async def let_go(self, number: int) -> None:
        """Wait until so many are inside, and let them go."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.inside) >= number)
            leaving = [self.inside.pop(0) for _ in range(number)]
        for writer in leaving:
            writer.write(b".")
            writer.close()
            await writer.wait_closed()

    async def wait_for_visits(self, number: int) -> None:
        """Wait until so many came."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.visits >= number)


@asynccontextmanager
async def a_door() -> AsyncIterator[Door]:
    """Open a door at a free port."""
    door = Door()
    async with await asyncio.start_server(door.come_in, "127.0.0.1") as server:
        door.visit = VISIT.format(server.sockets[0].getsockname()[1])
        yield door
        assert door.inside == []


async def some_turns() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "start_method", sorted({"spawn", "forkserver"} & {*multiprocessing.get_all_start_methods()})
)
def test_computes_in_another_process(start_method: Any) -> None:  # noqa: ANN401 - what there is
    """With its arguments, by position and by name, whatever the start method."""

    async def main() -> list[int]:
        async with ComputingCalls(workers=1, start_method=start_method) as computing:
            return [await computing.run(int, "11", base=2), await computing.run(os.getpid)]

    three, process = check(main())
    assert three == 3
    assert process != os.getpid()


def test_fills_the_ceiling_and_never_passes_it_while_the_loop_is_free() -> None:
    """This loop lets them go two by two, which it can do only if both are there and it is free."""

    async def main() -> None:
        async with a_door() as door, ComputingCalls(workers=2) as computing:
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(computing.run(eval, door.visit)) for _ in range(4)]
                for _ in range(2):
                    await door.let_go(2)
            assert [call.result() for call in calls] == [b"."] * 4
            assert (door.visits, door.highest) == (4, 2)

    check(main())


class UnpicklesAs:
    """An argument that calls a function when the other process unpickles it."""

    def __init__(self, call: Callable[..., object], *args: object) -> None:
        """Keep what to call."""
        self.call, self.args = call, args

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        """Unpickle as the result of the call."""
        return self.call, self.args


OPEN_BADLY = "type('T', (), {'__reduce__': lambda self: (int, ('twelve',))})()"
ODD_ERROR = "class Odd(Exception):\n  def __init__(self, a, b): ...\nraise Odd(1, 2)"


def test_errors_reach_the_caller_and_the_pool_goes_on() -> None:
    """Raised by the call, on the way there, on the way back; the next call is none the worse."""

    async def main() -> None:
        async with ComputingCalls(workers=1) as computing:
            with pytest.raises(ZeroDivisionError):
                await computing.run(eval, "1 / 0")
            with pytest.raises(ValueError, match="twelve"):  # as the other process unpickles it
                await computing.run(str, UnpicklesAs(int, "twelve"))
            with pytest.raises((PicklingError, AttributeError)):  # as it pickles the result
                await computing.run(eval, "lambda: 1")
            with pytest.raises(ValueError, match="twelve"):  # as this process unpickles the result
                await computing.run(eval, OPEN_BADLY)
            with pytest.raises(RuntimeError, match=r"Odd: \(1, 2\)"):  # it cannot be pickled
                await computing.run(exec, ODD_ERROR)
            assert await computing.run(str.upper, "next") == "NEXT"

    check(main())


@pytest.mark.parametrize("exit_code", [0, 7])
def test_a_process_that_dies_is_an_error_of_its_call_alone(exit_code: int) -> None:
    """The call beside it goes on, and so do later ones. Exit code 0 is a death too."""

    async def main() -> None:
        async with a_door() as door, ComputingCalls(workers=2) as computing:
            beside = asyncio.create_task(computing.run(eval, door.visit))
            await door.wait_for_visits(1)
            with pytest.raises(BrokenProcessPool):
                await computing.run(os._exit, exit_code)
            later = [asyncio.create_task(computing.run(eval, door.visit)) for _ in range(2)]
            await door.let_go(2)
            await door.let_go(1)
            assert [await one for one in (beside, *later)] == [b"."] * 3

    check(main())


def test_a_process_that_dies_between_two_calls_is_replaced() -> None:
    """As the system does it when memory runs out: the next call knows nothing of it."""

    async def main() -> None:
        async with ComputingCalls(workers=1) as computing:
            first = await computing.run(os.getpid)
            (process,) = multiprocessing.active_children()
            process.kill()
            (pool,) = computing._pools
            await asyncio.to_thread(pool._executor_manager_thread.join, 10)
            assert await computing.run(os.getpid) != first

    check(main())


@pytest.mark.parametrize("error", ["", " or 1 / 0"])
def test_a_cancelled_caller_ends_at_once_and_its_process_goes_on(error: str) -> None:
    """The ceiling holds: the next call begins when the process is free. What failed is dropped."""

    async def main() -> None:
        async with a_door() as door, ComputingCalls(workers=1) as computing:
            caller = asyncio.create_task(computing.run(eval, f"{door.visit} and 0{error}"))
            await door.wait_for_visits(1)
            caller.cancel()
            await asyncio.wait([caller])
            assert caller.cancelled()
            later = asyncio.create_task(computing.run(os.getpid))
            await some_turns()
            assert not later.done()
            await door.let_go(1)
            assert await later != os.getpid()
            del caller

    check(main())


def test_a_call_not_begun_is_dropped_at_once() -> None:
    """The only process is taken; who waits behind it never begins."""

    async def main() -> None:
        async with a_door() as door, ComputingCalls(workers=1) as computing:
            first = asyncio.create_task(computing.run(eval, door.visit))
            await door.wait_for_visits(1)
            second = asyncio.create_task(computing.run(eval, door.visit))
            await some_turns()
            second.cancel()
            await asyncio.wait([second])
            assert second.cancelled()
            await door.let_go(1)
            await first
            await computing.run(str)
            assert door.visits == 1

    check(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_leaving_waits_for_what_still_runs_and_holds_no_loop(cancelled: bool) -> None:  # noqa: FBT001 - a case
    """The call's caller has gone; leaving goes on when the door opens, cancelled or not."""

    async def leave(door: Door) -> None:
        async with ComputingCalls(workers=1) as computing:
            caller = asyncio.create_task(computing.run(eval, door.visit))
            await door.wait_for_visits(1)
            caller.cancel()

    async def main() -> None:
        async with a_door() as door:
            leaving = asyncio.create_task(leave(door))
            await door.wait_for_visits(1)
            await some_turns()
            if cancelled:
                leaving.cancel()
                await some_turns()
            assert not leaving.done()
            await door.let_go(1)
            await asyncio.wait([leaving])
            assert leaving.cancelled() == cancelled

    check(main())


def test_refuses_what_cannot_be_sent_and_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lambda has no name to import it by; a lock belongs to this process."""
    monkeypatch.setattr(ProcessPoolExecutor, "submit", pytest.fail)

    async def main() -> None:
        async with ComputingCalls(workers=1) as computing:
            with pytest.raises((PicklingError, AttributeError)):
                await computing.run(lambda: 1)
            with pytest.raises(TypeError, match="pickle"):
                await computing.run(id, threading.Lock())

    check(main())


def test_refuses_a_call_after_the_end() -> None:
    """There is no process any more; and none is started if none was needed."""

    async def main() -> None:
        async with ComputingCalls(workers=1) as computing:
            pass
        for _ in range(2):  # the first refusal gives its place back
            with pytest.raises(RuntimeError, match="has ended"):
                await computing.run(str)

    check(main())


@pytest.mark.parametrize("workers", [0, -1])
def test_refuses_workers_below_one(workers: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {workers}"):
        ComputingCalls(workers=workers)


@pytest.mark.parametrize("workers", [2.5, "3"])
def test_refuses_workers_that_are_no_whole_number(workers: Any) -> None:  # noqa: ANN401 - so it is
    """Refused at the call."""
    with pytest.raises(TypeError):
        ComputingCalls(workers=workers)


@pytest.mark.parametrize("start_method", ["fork", "knife"])
def test_refuses_another_start_method(start_method: Any) -> None:  # noqa: ANN401 - so it is
    """Refused at the call, naming the two."""
    with pytest.raises(ValueError, match=f"spawn or forkserver, got '{start_method}'"):
        ComputingCalls(workers=1, start_method=start_method)


def test_broken_one_holds_the_loop() -> None:
    """Another process computes, and no other task here gets a turn until it is done."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> tuple[int, int]:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            counting = asyncio.create_task(count())
            await asyncio.sleep(0)
            before = turns
            process = await compute_elsewhere(pool, eval, "__import__('os').getpid()")
            during = turns - before
            counting.cancel()
            return process, during

    process, during = asyncio.run(main())
    assert process != os.getpid()
    assert during == 0
