"""map_bounded: order, ceiling, reading ahead, no survivors, refusal; and one task per item."""

import asyncio
import itertools
import sys
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.async_io.map_bounded import map_bounded
from examples.async_io.map_bounded_broken import map_with_semaphore

Result = TypeVar("Result")


async def check(main: Coroutine[Any, Any, Result]) -> Result:
    """Await `main`, not for ever, and see that no task is left."""
    async with asyncio.timeout(10):
        result = await main
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return result


class Calls:
    """Count the calls begun, in flight and ended, and keep the highest count in flight."""

    def __init__(self) -> None:
        """Start with none."""
        self.begun = self.running = self.highest = self.ended = 0

    def __enter__(self) -> None:
        """Count one more."""
        self.begun += 1
        self.running += 1
        self.highest = max(self.highest, self.running)

    def __exit__(self, *failure: object) -> None:
        """Count one less."""
        self.running -= 1
        self.ended += 1


@given(
    st.lists(st.integers(min_value=0, max_value=5)),
    st.integers(min_value=1, max_value=7),
    st.none() | st.integers(min_value=0, max_value=20),
)
def test_is_map_under_a_ceiling(
    suspensions: list[int], max_running: int, fails: int | None
) -> None:
    """Whatever the items, the ceiling and the failure: the results or that error."""
    calls = Calls()

    async def call(item: tuple[int, int]) -> str:
        number, turns = item
        with calls:
            for _ in range(turns):
                await asyncio.sleep(0)
            if number == fails:
                raise LookupError
            return str(turns)

    main = check(map_bounded(call, enumerate(suspensions), max_running=max_running))
    if fails is None or fails >= len(suspensions):
        assert asyncio.run(main) == list(map(str, suspensions))
        assert calls.begun == len(suspensions)
    else:
        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(main)
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
    assert calls.highest <= max_running
    assert calls.running == 0


@pytest.mark.parametrize("max_running", [1, 3, 10])
def test_fills_the_ceiling_and_never_passes_it(max_running: int) -> None:
    """The barrier opens only for a full house, and the peak is counted."""
    calls = Calls()

    async def main() -> None:
        full = asyncio.Barrier(max_running)

        async def call(_: int) -> None:
            with calls:
                await full.wait()

        await map_bounded(call, range(30), max_running=max_running)

    asyncio.run(check(main()))

    assert calls.highest == max_running
    assert calls.ended == 30


def test_has_no_more_tasks_than_calls_in_flight() -> None:
    """A thousand items, three tasks and the caller; three items, no more than three."""
    tasks: set[int] = set()

    async def call(_: int) -> None:
        await asyncio.sleep(0)
        tasks.add(len(asyncio.all_tasks()))

    asyncio.run(check(map_bounded(call, range(1_000), max_running=3)))
    assert max(tasks) == 4

    tasks.clear()
    asyncio.run(check(map_bounded(call, range(3), max_running=1_000_000)))
    assert max(tasks) == 4


def test_reads_an_item_only_when_a_call_can_begin() -> None:
    """An endless input, cut short by an error, is never more than the ceiling ahead."""
    calls = Calls()
    ahead: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            ahead.append(number + 1 - calls.ended)
            yield number

    async def call(item: int) -> None:
        with calls:
            await asyncio.sleep(0)
            if item == 100:
                raise LookupError

    with pytest.raises(ExceptionGroup):
        asyncio.run(check(map_bounded(call, items(), max_running=4)))

    assert max(ahead) == 4
    assert calls.begun <= 104


def test_a_failure_cancels_the_calls_in_flight_and_begins_no_other() -> None:
    """The one beside it has cleaned up when the error arrives."""
    begun: list[int] = []
    ended: list[int] = []

    async def call(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise KeyError
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            ended.append(item)

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await map_bounded(call, range(10), max_running=2)
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        assert (begun, ended) == ([0, 1], [0])

    asyncio.run(check(main()))


def test_a_call_that_keeps_its_cancellation_to_itself_is_the_last() -> None:
    """It returns as if nothing were, and still no other begins."""
    begun: list[int] = []

    async def call(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise KeyError
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    with pytest.raises(ExceptionGroup):
        asyncio.run(check(map_bounded(call, range(10), max_running=2)))

    assert begun == [0, 1]


def test_a_cancelled_caller_leaves_nothing_running() -> None:
    """It ends as cancelled once, when the calls in flight have ended."""
    calls = Calls()

    async def call(_: int) -> None:
        with calls:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        caller = asyncio.create_task(map_bounded(call, range(10), max_running=3))
        for _ in range(3):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        assert (calls.begun, calls.ended) == (3, 3)

    asyncio.run(check(main()))


def test_a_stray_cancellation_is_a_failure() -> None:
    """Nobody cancelled the call, so its result must not be missing in silence."""

    async def call(item: int) -> int:
        if item == 2:
            raise asyncio.CancelledError
        return item

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(check(map_bounded(call, range(5), max_running=2)))

    (error,) = caught.value.exceptions
    assert isinstance(error, RuntimeError)
    assert isinstance(error.__cause__, asyncio.CancelledError)


@pytest.mark.parametrize("good", [0, 1, 5])
def test_items_that_fail_are_an_error(good: int) -> None:
    """At once, or after some: no result, and the error of the items."""

    def items() -> Iterator[int]:
        yield from range(good)
        raise OSError

    async def call(item: int) -> int:
        await asyncio.sleep(0)
        return item

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(check(map_bounded(call, items(), max_running=2)))

    assert [type(error) for error in caught.value.exceptions] == [OSError]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_eager_tasks_change_nothing() -> None:
    """Results, ceiling and error are the same if a call begins as soon as its task is made."""
    calls = Calls()

    async def call(item: int) -> int:
        with calls:
            if item % 2:
                await asyncio.sleep(0)
            return 60 // (item - 7)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        assert await map_bounded(call, range(7), max_running=3) == [60 // (n - 7) for n in range(7)]
        assert calls.highest <= 3
        for first in (7, 6):
            with pytest.raises(ExceptionGroup) as caught:
                await map_bounded(call, range(first, 40), max_running=3)
            assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]

    asyncio.run(check(main()))


@pytest.mark.parametrize("max_running", [0, -1])
def test_refuses_a_ceiling_below_one(max_running: int) -> None:
    """Refused naming the value, and no item is read."""
    items = iter([1])

    with pytest.raises(ValueError, match=f"1 or more, got {max_running}"):
        asyncio.run(check(map_bounded(asyncio.sleep, items, max_running=max_running)))

    assert list(items) == [1]


@pytest.mark.parametrize("max_running", [2.5, "3"])
def test_refuses_a_ceiling_that_is_no_whole_number(max_running: Any) -> None:  # noqa: ANN401 - so it is
    """Refused before anything begins."""
    with pytest.raises(TypeError):
        asyncio.run(check(map_bounded(asyncio.sleep, [], max_running=max_running)))


def test_broken_one_has_a_task_for_every_item() -> None:
    """Three calls run, and a thousand tasks exist."""
    calls = Calls()
    tasks: set[int] = set()

    async def call(_: int) -> None:
        with calls:
            tasks.add(len(asyncio.all_tasks()))
            await asyncio.sleep(0)

    asyncio.run(map_with_semaphore(call, range(1_000), max_running=3))

    assert calls.highest == 3
    assert max(tasks) == 1_001


def test_broken_one_goes_on_after_a_failure() -> None:
    """The caller has its error, and every other call still begins."""
    begun: list[int] = []

    async def call(item: int) -> None:
        begun.append(item)
        await asyncio.sleep(0)
        if item == 0:
            raise KeyError

    async def main() -> None:
        with pytest.raises(KeyError):
            await map_with_semaphore(call, range(10), max_running=2)
        survivors = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(survivors)

    asyncio.run(main())

    assert begun == list(range(10))
