"""What can go wrong around first_success: each case runs in a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from examples.async_io.first_success import first_success
from fault_cases import Falsy, cancel_at, faces, fails, raises, stubborn


class Other(BaseException):
    """No Exception."""


async def fail(error: BaseException) -> None:
    """Raise it, in the next turn."""
    await asyncio.sleep(0)
    raise error


@faces(16, 17)
def all_fail_at_once() -> None:
    """Also falsy and with the end of an iteration; then one that fails when it is cancelled."""

    async def fail_when_cancelled() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise OSError

    async def succeed() -> str:
        await asyncio.sleep(0)
        return "done"

    async def main() -> None:
        errors = (Falsy(), StopAsyncIteration(), StopIteration(), asyncio.CancelledError())
        calls = [lambda error=error: fail(error) for error in errors]
        group = await fails(ExceptionGroup, first_success(*calls))
        names = [type(error).__name__ for error in group.exceptions]
        assert names == ["Falsy", "StopAsyncIteration", "RuntimeError", "RuntimeError"]
        assert await first_success(*calls, fail_when_cancelled, succeed) == "done"

    asyncio.run(main())


@faces(17)
def no_exception() -> None:
    """It goes out at once, and the other has ended."""

    async def main() -> None:
        await fails(Other, first_success(lambda: fail(Other()), stubborn))
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, and none begins."""
    cases: list[tuple[Any, Any, type[Exception]]] = [
        ([], 0, ValueError),
        ([stubborn], -1, ValueError),
        ([stubborn], "x", TypeError),
        ([1], 0, TypeError),
    ]
    for calls, stagger_s, kind in cases:
        raises(kind, partial(first_success, *calls, stagger_s=stagger_s))


@faces(19)
def cancelled_at_any_turn() -> None:
    """In the start, the wait, the clean-up of a stubborn call, with a limit in time around."""

    async def race() -> None:
        async with asyncio.timeout(50):
            await first_success(
                stubborn, lambda: fail(OSError()), stubborn, stubborn, stagger_s=0.001
            )

    for turn in range(7):
        asyncio.run(cancel_at(turn, race()))


@faces(20)
def generators_abandoned() -> None:
    """The winner leaves one, the loser is cancelled within one: both are closed."""
    held, closed = [], []

    async def numbers(name: str) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            closed.append(name)

    async def win() -> int:
        held.append(numbers("winner's"))
        async for number in held[0]:
            return number
        return 0

    async def lose() -> int:
        async for _ in numbers("loser's"):
            pass
        return 0

    async def main() -> None:
        assert await first_success(lose, win) == 1
        assert closed == ["loser's"]

    asyncio.run(main())
    assert closed == ["loser's", "winner's"]
