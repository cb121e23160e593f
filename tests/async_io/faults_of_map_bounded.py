"""What can go wrong around map_bounded and its stream: each case runs in a process of its own."""

import asyncio
import gc
import itertools
import traceback
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from examples.async_io.map_bounded import map_bounded, stream_bounded
from fault_cases import Falsy, cancel_at, faces, fails, raises, stubborn


async def drain(stream: Any) -> None:  # noqa: ANN401 - of any kind
    """Take all results."""
    async for _ in stream:
        pass


async def errors_of(call: Any, items: Any, limit: int) -> list[BaseException]:  # noqa: ANN401 - of any kind
    """Give the errors of a map that must fail, when no task is left but this one."""
    group = await fails(BaseExceptionGroup, map_bounded(call, items, limit=limit))
    assert len(asyncio.all_tasks()) == 1
    return list(group.exceptions)


@faces(12)
def input_fails() -> None:
    """The calls in flight are cancelled and have ended; its error goes out."""
    ended = []

    def items() -> Iterator[int]:
        yield from range(3)
        raise OSError("no more")

    async def call(item: int) -> None:
        try:
            if item:
                await asyncio.get_running_loop().create_future()
        finally:
            ended.append(item)

    async def main() -> None:
        [error] = await errors_of(call, items(), 3)
        assert str(error) == "no more"
        assert sorted(ended) == [0, 1, 2]

    asyncio.run(main())


@faces(13, 14)
def endless_input() -> None:
    """Ended by an error of a call, it is read no further than the ceiling ahead."""
    ended = 0

    def items() -> Iterator[int]:
        for number in itertools.count():
            assert number + 1 - ended <= 4
            yield number

    async def call(item: int) -> None:
        nonlocal ended
        await asyncio.sleep(0)
        ended += 1
        if item == 1_000:
            raise LookupError(item)

    async def main() -> None:
        [error] = await errors_of(call, items(), 4)
        assert error.args == (1_000,)

    asyncio.run(main())


@faces(15)
def first_item_slow() -> None:
    """The others go on beside it, at most two at a time; the order is that of the items."""

    async def main() -> None:
        last, running, most = asyncio.Event(), 0, 0

        async def call(item: int) -> int:
            nonlocal running, most
            running += 1
            most = max(most, running)
            if item == 0:
                await last.wait()
            await asyncio.sleep(0)
            running -= 1
            if item == 999:
                last.set()
            return item

        async with asyncio.timeout(50):
            found = await map_bounded(call, range(1_000), limit=3)
        assert (found, most) == (list(range(1_000)), 3)

    asyncio.run(main())


@faces(16)
def call_fails() -> None:
    """The original error, with the line; what runs is cancelled and has ended, none begins."""
    begun, ended = [], []

    async def call(item: int) -> None:
        begun.append(item)
        if item == 2:
            raise LookupError(item)  # this line
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            ended.append(item)

    async def main() -> None:
        [error] = await errors_of(call, range(100), 3)
        assert type(error) is LookupError
        assert "# this line" in "".join(traceback.format_exception(error))
        assert (begun, sorted(ended)) == ([0, 1, 2], [0, 1])

    asyncio.run(main())


@faces(17)
def two_calls_fail_at_once() -> None:
    """Both errors go out, whatever they are easily taken for."""

    async def main() -> None:
        kinds = (Falsy, StopAsyncIteration, GeneratorExit, StopIteration)
        for kind in kinds:
            both = asyncio.Barrier(2)

            async def call(_: int) -> None:
                await both.wait()  # noqa: B023 - awaited at once
                raise kind  # noqa: B023 - likewise

            expected = RuntimeError if kind is StopIteration else kind
            errors = await errors_of(call, range(2), 2)
            assert {type(error) for error in errors} == {expected}

    asyncio.run(main())


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, with no item read; no items, no call."""
    items = iter([1])
    ways: tuple[Any, ...] = (map_bounded, stream_bounded)
    for way in ways:
        raises(ValueError, lambda: way(asyncio.sleep, items, limit=0))  # noqa: B023 - called at once
        raises(ValueError, lambda: way(asyncio.sleep, items, limit=-1))  # noqa: B023 - likewise
        raises(TypeError, lambda: way(asyncio.sleep, items, limit=2.5))  # noqa: B023 - likewise
        raises(TypeError, lambda: way(asyncio.sleep, items, limit="x"))  # noqa: B023 - likewise
        raises(TypeError, lambda: way(asyncio.sleep, 7, limit=3))  # noqa: B023 - likewise

    async def main() -> None:
        assert await map_bounded(asyncio.sleep, [], limit=3) == []
        await drain(stream_bounded(asyncio.sleep, [], limit=3))

    asyncio.run(main())
    assert list(items) == [1]


@faces(19)
def cancelled_at_any_turn() -> None:
    """In the start, the wait, the clean-up of stubborn calls, with a limit in time around."""

    async def serve_list() -> None:
        async with asyncio.timeout(50):
            await map_bounded(stubborn, itertools.count(), limit=3)

    async def serve_stream() -> None:
        async with (
            asyncio.timeout(50),
            aclosing(stream_bounded(stubborn, itertools.count(), limit=3)) as stream,
        ):
            await drain(stream)

    for serve in (serve_list, serve_stream):
        for turn in range(6):
            for times in (1, 5):
                asyncio.run(cancel_at(turn, serve(), times))


@faces(19)
def out_of_time() -> None:
    """TimeoutError, and nothing is cancelled any more."""

    async def main() -> None:
        async def serve() -> None:
            async with asyncio.timeout(0.01):
                await drain(stream_bounded(stubborn, itertools.count(), limit=3))

        await fails(TimeoutError, serve())
        task = asyncio.current_task()
        assert task is not None
        assert (task.cancelling(), len(asyncio.all_tasks())) == (0, 1)

    asyncio.run(main())


async def break_off() -> AsyncIterator[int]:
    """Give three, and fail a little later."""
    for item in range(3):
        yield item
    for _ in range(10):
        await asyncio.sleep(0)
    raise OSError("no more")


@faces(12)
def input_of_a_stream_fails() -> None:
    """What had ended before it comes first; then its error, and only that."""

    async def give_back(item: int) -> int:
        return item

    async def main(*, ordered: bool) -> None:
        found = []

        async def consume() -> None:
            stream = stream_bounded(give_back, break_off(), limit=9, ordered=ordered)
            async for result in stream:
                found.append(result)
                for _ in range(20):
                    await asyncio.sleep(0)

        group = await fails(BaseExceptionGroup, consume())
        assert [str(error) for error in group.exceptions] == ["no more"]
        assert (found, len(asyncio.all_tasks())) == ([0, 1, 2], 1)

    for ordered in (True, False):
        asyncio.run(main(ordered=ordered))


class Owner:
    """One that refers to an endless stream that refers to it."""

    def __init__(self) -> None:
        """Begin the stream."""
        self.begun: list[int] = []
        self.four = asyncio.Event()
        self.ended: list[int] = []
        self.stream = stream_bounded(self.call, itertools.count(), limit=4)

    async def call(self, item: int) -> int:
        """Be quick at three, and never done at the others."""
        if item < 3:
            return item
        self.begun.append(item)
        if len(self.begun) == 4:
            self.four.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            self.ended.append(item)
            await asyncio.sleep(0)

    async def take(self) -> None:
        """Take three, and see that four others are in flight."""
        assert [await anext(self.stream) for _ in range(3)] == [0, 1, 2]
        await self.four.wait()


async def until_alone() -> None:
    """Give the loop some turns, after which there must be no other task."""
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


@faces(13)
def left() -> None:
    """Closed or left by an error, all calls have ended; left by break, soon after."""

    async def closes(owner: Owner) -> None:
        async with aclosing(owner.stream):
            await owner.take()
        assert len(owner.ended) == 4

    async def errs(owner: Owner) -> None:
        async with aclosing(owner.stream):
            await owner.take()
            raise KeyError

    async def main() -> None:
        await closes(owner := Owner())
        assert (len(asyncio.all_tasks()), len(owner.ended)) == (1, 4)
        await fails(KeyError, errs(owner := Owner()))
        assert (len(asyncio.all_tasks()), len(owner.ended)) == (1, 4)
        call = (owner := Owner()).call
        async for item in stream_bounded(call, itertools.count(), limit=4):
            if item == 2:
                break
        await until_alone()
        assert sorted(owner.begun) == sorted(owner.ended)

    asyncio.run(main())


@faces(20)
def abandoned() -> None:
    """Dropped, lost in a cycle, or kept until the loop has ended: all calls have ended."""
    kept: list[Any] = []

    async def drops(owner: Owner) -> None:
        stream = stream_bounded(owner.call, itertools.count(), limit=4)
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        await owner.four.wait()
        del stream
        await until_alone()

    async def loses(owner: Owner) -> list[int]:
        await owner.take()
        ended = owner.ended
        del owner
        for _ in range(10):
            gc.collect()
            await asyncio.sleep(0)
        return ended

    async def keeps(owner: Owner) -> None:
        await owner.take()
        kept.append(owner.stream)

    asyncio.run(drops(owner := Owner()))
    assert len(owner.ended) == 4
    del owner
    assert len(asyncio.run(loses(Owner()))) == 4
    asyncio.run(keeps(owner := Owner()))
    assert len(owner.ended) == 4
    gc.collect()


@faces(14, 21)
def slow_consumer() -> None:
    """Never more than the limit is pulled ahead or alive; what was dropped is dead at once."""
    made = taken = 0
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Large:
        """One result."""

        def __init__(self) -> None:
            self.bytes = bytearray(10_000)
            alive.add(self)

    def items() -> Iterator[int]:
        nonlocal made
        for number in range(2_000):
            made += 1
            assert made - taken <= 5
            yield number

    async def call(_: int) -> Large:
        await asyncio.sleep(0)
        return Large()

    async def main(*, ordered: bool) -> None:
        nonlocal made, taken
        made = taken = 0
        async for result in stream_bounded(call, items(), limit=5, ordered=ordered):
            taken += 1
            reference = weakref.ref(result)
            del result
            assert reference() is None
            for _ in range(taken % 9):
                await asyncio.sleep(0)
            assert len(alive) <= 5
        assert taken == 2_000

    for ordered in (True, False):
        asyncio.run(main(ordered=ordered))


@faces(15)
def first_item_of_a_stream_slow() -> None:
    """In order it holds back what is pulled, at most the limit; else the others come first."""

    async def main() -> None:
        for ordered in (True, False):
            pulled, go = itertools.count(), asyncio.Event()

            async def call(item: int, go: asyncio.Event = go) -> int:
                if item == 0:
                    await go.wait()
                return item

            stream = stream_bounded(
                call, map(next, itertools.repeat(pulled)), limit=4, ordered=ordered
            )
            async with asyncio.timeout(50), aclosing(stream):
                if ordered:
                    first = asyncio.ensure_future(anext(stream))
                    for _ in range(50):
                        await asyncio.sleep(0)
                    assert next(pulled) == 4
                    go.set()
                    assert await first == 0
                else:
                    assert [await anext(stream) for _ in range(500)] == list(range(1, 501))

    asyncio.run(main())


@faces(16, 17)
def calls_of_a_stream_fail() -> None:
    """Cancelled at once, though the consumer is away; both errors go out, whatever they are."""

    async def main(*, ordered: bool) -> None:
        for kind in (Falsy, StopAsyncIteration, GeneratorExit, LookupError):
            both, ended = asyncio.Barrier(2), asyncio.Event()

            async def call(item: int) -> None:
                if item == 1:
                    try:
                        await asyncio.get_running_loop().create_future()
                    finally:
                        ended.set()  # noqa: B023 - the loop waits for it
                if item:
                    await both.wait()  # noqa: B023 - likewise
                    raise kind  # noqa: B023 - likewise

            stream = stream_bounded(call, range(100), limit=4, ordered=ordered)
            await anext(stream)
            async with asyncio.timeout(50):
                await ended.wait()
                group = await fails(BaseExceptionGroup, drain(stream))
            assert [type(error) for error in group.exceptions] == [kind, kind]
            assert len(asyncio.all_tasks()) == 1

    for ordered in (True, False):
        asyncio.run(main(ordered=ordered))
