"""LoopThread: errors, time limits, Ctrl-C, threads, contexts, other loops, and its end."""

import asyncio
import contextvars
import gc
import inspect
import math
import os
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.async_io import run_from_sync
from examples.async_io.run_from_sync import LoopThread
from examples.async_io.run_from_sync_broken import LoopThread as BrokenLoopThread
from faults import run_fault

only_posix = pytest.mark.skipif(os.name != "posix", reason="Windows sends no such signals")
LIMIT_S = 20
number = contextvars.ContextVar("number", default=-1)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Look for threads when the test is over."""
    before = set(threading.enumerate())
    yield
    assert {one for one in threading.enumerate() if not one.daemon} <= before


async def give(value: Any) -> Any:  # noqa: ANN401 - anything
    """Return it, or raise it."""
    await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


async def wait_for_ever() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


async def other_tasks() -> list[str]:
    """Name the tasks of the loop, without this one and the loop's own."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    names = [str(task.get_coro()) for task in tasks]
    return [name for name in names if "Event.wait" not in name]


# Results, errors, threads


class Falsy(Exception):  # noqa: N818 - so it is
    """An error that is not there, if asked carelessly."""

    def __bool__(self) -> bool:
        """Say no."""
        return False


ERRORS = [LookupError, Falsy, StopAsyncIteration, TimeoutError, SystemExit, KeyboardInterrupt]


@given(st.lists(st.lists(st.integers() | st.sampled_from(ERRORS), max_size=5), max_size=4))
def test_each_caller_gets_what_its_coroutine_gave(rows: list[list[Any]]) -> None:
    """In several threads at once, errors as values; the loop goes on after each."""

    def call(row: list[Any]) -> list[Any]:
        given: list[Any] = []
        for value in row:
            try:
                given.append(loop_thread.run(give(value() if isinstance(value, type) else value)))
            except BaseException as error:  # noqa: BLE001 - compared below
                given.append(type(error))
        return given

    with LoopThread() as loop_thread, ThreadPoolExecutor(4) as executor:
        assert list(executor.map(call, rows)) == rows
        assert loop_thread.run(other_tasks()) == []


def test_an_error_has_the_line_that_raised_it() -> None:
    """Its traceback leads from the caller into the coroutine."""

    async def fail() -> None:
        raise LookupError  # this line

    with LoopThread() as loop_thread, pytest.raises(LookupError) as caught:
        loop_thread.run(fail())
    told = "".join(traceback.format_exception(caught.value))
    assert "# this line" in told
    assert "loop_thread.run(fail())" in told


def test_calls_from_several_threads_are_on_the_loop_together() -> None:
    """They meet at a barrier of the loop, which only all of them open."""
    barrier = asyncio.Barrier(3)

    async def meet() -> tuple[int, str]:
        place: int = await barrier.wait()
        return place, threading.current_thread().name

    with LoopThread() as loop_thread, ThreadPoolExecutor(3) as executor:
        calls = [executor.submit(loop_thread.run, meet(), timeout_s=LIMIT_S) for _ in range(3)]
        places = [call.result(LIMIT_S) for call in calls]
    assert sorted(place for place, _ in places) == [0, 1, 2]
    assert {name for _, name in places} == {"LoopThread"}


def test_what_a_call_leaves_lives_on_until_the_next() -> None:
    """A background task goes on between two calls, on the same loop."""
    seen: asyncio.Queue[int] = asyncio.Queue()
    held = set()

    async def begin() -> None:
        async def work() -> None:
            for step in range(3):
                await asyncio.sleep(0)
                seen.put_nowait(step)

        held.add(asyncio.create_task(work()))

    with LoopThread() as loop_thread:
        loop_thread.run(begin())
        assert [loop_thread.run(seen.get(), timeout_s=LIMIT_S) for _ in range(3)] == [0, 1, 2]


def test_the_callers_context_is_carried_and_not_changed() -> None:
    """Each call sees what its own thread has set, and sets for itself alone."""

    async def change() -> int:
        await asyncio.sleep(0)
        was = number.get()
        number.set(99)
        return was

    def call(mine: int) -> tuple[int, int]:
        number.set(mine)
        return loop_thread.run(change()), number.get()

    with LoopThread() as loop_thread, ThreadPoolExecutor(2) as executor:
        assert list(executor.map(call, range(6))) == [(mine, mine) for mine in range(6)]


def test_a_result_is_not_kept() -> None:
    """It is gone when the caller lets go of it, without the collector."""

    class Big:
        pass

    gc.disable()
    try:
        with LoopThread() as loop_thread:
            big = weakref.ref(loop_thread.run(give(Big())))
            loop_thread.run(give(None))  # the loop has let go of its last call
            assert big() is None
    finally:
        gc.enable()


# Where another loop runs


def test_it_works_while_another_loop_runs_in_the_thread() -> None:
    """As in a cell of a notebook, where `asyncio.run` refuses."""

    async def cell() -> int:
        nothing = give(0)
        with pytest.raises(RuntimeError, match="running event loop"):
            asyncio.run(nothing)
        nothing.close()
        with LoopThread() as loop_thread:
            result: int = loop_thread.run(give(5))
        await asyncio.sleep(0)  # the other loop goes on
        return result

    assert asyncio.run(cell()) == 5


def test_two_of_them_may_call_each_other() -> None:
    """A coroutine on one runs a coroutine on the other."""

    async def ask(other: LoopThread) -> Any:  # noqa: ANN401 - anything
        return other.run(give("answer"))

    with LoopThread() as one, LoopThread() as other:
        assert one.run(ask(other), timeout_s=LIMIT_S) == "answer"


def test_its_own_loop_is_refused_its_worker_threads_are_not() -> None:
    """On its own loop it would wait for itself; a thread of the loop's executor may."""

    async def nest() -> str:
        inner = give(1)
        with pytest.raises(RuntimeError, match="would wait for itself"):
            loop_thread.run(inner)
        assert inspect.getcoroutinestate(inner) == inspect.CORO_CLOSED
        result: str = await asyncio.to_thread(loop_thread.run, give("from a worker"))
        return result

    with LoopThread() as loop_thread:
        assert loop_thread.run(nest(), timeout_s=LIMIT_S) == "from a worker"


def test_a_loop_of_another_kind() -> None:
    """The factory's loop runs the coroutine, and is closed at the end."""

    class Loop(asyncio.SelectorEventLoop):
        pass

    async def which() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    with LoopThread(loop_factory=Loop) as loop_thread:
        loop = loop_thread.run(which())
        assert type(loop) is Loop
    assert loop.is_closed()


# Time limits


def test_a_time_limit_cancels_and_waits() -> None:
    """The clean-up has ended when the error arrives, and no task is left."""
    steps: list[str] = []

    async def work() -> None:
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(0.01)
            steps.append("cleaned up")

    with LoopThread() as loop_thread:
        with pytest.raises(TimeoutError):
            loop_thread.run(work(), timeout_s=0.01)
        assert steps == ["cleaned up"]
        assert loop_thread.run(other_tasks()) == []


@pytest.mark.parametrize("outcome", ["a result", OSError])
def test_what_a_coroutine_makes_of_its_time_limit_counts(outcome: Any) -> None:  # noqa: ANN401 - as give
    """As with `asyncio.timeout`: what it returns or raises instead reaches the caller."""

    async def work() -> Any:  # noqa: ANN401 - anything
        try:
            await wait_for_ever()
        except asyncio.CancelledError:
            return await give(outcome if isinstance(outcome, str) else outcome())

    with LoopThread() as loop_thread:
        if isinstance(outcome, str):
            assert loop_thread.run(work(), timeout_s=0) == outcome
        else:
            with pytest.raises(outcome):
                loop_thread.run(work(), timeout_s=0)


def test_a_coroutine_that_ends_as_cancelled_by_itself() -> None:
    """The caller gets an `Exception`, not what would cancel a task that it runs in."""
    with LoopThread() as loop_thread, pytest.raises(CancelledError):
        loop_thread.run(give(asyncio.CancelledError()))


# Ctrl-C

INTERRUPT = """
import asyncio, os, signal
from examples.async_io.run_from_sync import LoopThread

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent ignores

async def press(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)
"""


@only_posix
def test_ctrl_c_cancels_and_waits() -> None:
    """A real SIGINT: the clean-up has ended when it goes out, once; the loop is of use after."""
    printed = run_fault(
        INTERRUPT
        + """
async def work():
    try:
        await press()
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0.01)
        print("cleaned up")

with LoopThread() as loop_thread:
    try:
        loop_thread.run(work())
    except KeyboardInterrupt:
        print("interrupted")
    print(loop_thread.run(asyncio.sleep(0, "next")))
"""
    )
    assert printed.splitlines() == ["cleaned up", "interrupted", "next"]


@only_posix
def test_a_second_ctrl_c_ends_the_waiting_and_the_end_awaits() -> None:
    """A clean-up that hangs does not hold the caller; it is cancelled when all ends."""
    printed = run_fault(
        INTERRUPT
        + """
async def work():
    await press()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        try:
            await press()
            await asyncio.get_running_loop().create_future()
        finally:
            print("gave up cleaning")

with LoopThread() as loop_thread:
    try:
        loop_thread.run(work())
    except KeyboardInterrupt:
        print("interrupted")
print("end")
"""
    )
    assert printed.splitlines() == ["interrupted", "gave up cleaning", "end"]


@only_posix
def test_an_error_of_the_clean_up_is_not_lost() -> None:
    """It goes out in place of the interruption, as from `asyncio.run`."""
    printed = run_fault(
        INTERRUPT
        + """
async def work():
    await press()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        raise OSError("not rolled back")

with LoopThread() as loop_thread:
    for run in (asyncio.run, loop_thread.run):
        try:
            run(work())
        except OSError as error:
            print(error)
"""
    )
    assert printed.splitlines() == ["not rolled back", "not rolled back"]


def test_wherever_it_is_interrupted_nothing_goes_on() -> None:
    """At each line of `run` once: no task is left, none runs on, and the loop is of use."""
    began = ended = 0

    async def work() -> None:
        nonlocal began, ended
        began += 1
        try:
            await wait_for_ever()
        finally:
            ended += 1

    def interrupt_at(line: int) -> Callable[..., Any]:
        passed = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 - a tracer
            nonlocal passed
            if frame.f_code.co_filename != run_from_sync.__file__:
                return trace if event == "call" else None
            passed += event == "line"
            if event == "line" and passed == line:
                raise KeyboardInterrupt
            return trace

        return trace

    with LoopThread() as loop_thread:
        before = sys.gettrace()
        for line in range(1, 60):
            coro = work()
            sys.settrace(interrupt_at(line))
            try:
                loop_thread.run(coro, timeout_s=0.01 if line % 2 else 0)
            except (KeyboardInterrupt, TimeoutError) as error:
                sys.settrace(before)
                interrupted = isinstance(error, KeyboardInterrupt)
            coro.close()  # if it came before it was taken over
            assert loop_thread.run(other_tasks()) == []
            assert began == ended
            if not interrupted:
                break
        assert line > 20
        assert not interrupted


# Its end


def test_the_end_cancels_and_awaits_what_is_left() -> None:
    """Tasks that calls left behind, asynchronous generators, and the default executor."""
    steps: list[str] = []
    held: list[Any] = []
    go_on = threading.Event()

    async def clean_up(name: str) -> None:
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(0.01)
            steps.append(name)
            go_on.set()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0.01)
            steps.append("generator")

    async def leave() -> None:
        held.append(asyncio.create_task(clean_up("task")))
        held.append(numbers())
        await anext(held[1])
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, lambda: steps.append(f"executor {go_on.wait(LIMIT_S)}"))

    with LoopThread() as loop_thread:
        loop_thread.run(leave())
    assert sorted(steps) == ["executor True", "generator", "task"]
    assert held[0].cancelled()


def test_the_end_cancels_calls_of_other_threads() -> None:
    """They get an error when they have cleaned up, and so do calls that come too late."""
    begun = threading.Event()
    steps: list[str] = []

    async def come_late() -> None:
        steps.append("late")

    late = come_late()

    async def work() -> None:
        begun.set()
        try:
            await wait_for_ever()
        finally:
            with suppress(asyncio.CancelledError):  # asyncio makes its own of it
                await asyncio.to_thread(loop_thread.run, late)
            steps.append("cleaned up")

    with ThreadPoolExecutor(1) as executor:
        with LoopThread() as loop_thread:
            call = executor.submit(loop_thread.run, work())
            assert begun.wait(LIMIT_S)
        assert steps == ["cleaned up"]
        with pytest.raises(CancelledError):
            call.result(LIMIT_S)
    assert inspect.getcoroutinestate(late) == inspect.CORO_CLOSED


def test_a_call_that_the_end_overtakes() -> None:
    """The loop closes while the call is on its way: it never begins, and says so."""
    with ThreadPoolExecutor(1) as executor:
        with LoopThread() as loop_thread:
            loop = loop_thread._loop  # to hold the call up
            on_its_way, go_on = threading.Event(), threading.Event()
            call_soon_threadsafe = loop.call_soon_threadsafe

            def hold_up(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - handed on
                if threading.current_thread() is not threading.main_thread():
                    on_its_way.set()
                    assert go_on.wait(LIMIT_S)
                return call_soon_threadsafe(*args, **options)

            vars(loop)["call_soon_threadsafe"] = hold_up
            coro = give("never")
            call = executor.submit(loop_thread.run, coro)
            assert on_its_way.wait(LIMIT_S)
        go_on.set()
        with pytest.raises(CancelledError):
            call.result(LIMIT_S)
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_an_error_of_the_body_goes_out() -> None:
    """And all is closed."""
    with pytest.raises(KeyError), LoopThread() as loop_thread:
        raise KeyError
    assert_refused(loop_thread)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_task_that_ends_the_loop(kind: type[BaseException]) -> None:
    """Calls are cancelled, later ones refused, and the `with` statement raises what it was."""

    async def spawn() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(give(kind(7)))
            await wait_for_ever()

    loop_thread = LoopThread().__enter__()
    with pytest.raises((CancelledError, kind)):
        loop_thread.run(spawn())
    loop_thread._thread.join(LIMIT_S)  # its end is near
    assert_refused(loop_thread)
    with pytest.raises(kind, match="7"):
        loop_thread.__exit__()


# Refused


def assert_refused(loop_thread: LoopThread) -> None:
    """See that it runs nothing, and that the coroutine is closed."""
    coro = give(1)
    with pytest.raises(RuntimeError, match="only in its with statement"):
        loop_thread.run(coro)
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_outside_of_the_with_statement_it_refuses() -> None:
    """Before it and after it; nor can it be entered again, in it or after it."""
    loop_thread = LoopThread()
    assert_refused(loop_thread)
    with loop_thread, pytest.raises(RuntimeError, match="only once"):
        loop_thread.__enter__()
    assert_refused(loop_thread)
    with pytest.raises(RuntimeError, match="only once"):
        loop_thread.__enter__()


@pytest.mark.parametrize("timeout_s", [-1, -0.001, math.nan, -math.inf])
def test_a_time_limit_below_0_is_refused(timeout_s: float) -> None:
    """With its value; the coroutine is closed."""
    coro = give(1)
    with LoopThread() as loop_thread, pytest.raises(ValueError, match=f"0 or more.*{timeout_s}"):
        loop_thread.run(coro, timeout_s=timeout_s)
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


@pytest.mark.parametrize("coro", [give, None, 5])
def test_what_is_no_coroutine_is_refused(coro: Any) -> None:  # noqa: ANN401 - anything
    """A function that was not called, say."""
    with LoopThread() as loop_thread, pytest.raises(TypeError, match="must be a coroutine, got"):
        loop_thread.run(coro)


# The broken one


def test_the_broken_ones_time_limit_ends_only_the_waiting() -> None:
    """The caller is told that it failed, and then the card is charged."""
    steps: list[str] = []
    told, charged = threading.Event(), threading.Event()

    async def charge() -> None:
        await asyncio.to_thread(told.wait, LIMIT_S)
        steps.append("charged")
        charged.set()

    broken = BrokenLoopThread()
    with pytest.raises(TimeoutError):
        broken.run(charge(), timeout_s=0.01)
    steps.append("told")
    told.set()
    assert charged.wait(LIMIT_S)
    assert steps == ["told", "charged"]
    broken.run(stop_executor())


async def stop_executor() -> None:
    """End the threads that the test used."""
    await asyncio.get_running_loop().shutdown_default_executor()


def test_the_broken_one_ends_in_the_middle() -> None:
    """No task is cancelled when the program ends; LoopThread's are."""
    script = """
import asyncio
from examples.async_io.{module} import LoopThread

held = []

async def begin():
    async def write():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            print("flushed")
    held.append(asyncio.create_task(write()))
    await asyncio.sleep(0)

{use}
"""

    def end(module: str, use: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script.format(module=module, use=use)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=True,
        ).stdout

    assert end("run_from_sync_broken", "LoopThread().run(begin())") == ""
    assert end("run_from_sync", "with LoopThread() as it: it.run(begin())") == "flushed\n"
