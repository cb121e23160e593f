"""BackgroundTasks: tasks held, errors told at once, drained or cancelled; and one that vanishes."""

import asyncio
import contextvars
import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_clock import VirtualClockLoop, run_virtually

from examples.async_io.keep_background_tasks import BackgroundTasks
from examples.async_io.keep_background_tasks_broken import begin

Report = tuple[asyncio.Task[Any], BaseException]


def now() -> float:
    """Give the time of the running loop."""
    return asyncio.get_running_loop().time()


async def wait_for_ever() -> None:
    """Wait for what nobody else knows."""
    await asyncio.get_running_loop().create_future()


async def fail(error: BaseException, after_s: float = 0) -> None:
    """Raise after a while."""
    await asyncio.sleep(after_s)
    raise error


def listener(into: list[Any]) -> Callable[[asyncio.Task[Any], BaseException], None]:
    """Give an `on_error` that keeps the errors."""
    return lambda _, error: into.append(error)


def ends(tasks: list[tuple[int, int, bool, int]], deadline: float) -> list[tuple[float, int, str]]:
    """Tell when and how each task is to end."""
    found: list[tuple[float, int, str]] = []
    for number, (begins, takes, fails, cleans_up) in enumerate(tasks):
        if begins + takes < deadline:
            found.append((begins + takes, number, "failed" if fails else "ended"))
        else:
            found.append((deadline + cleans_up, number, "cancelled"))
    return found


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=9),  # begins
            st.integers(min_value=0, max_value=9),  # takes
            st.booleans(),  # fails
            st.integers(min_value=0, max_value=3),  # cleans up
        ),
        max_size=8,
    ),
    st.none() | st.integers(min_value=0, max_value=12),
    st.booleans(),
)
def test_every_task_ends_or_is_cancelled_by_the_deadline(
    tasks: list[tuple[int, int, bool, int]],
    drain: int | None,
    body_fails: bool,  # noqa: FBT001 - hypothesis gives it by position
) -> None:
    """Whatever they do: ended within the drain, else cancelled; each error told when it happens."""
    limit = None if drain is None else drain + 0.5  # never at the same time as an end
    told: list[tuple[float, int]] = []
    ended: list[tuple[float, int, str]] = []

    async def work(number: int) -> None:
        _, takes, fails, cleans_up = tasks[number]
        how = "cancelled"
        try:
            await asyncio.sleep(takes)
            how = "failed" if fails else "ended"
            if fails:
                raise LookupError(number)
        finally:
            if how == "cancelled":
                await asyncio.sleep(cleans_up)
            ended.append((now(), number, how))

    async def main() -> float:
        async with BackgroundTasks(
            drain_s=limit, on_error=lambda _, error: told.append((now(), error.args[0]))
        ) as background:
            for number in sorted(range(len(tasks)), key=lambda number: tasks[number][0]):
                await asyncio.sleep(tasks[number][0] - now())
                background.create_task(work(number))
            if body_fails:
                raise KeyError
        return now()

    async def run() -> float:
        if not body_fails:
            return await main()
        with pytest.raises(KeyError):
            await main()
        return now()

    left_at = run_virtually(run())
    body_ends = max((begins for begins, *_ in tasks), default=0)
    expected = ends(tasks, body_ends + (float("inf") if limit is None else limit))
    assert sorted(ended) == sorted(expected)
    assert sorted(told) == sorted((at, number) for at, number, how in expected if how == "failed")
    assert left_at == max([body_ends, *(at for at, *_ in expected)])


def test_a_task_that_nobody_else_holds_is_held() -> None:
    """After a collection of garbage it is still there, and ends by itself."""

    async def main() -> None:
        async with BackgroundTasks(drain_s=0) as background:
            background.create_task(wait_for_ever())
            await asyncio.sleep(0)
            gc.collect()
            assert len(asyncio.all_tasks()) == 2

    run_virtually(main())


def test_an_ended_task_is_not_held() -> None:
    """Nor is its result."""

    class Answer:
        pass

    async def give() -> Answer:
        return Answer()

    async def main() -> None:
        async with BackgroundTasks(drain_s=1) as background:
            task = weakref.ref(background.create_task(give()))
            answer = weakref.ref(await task())  # type: ignore[misc]
            await asyncio.sleep(0)
            assert (task(), answer()) == (None, None)

    run_virtually(main())


def test_an_error_is_told_at_once_and_once() -> None:
    """With its task, while the body and the other tasks go on; also if somebody awaits it."""
    told: list[tuple[float, str, str]] = []

    def tell(task: asyncio.Task[Any], error: BaseException) -> None:
        told.append((now(), task.get_name(), str(error)))

    async def main() -> None:
        async with BackgroundTasks(drain_s=100, on_error=tell) as background:
            background.create_task(fail(OSError("no disk"), 3), name="write")
            awaited = background.create_task(fail(OSError("no route"), 5), name="send")
            other = background.create_task(asyncio.sleep(50, "done"))
            with pytest.raises(OSError, match="no route"):
                await awaited
            await asyncio.sleep(20)
            assert told == [(3, "write", "no disk"), (5, "send", "no route")]
            assert await other == "done"

    run_virtually(main())
    assert len(told) == 2


def test_without_a_listener_the_loop_is_told() -> None:
    """Its exception handler gets message, error and task."""
    said: list[dict[str, Any]] = []
    error = OSError()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        async with BackgroundTasks(drain_s=1) as background:
            task = background.create_task(fail(error))
        assert said == [{"message": "a background task failed", "exception": error, "task": task}]

    run_virtually(main())


def test_an_error_of_the_listener_is_told_to_the_loop() -> None:
    """And the other tasks are drained all the same."""
    said: list[Any] = []
    ended: list[float] = []

    def listen(*_: object) -> None:
        raise LookupError

    async def work() -> None:
        await asyncio.sleep(5)
        ended.append(now())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.append(type(context["exception"])))
        async with BackgroundTasks(drain_s=10, on_error=listen) as background:
            background.create_task(fail(OSError()))
            background.create_task(work())

    run_virtually(main())
    assert (said, ended) == ([LookupError], [5])


class FalseError(Exception):
    """An error that an `if` takes for none."""

    def __bool__(self) -> bool:
        """Say no."""
        return False


class StopEverything(BaseException):
    """No ordinary error."""


@pytest.mark.parametrize(
    "error", [FalseError(), StopEverything(), GeneratorExit(), StopAsyncIteration()], ids=repr
)
def test_no_error_is_taken_for_none(error: BaseException) -> None:
    """Falsy, no `Exception`, or the end of something else."""
    told: list[BaseException] = []

    async def main() -> None:
        async with BackgroundTasks(drain_s=1, on_error=listener(told)) as background:
            background.create_task(fail(error))
            background.create_task(fail(error))

    run_virtually(main())
    assert [one is error for one in told] == [True, True]


def test_cancelling_a_task_is_no_error_and_a_stray_cancellation_is() -> None:
    """The first was asked for, and the second is work that was not done."""
    told: list[BaseException] = []

    async def main() -> None:
        async with BackgroundTasks(drain_s=1, on_error=listener(told)) as background:
            background.create_task(wait_for_ever()).cancel()
            running = background.create_task(wait_for_ever())
            await asyncio.sleep(1)
            running.cancel()
            await asyncio.sleep(1)
            assert told == []
            background.create_task(fail(asyncio.CancelledError()))

    run_virtually(main())
    assert [type(error) for error in told] == [RuntimeError]


def test_tasks_may_begin_others_while_they_drain() -> None:
    """The same deadline holds for those."""
    ended: list[float] = []

    async def main() -> None:
        async def work(rounds: int) -> None:
            await asyncio.sleep(3)
            ended.append(now())
            if rounds:
                background.create_task(work(rounds - 1))

        async with BackgroundTasks(drain_s=7) as background:
            background.create_task(work(5))
        assert now() == 7

    run_virtually(main())
    assert ended == [3, 6]


def test_a_task_that_is_cancelled_may_begin_no_other() -> None:
    """It is told so, and what it brought is closed."""
    told: list[BaseException] = []

    async def main() -> None:
        async def work() -> None:
            try:
                await wait_for_ever()
            finally:
                background.create_task(wait_for_ever())

        async with BackgroundTasks(drain_s=1, on_error=listener(told)) as background:
            background.create_task(work())

    run_virtually(main())
    assert ["async with statement" in str(error) for error in told] == [True]


def test_a_second_cancellation_does_not_disturb_the_cleaning_up() -> None:
    """The caller is cancelled three times; the task once, and it is awaited."""
    seen: list[str] = []

    async def work() -> None:
        try:
            await wait_for_ever()
        finally:
            await asyncio.sleep(10)
            seen.append("cleaned up")

    async def serve() -> None:
        async with BackgroundTasks(drain_s=100) as background:
            background.create_task(work())
            await wait_for_ever()

    async def main() -> None:
        caller = asyncio.create_task(serve())
        for _ in range(3):  # the body; the drain, at 1; the wait for the end, at 2
            await asyncio.sleep(1)
            caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        assert (seen, now()) == (["cleaned up"], 12)

    run_virtually(main())


def test_a_time_limit_around_it_ends_the_drain() -> None:
    """It becomes a TimeoutError, once, and no request to cancel is left behind."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5), BackgroundTasks(drain_s=100) as background:
                background.create_task(wait_for_ever())
        assert now() == 5
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_virtually(main())


def test_a_task_that_delays_its_cancellation_is_awaited() -> None:
    """Even one that swallows it."""
    ended: list[float] = []

    async def work() -> None:
        try:
            await wait_for_ever()
        except asyncio.CancelledError:
            await asyncio.sleep(30)
            ended.append(now())

    async def main() -> None:
        async with BackgroundTasks(drain_s=2) as background:
            background.create_task(work())

    run_virtually(main())
    assert ended == [32]


def test_gives_name_and_context_to_the_task() -> None:
    """As `asyncio.create_task` does."""
    variable = contextvars.ContextVar("variable", default="default")

    async def read() -> str:
        return variable.get()

    async def main() -> None:
        variable.set("the caller's")
        async with BackgroundTasks(drain_s=1) as background:
            own = background.create_task(read(), name="reader", context=contextvars.Context())
            copied = background.create_task(read())
        assert (own.get_name(), own.result()) == ("reader", "default")
        assert copied.result() == "the caller's"

    run_virtually(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks_change_nothing() -> None:
    """One has ended, another has failed, before `create_task` returns."""
    told: list[BaseException] = []

    async def end() -> str:
        return "at once"

    async def fail_at_once() -> None:
        raise OSError

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with BackgroundTasks(drain_s=1, on_error=listener(told)) as background:
            ended = background.create_task(end())
            background.create_task(fail_at_once())
            background.create_task(wait_for_ever())
        assert ended.result() == "at once"

    run_virtually(main())
    assert [type(error) for error in told] == [OSError]


def test_refuses_tasks_before_and_after() -> None:
    """And closes the coroutine, which would warn otherwise."""

    async def main() -> None:
        background = BackgroundTasks(drain_s=1)
        with pytest.raises(RuntimeError, match="async with"):
            background.create_task(wait_for_ever())
        async with background:
            pass
        with pytest.raises(RuntimeError, match="async with"):
            background.create_task(wait_for_ever())

    run_virtually(main())


@pytest.mark.parametrize("drain_s", [-1, -0.5, float("nan")])
def test_refuses_a_negative_drain(drain_s: float) -> None:
    """Refused naming the bound and the value."""
    with pytest.raises(ValueError, match=f"0 or more, or None, got {drain_s}"):
        BackgroundTasks(drain_s=drain_s)


def test_refuses_what_is_no_number_and_what_is_no_coroutine() -> None:
    """At the call, each."""
    wrong: Any = "5"
    with pytest.raises(TypeError):
        BackgroundTasks(drain_s=wrong)

    async def main() -> None:
        function: Any = wait_for_ever
        async with BackgroundTasks(drain_s=1) as background:
            with pytest.raises(TypeError, match="must be a coroutine, got"):
                background.create_task(function)

    run_virtually(main())


def test_the_broken_task_vanishes() -> None:
    """Two tasks, one collection of garbage, one task; the loop says what happened."""
    said: list[str] = []

    async def main() -> None:
        handler = lambda _, context: said.append(context["message"])  # noqa: E731 - as on the page
        asyncio.get_running_loop().set_exception_handler(handler)
        begin(wait_for_ever())
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 2
        gc.collect()
        assert len(asyncio.all_tasks()) == 1

    run_virtually(main())
    assert said == ["Task was destroyed but it is pending!"]


def test_the_broken_task_is_cut_off_at_the_end() -> None:
    """Nobody waits for it."""
    ended: list[bool] = []

    async def work() -> None:
        await asyncio.sleep(1)
        ended.append(True)

    async def main() -> None:
        begin(work())
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(main())
    assert ended == []
