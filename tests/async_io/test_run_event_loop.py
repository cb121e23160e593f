"""gather_or_cancel: order, overlap, no survivors, refusal; and what gather leaves behind."""

import asyncio
import inspect
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.async_io.run_event_loop import gather_or_cancel
from examples.async_io.run_event_loop_broken import gather_all

Result = TypeVar("Result")


async def check(main: Coroutine[Any, Any, Result]) -> Result:
    """Await `main`, not for ever, and see that no task is left."""
    async with asyncio.timeout(10):
        result = await main
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return result


async def give(result: Result, suspensions: int = 1) -> Result:
    """Give a result, after so many turns of others."""
    for _ in range(suspensions):
        await asyncio.sleep(0)
    return result


async def wait_for_ever(ended: list[str], name: str = "waiting") -> None:
    """Wait until cancelled, then clean up, which takes a turn of others."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0)
        ended.append(name)


async def fail(error: BaseException, suspensions: int = 1) -> None:
    """Raise an error, after so many turns of others."""
    await give(None, suspensions)
    raise error


@given(st.lists(st.tuples(st.integers(), st.integers(min_value=0, max_value=5))))
def test_results_keep_the_order_of_the_arguments(expected: list[tuple[int, int]]) -> None:
    """Whoever ends first."""
    coroutines = [give(result, suspensions) for result, suspensions in expected]

    assert asyncio.run(check(gather_or_cancel(*coroutines))) == [result for result, _ in expected]


def test_all_run_at_once() -> None:
    """Each waits for all the others: only overlap lets any of them pass."""

    async def main() -> None:
        everyone = asyncio.Barrier(5)
        await gather_or_cancel(*(everyone.wait() for _ in range(5)))

    asyncio.run(check(main()))


def test_a_failure_cancels_the_others_and_waits_for_their_end() -> None:
    """Both have cleaned up when the error arrives."""
    ended: list[str] = []

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await gather_or_cancel(
                wait_for_ever(ended, "one"), fail(KeyError()), wait_for_ever(ended, "two")
            )
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        assert sorted(ended) == ["one", "two"]

    asyncio.run(check(main()))


def test_no_error_is_lost() -> None:
    """Two fail in the same turn, and a third while it is cancelled."""

    async def fail_at_the_end() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise OSError

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await gather_or_cancel(fail(KeyError()), fail(ValueError()), fail_at_the_end())
        kinds = {type(error) for error in caught.value.exceptions}
        assert kinds == {KeyError, ValueError, OSError}

    asyncio.run(check(main()))


def test_a_cancelled_caller_leaves_nothing_running() -> None:
    """It ends as cancelled once, when what it had started has ended."""
    ended: list[str] = []

    async def main() -> None:
        caller = asyncio.create_task(gather_or_cancel(wait_for_ever(ended), wait_for_ever(ended)))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        assert len(ended) == 2

    asyncio.run(check(main()))


def test_a_time_limit_around_it_leaves_nothing_running() -> None:
    """The limit has passed at once; the error comes when all have ended."""
    ended: list[str] = []

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await gather_or_cancel(wait_for_ever(ended), wait_for_ever(ended))
        assert len(ended) == 2

    asyncio.run(check(main()))


def test_a_stray_cancellation_is_a_failure() -> None:
    """Nobody cancelled the coroutine, so the caller must not look cancelled; the others end."""
    ended: list[str] = []

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await gather_or_cancel(fail(asyncio.CancelledError()), wait_for_ever(ended))
        (error,) = caught.value.exceptions
        assert isinstance(error, RuntimeError)
        assert isinstance(error.__cause__, asyncio.CancelledError)
        assert ended == ["waiting"]

    asyncio.run(check(main()))


@pytest.mark.parametrize("kind", [GeneratorExit, BaseException])
def test_no_kind_of_error_is_lost(kind: type[BaseException]) -> None:
    """Not taken for the end of anything."""
    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(check(gather_or_cancel(fail(kind()), give(1))))

    assert [type(error) for error in caught.value.exceptions] == [kind]


def test_nothing_to_run_gives_nothing() -> None:
    """An empty list."""
    assert asyncio.run(check(gather_or_cancel())) == []


def test_refuses_what_is_no_coroutine() -> None:
    """A future is refused and stays as it is; the coroutine beside it is closed, never begun."""

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        beside = give(1)
        with pytest.raises(TypeError, match="takes coroutines, got <Future pending>"):
            await gather_or_cancel(beside, future)  # type: ignore[arg-type]
        assert not future.done()
        assert inspect.getcoroutinestate(beside) == inspect.CORO_CLOSED

    asyncio.run(check(main()))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks_change_nothing() -> None:
    """One fails before the next is a task: its error is there, and nothing is left."""

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        assert await gather_or_cancel(give(1, 0), give(2)) == [1, 2]
        ended: list[str] = []
        with pytest.raises(ExceptionGroup) as caught:
            await gather_or_cancel(wait_for_ever(ended), fail(KeyError(), 0), wait_for_ever(ended))
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        assert ended == ["waiting"]

    asyncio.run(check(main()))


def test_broken_one_leaves_the_others_running() -> None:
    """The caller has its error, and the other goes on to do what nobody waits for."""
    ended: list[str] = []

    async def main() -> None:
        go_on = asyncio.Event()

        async def write_later() -> None:
            await go_on.wait()
            ended.append("written")

        with pytest.raises(KeyError):
            await gather_all(write_later(), fail(KeyError()))
        (survivor,) = asyncio.all_tasks() - {asyncio.current_task()}
        assert not survivor.done()
        go_on.set()
        await survivor

    asyncio.run(main())

    assert ended == ["written"]
