"""What can go wrong around retry_under_deadline: each case runs in a process of its own."""

import asyncio
from functools import partial
from typing import Any

from examples.async_io.retry_under_deadline import retry_under_deadline
from fault_cases import Falsy, cancel_at, faces, fails, raises, stubborn


@faces(16, 17)
def attempts_that_fail_oddly() -> None:
    """Falsy, the end of an iteration; and what a stubborn attempt makes of a timeout."""

    async def turn_into_an_error() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            raise OSError("closed in the middle") from None

    async def main() -> None:
        for error in (Falsy(), StopAsyncIteration(), StopIteration(), KeyError()):

            async def fail() -> None:
                raise error  # noqa: B023 - called at once

            retrying = retry_under_deadline(fail, timeout_s=0.01, on=Exception, jitter=max)
            raised = await fails(Exception, retrying)
            assert type(raised) is (RuntimeError if type(error) is StopIteration else type(error))
            assert len(raised.__notes__) == 1
        retrying = retry_under_deadline(turn_into_an_error, timeout_s=0.01, on=OSError)
        assert str(await fails(OSError, retrying)) == "closed in the middle"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(main())


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, and no attempt begins."""
    begun = []

    async def call() -> None:
        begun.append("call")

    cases: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"timeout_s": 0}, ValueError),
        ({"timeout_s": -1}, ValueError),
        ({"timeout_s": "x"}, TypeError),
        ({"first_wait_s": 0}, ValueError),
        ({"longest_wait_s": 0}, ValueError),
        ({"on": asyncio.CancelledError}, TypeError),
    ]
    for wrong, kind in cases:
        limits = {"timeout_s": 1, "on": OSError, **wrong}
        raises(kind, partial(retry_under_deadline, call, **limits))
    assert begun == []


@faces(19)
def cancelled_at_any_turn() -> None:
    """In the start, the wait, the clean-up of a stubborn attempt, with a limit in time around."""

    async def serve() -> None:
        attempts = 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            if attempts < 3:
                await asyncio.sleep(0)
                raise OSError
            await stubborn()

        async with asyncio.timeout(50):
            await retry_under_deadline(attempt, timeout_s=40, on=OSError, first_wait_s=1e-9)

    for turn in range(7):
        asyncio.run(cancel_at(turn, serve()))
