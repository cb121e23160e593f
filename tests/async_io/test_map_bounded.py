"""map_bounded and stream_bounded: order, ceiling, reading ahead, no survivors, what is kept."""

import asyncio
import contextvars
import gc
import heapq
import itertools
import sys
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import aclosing, suppress
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_clock import run_virtually

from examples.async_io.map_bounded import map_bounded, stream_bounded
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
def test_is_map_under_a_ceiling(suspensions: list[int], limit: int, fails: int | None) -> None:
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

    main = check(map_bounded(call, enumerate(suspensions), limit=limit))
    if fails is None or fails >= len(suspensions):
        assert asyncio.run(main) == list(map(str, suspensions))
        assert calls.begun == len(suspensions)
    else:
        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(main)
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
    assert calls.highest <= limit
    assert calls.running == 0


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_fills_the_ceiling_and_never_passes_it(limit: int) -> None:
    """The barrier opens only for a full house, and the peak is counted."""
    calls = Calls()

    async def main() -> None:
        full = asyncio.Barrier(limit)

        async def call(_: int) -> None:
            with calls:
                await full.wait()

        await map_bounded(call, range(30), limit=limit)

    asyncio.run(check(main()))

    assert calls.highest == limit
    assert calls.ended == 30


def test_has_no_more_tasks_than_calls_in_flight() -> None:
    """A thousand items, three calls, the reader and the caller; three items, no more than three."""
    tasks: set[int] = set()

    async def call(_: int) -> None:
        await asyncio.sleep(0)
        tasks.add(len(asyncio.all_tasks()))

    asyncio.run(check(map_bounded(call, range(1_000), limit=3)))
    assert max(tasks) <= 5

    tasks.clear()
    asyncio.run(check(map_bounded(call, range(3), limit=1_000_000)))
    assert max(tasks) <= 5


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
        asyncio.run(check(map_bounded(call, items(), limit=4)))

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
            await map_bounded(call, range(10), limit=2)
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
        asyncio.run(check(map_bounded(call, range(10), limit=2)))

    assert begun == [0, 1]


def test_a_cancelled_caller_leaves_nothing_running() -> None:
    """It ends as cancelled once, when the calls in flight have ended."""
    calls = Calls()

    async def call(_: int) -> None:
        with calls:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        caller = asyncio.create_task(map_bounded(call, range(10), limit=3))
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
        asyncio.run(check(map_bounded(call, range(5), limit=2)))

    (error,) = caught.value.exceptions
    assert isinstance(error, RuntimeError)


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
        asyncio.run(check(map_bounded(call, items(), limit=2)))

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
        assert await map_bounded(call, range(7), limit=3) == [60 // (n - 7) for n in range(7)]
        assert calls.highest <= 3
        for first in (7, 6):
            with pytest.raises(ExceptionGroup) as caught:
                await map_bounded(call, range(first, 40), limit=3)
            assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]

    asyncio.run(check(main()))


@pytest.mark.parametrize("way", [map_bounded, stream_bounded])
@pytest.mark.parametrize("limit", [0, -1])
def test_refuses_a_ceiling_below_one(way: Any, limit: int) -> None:  # noqa: ANN401 - both
    """Refused at the call, naming the value, and no item is read."""
    items = iter([1])

    with pytest.raises(ValueError, match=f"limit must be 1 or more, got {limit}"):
        way(asyncio.sleep, items, limit=limit)

    assert list(items) == [1]


@pytest.mark.parametrize("way", [map_bounded, stream_bounded])
@pytest.mark.parametrize(("items", "limit"), [([], 2.5), ([], "3"), (7, 3)])
def test_refuses_what_is_no_number_and_no_items(way: Any, items: Any, limit: Any) -> None:  # noqa: ANN401 - so it is
    """Refused at the call, though it returns something to await."""
    with pytest.raises(TypeError):
        way(asyncio.sleep, items, limit=limit)


class Schedule(NamedTuple):
    """What calls do, how they are read and how the results are taken."""

    waits: list[int]
    limit: int
    ordered: bool
    is_async: bool
    fails: int | None
    leaves: int | None
    pace: int


schedules = st.builds(
    Schedule,
    st.lists(st.integers(0, 5), max_size=12),
    st.integers(1, 5),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 12),
    st.none() | st.integers(1, 12),
    st.integers(0, 3),
)


class Played:
    """One schedule, played: what was read, begun, ended and handed over, checked all along."""

    def __init__(self, schedule: Schedule) -> None:
        """Begin with nothing."""
        self.schedule = schedule
        self.calls = Calls()
        self.read = 0
        self.found: list[int] = []
        self.failed = False

    def items(self) -> Iterator[int]:
        """Give the numbers, never more ahead than promised."""
        for number in range(len(self.schedule.waits)):
            assert not self.failed, "read on after a failure"
            self.read += 1
            assert self.read - len(self.found) <= self.schedule.limit
            yield number

    async def items_async(self) -> AsyncIterator[int]:
        """Give them slowly."""
        for number in self.items():
            await asyncio.sleep(number % 3)
            yield number

    async def call(self, number: int) -> int:
        """Wait, and fail if this is the one."""
        assert not self.failed, "begun after a failure"
        with self.calls:
            await asyncio.sleep(self.schedule.waits[number])
            if number == self.schedule.fails:
                asyncio.get_running_loop().call_soon(self.fail)
                raise LookupError(number)
            return number

    def fail(self) -> None:
        """Say so a turn of the loop later, as the stream learns of it."""
        self.failed = True

    async def play(self) -> None:
        """Take the results, each in its time, and leave where the schedule says."""
        items = self.items_async() if self.schedule.is_async else self.items()
        stream = stream_bounded(
            self.call, items, limit=self.schedule.limit, ordered=self.schedule.ordered
        )
        async with aclosing(stream):
            async for number in stream:
                self.found.append(number)
                if len(self.found) == self.schedule.leaves:
                    break
                await asyncio.sleep(self.schedule.pace)
        assert self.calls.running == 0  # also those of a stream that was left


@settings(max_examples=1_000)
@given(schedules)
def test_stream_keeps_its_promises(schedule: Schedule) -> None:
    """Whatever the times: results as map's, nothing ahead, nothing left, the one error."""
    played = Played(schedule)
    error: ExceptionGroup[Exception] | None = None
    try:
        run_virtually(played.play())
    except ExceptionGroup as group:
        error = group
    count, found = len(schedule.waits), played.found

    assert played.calls.running == 0
    assert played.calls.highest <= schedule.limit
    assert len(set(found)) == len(found)
    if schedule.ordered:
        assert found == list(range(len(found)))
    if error is not None:
        assert [type(one) for one in error.exceptions] == [LookupError]
        assert played.failed
        assert schedule.fails not in found
    elif len(found) == schedule.leaves:
        assert schedule.fails not in found
    else:
        assert sorted(found) == list(range(count))
        assert not played.failed


@given(st.lists(st.integers(0, 5)), st.integers(1, 7), st.booleans())
def test_the_list_takes_as_long_as_the_best_order_of_starts(
    waits: list[int],
    limit: int,
    is_async: bool,  # noqa: FBT001 - hypothesis fills it in
) -> None:
    """Each item begins when the first of `limit` is free: no wait is added."""

    async def numbers() -> AsyncIterator[int]:
        for wait in waits:
            yield wait

    async def main() -> None:
        async def call(wait: int) -> int:
            await asyncio.sleep(wait)
            return wait

        items: Any = numbers() if is_async else waits
        assert await map_bounded(call, items, limit=limit) == waits
        free = [0] * limit
        for wait in waits:
            heapq.heapreplace(free, free[0] + wait)
        assert asyncio.get_running_loop().time() == max(free)

    run_virtually(main())


class Counted:
    """Something that can be referred to weakly."""


class Fresh:
    """Twenty new objects, sync or async, of which it keeps none."""

    def __init__(self) -> None:
        """Begin."""
        self.left = 20

    def __iter__(self) -> "Fresh":
        """Give itself."""
        return self

    def __next__(self) -> Counted:
        """Give one."""
        self.left -= 1
        if self.left < 0:
            raise StopIteration
        return Counted()


class FreshAsync(Fresh):
    """The same, async."""

    def __aiter__(self) -> "FreshAsync":
        """Give itself."""
        return self

    async def __anext__(self) -> Counted:
        """Give one."""
        for item in self:
            return item
        raise StopAsyncIteration


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("source", [Fresh, FreshAsync])
@pytest.mark.parametrize("limit", [1, 3])
def test_keeps_nothing_of_what_it_handed_over(
    *, source: type[Fresh], limit: int, ordered: bool
) -> None:
    """A call that returns its item: dead when the consumer has dropped it."""

    async def call(item: Counted) -> Counted:
        await asyncio.sleep(0)
        return item

    async def main() -> None:
        taken = 0
        async for result in stream_bounded(call, source(), limit=limit, ordered=ordered):
            reference = weakref.ref(result)
            del result
            assert reference() is None
            await asyncio.sleep(1)
            taken += 1
        assert taken == 20

    run_virtually(main())


def test_in_order_a_slow_call_holds_back_what_was_pulled_after_it() -> None:
    """No more than the limit is pulled while the first waits; as they finish, the others go on."""

    async def main(*, ordered: bool) -> list[int]:
        pulled = 0

        def items() -> Iterator[int]:
            nonlocal pulled
            for number in range(6):
                pulled += 1
                yield number

        async def call(number: int) -> int:
            await asyncio.sleep(0 if number else 1)
            return number

        async def look() -> None:
            await asyncio.sleep(0.5)
            assert pulled == (3 if ordered else 6)

        looking = asyncio.create_task(look())
        found = [one async for one in stream_bounded(call, items(), limit=3, ordered=ordered)]
        await looking
        return found

    assert run_virtually(main(ordered=True)) == [0, 1, 2, 3, 4, 5]
    assert run_virtually(main(ordered=False)) == [1, 2, 3, 4, 5, 0]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_slow_input_does_not_hold_back_results(*, ordered: bool) -> None:
    """Each comes when its call has ended, though the next item is an hour away."""

    async def items() -> AsyncIterator[int]:
        for number in range(3):
            yield number
            await asyncio.sleep(3600)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stream = stream_bounded(asyncio.sleep, items(), limit=5, ordered=ordered)
        assert [loop.time() async for _ in stream] == [0, 3601, 7202]

    run_virtually(main())


def test_results_that_stood_before_a_failure_are_handed_over_first() -> None:
    """Two have ended while the consumer was away, the third failed: two results, one error."""

    async def call(number: int) -> int:
        await asyncio.sleep(number)
        if number == 2:
            raise LookupError
        return number

    async def main() -> None:
        found = []

        async def consume() -> None:
            async for number in stream_bounded(call, range(9), limit=4):
                found.append(number)
                await asyncio.sleep(10)

        with pytest.raises(ExceptionGroup) as caught:
            await consume()
        assert found == [0, 1]
        assert not isinstance(caught.value.__context__, LookupError)  # it is told once
        assert [type(error) for error in caught.value.exceptions] == [LookupError]

    run_virtually(main())


@pytest.mark.parametrize("last", [False, True])
def test_a_stray_cancellation_does_not_look_like_the_end(*, last: bool) -> None:
    """A call, or the reading, is cancelled while the consumer is away: no result is missing."""

    async def items() -> AsyncIterator[int]:
        yield 0
        yield 1
        if not last:
            await asyncio.sleep(3600)

    async def call(number: int) -> int:
        await asyncio.sleep(number)
        if number and last:
            raise asyncio.CancelledError
        return number

    async def main() -> None:
        stream = stream_bounded(call, items(), limit=3)
        assert await anext(stream) == 0
        await asyncio.sleep(10)
        if not last:
            assert await anext(stream) == 1
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(10)
        with pytest.raises(ExceptionGroup) as caught:
            await anext(stream)
        assert [type(error) for error in caught.value.exceptions] == [RuntimeError]

    run_virtually(main())


@pytest.mark.parametrize("raises", [False, True])
def test_leaving_the_loop_cancels_and_awaits_the_calls(*, raises: bool) -> None:
    """With `aclosing` they have ended, clean-up and all, before the next line."""
    ended: list[int] = []

    async def call(number: int) -> int:
        try:
            await asyncio.sleep(number)
        except asyncio.CancelledError:
            await asyncio.sleep(5)
            ended.append(number)
            raise
        return number

    async def main() -> None:
        async with aclosing(stream_bounded(call, itertools.count(), limit=3)) as stream:
            async for _ in stream:
                if raises:
                    raise KeyError
                break
        assert sorted(ended) == [1, 2]

    if raises:
        with pytest.raises(KeyError):
            run_virtually(main())
        assert sorted(ended) == [1, 2]
    else:
        run_virtually(main())


@pytest.mark.parametrize("closes", [False, True])
def test_is_cancelled_again_while_it_cleans_up(*, closes: bool) -> None:
    """Each call is cancelled once, has ended, and the consumer is cancelled once."""
    cancellations = 0

    async def call(number: int) -> None:
        nonlocal cancellations
        try:
            await asyncio.sleep(3600 if number else 0)
        except asyncio.CancelledError:
            cancellations += 1
            await asyncio.sleep(10)
            raise

    async def consume() -> None:
        stream = stream_bounded(call, itertools.count(), limit=3)
        await anext(stream)
        await (stream.aclose() if closes else anext(stream))

    async def main() -> None:
        consumer = asyncio.create_task(consume())
        for _ in range(5):
            await asyncio.sleep(1)
            consumer.cancel()
        assert not consumer.done()
        await asyncio.wait([consumer])
        assert consumer.cancelled()
        assert len(asyncio.all_tasks()) == 1
        assert cancellations == (2 if closes else 3)

    run_virtually(main())


def test_a_clean_up_that_fails_is_told_to_the_one_who_leaves() -> None:
    """The error of a call's clean-up goes out of `aclose`."""

    async def call(number: int) -> None:
        try:
            await asyncio.sleep(number)
        except asyncio.CancelledError:
            raise OSError from None

    async def main() -> None:
        stream = stream_bounded(call, range(2), limit=2)
        await anext(stream)
        with pytest.raises(ExceptionGroup) as caught:
            await stream.aclose()
        assert [type(error) for error in caught.value.exceptions] == [OSError]

    run_virtually(main())


def test_cancelled_again_a_clean_up_that_fails_is_still_told() -> None:
    """Its error goes out, and no task keeps one that nobody has looked at."""
    unseen: list[object] = []

    async def call(_: int) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(10)
            raise OSError

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: unseen.append(said))
        mapping = asyncio.create_task(map_bounded(call, range(2), limit=2))
        for _ in range(2):
            await asyncio.sleep(1)
            mapping.cancel()
        await asyncio.wait([mapping])
        errors = mapping.exception()
        assert isinstance(errors, ExceptionGroup)
        assert [type(error) for error in errors.exceptions] == [OSError, OSError]
        gc.collect()

    run_virtually(main())
    assert unseen == []


@pytest.mark.parametrize("fails", [False, True])
def test_an_input_that_keeps_its_cancellation_to_itself_is_left(*, fails: bool) -> None:
    """It gives one more item, no call begins for that, and it all ends."""
    begun: list[int] = []

    async def items() -> AsyncIterator[int]:
        for number in itertools.count():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1)
            yield number

    async def call(number: int) -> None:
        begun.append(number)
        if fails and number == 2:
            raise OSError

    async def main() -> None:
        source = items()
        async with asyncio.timeout(3600):
            try:
                async with aclosing(stream_bounded(call, source, limit=5)) as stream:
                    for _ in range(3):
                        await anext(stream)
            except* OSError:
                assert fails
        assert begun == [0, 1, 2]
        assert len(asyncio.all_tasks()) == 1
        await source.aclose()

    run_virtually(main())


def test_each_call_has_its_own_context() -> None:
    """What one sets, no other sees; what the caller set, all see."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def call(number: int) -> str:
        seen = variable.get()
        variable.set(str(number))
        await asyncio.sleep(0)
        return seen

    async def main() -> None:
        variable.set("caller")
        assert await map_bounded(call, range(5), limit=2) == ["caller"] * 5

    run_virtually(main())


def test_a_call_that_is_no_coroutine_function_is_an_error() -> None:
    """Also one that raises what would end an iteration."""

    def stop(_: int) -> Any:  # noqa: ANN401 - never
        raise StopIteration

    async def main() -> None:
        for call in (stop, abs):
            with pytest.raises(ExceptionGroup):
                await map_bounded(call, [1, 2], limit=2)

    run_virtually(main())


def test_broken_one_has_a_task_for_every_item() -> None:
    """Three calls run, and a thousand tasks exist."""
    calls = Calls()
    tasks: set[int] = set()

    async def call(_: int) -> None:
        with calls:
            tasks.add(len(asyncio.all_tasks()))
            await asyncio.sleep(0)

    asyncio.run(map_with_semaphore(call, range(1_000), limit=3))

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
            await map_with_semaphore(call, range(10), limit=2)
        survivors = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(survivors)

    asyncio.run(main())

    assert begun == list(range(10))
