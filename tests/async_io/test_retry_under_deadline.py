"""retry_under_deadline: attempts, growing waits, one deadline for all, cancellation, notes."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_clock import run_virtually

from examples.async_io.retry_under_deadline import retry_under_deadline, time_left_s
from examples.async_io.retry_under_deadline_broken import retry


def now() -> float:
    """Give the time of the running loop."""
    return asyncio.get_running_loop().time()


def longest(_: float, bound: float) -> float:
    """Pick the longest wait, so that a test knows it."""
    return bound


class Calls:
    """A call that fails some times, and notes when each attempt began.

    Attributes:
        begun: When each attempt began.
        cleaned: When each attempt that was cancelled had cleaned up.
    """

    def __init__(self, *outcomes: BaseException | object, takes_s: float = 0) -> None:
        """Fail or succeed as `outcomes` say, the last of them for ever."""
        self.outcomes, self.takes_s = outcomes, takes_s
        self.begun: list[float] = []
        self.cleaned: list[float] = []

    async def __call__(self) -> object:
        """Make one attempt."""
        self.begun.append(now())
        outcome = self.outcomes[min(len(self.begun), len(self.outcomes)) - 1]
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            self.cleaned.append(now())
            raise
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=8),  # an attempt takes
            st.floats(min_value=0, max_value=1),  # the share of the bound that it then waits
        ),
        max_size=8,
    ),
    st.integers(min_value=1, max_value=60),
    st.integers(min_value=1, max_value=4),
    st.integers(min_value=0, max_value=12),
)
def test_attempts_and_waits_are_those_worked_out_by_hand(
    failing: list[tuple[int, float]], timeout: int, first: int, more: int
) -> None:
    """Whatever fails and however long: when attempts begin, how it ends, and when."""
    timeout_s = timeout + 0.123  # never at the same time as an end
    begun: list[float] = []
    shares = iter([share for _, share in failing])

    async def call() -> str:
        begun.append(now())
        number = len(begun) - 1
        if number == len(failing):
            return "done"
        await asyncio.sleep(failing[number][0])
        raise LookupError(number)

    async def main() -> tuple[str, float]:
        how = "done"
        try:
            await retry_under_deadline(
                call,
                timeout_s=timeout_s,
                on=LookupError,
                first_wait_s=first,
                longest_wait_s=first + more,
                jitter=lambda low, high: low + next(shares) * (high - low),
            )
        except (LookupError, TimeoutError) as error:
            how = type(error).__name__
        return how, now()

    expected, at, how, bound = [0.0], 0.0, "done", float(first)
    for takes, share in failing:
        at += takes
        if at >= timeout_s:
            at, how = timeout_s, "TimeoutError"
            break
        if at + share * bound >= timeout_s:
            how = "LookupError"
            break
        at += share * bound
        bound = min(2 * bound, first + more)
        expected.append(at)
    assert run_virtually(main()) == (how, pytest.approx(at))
    assert begun == pytest.approx(expected)


def test_waits_double_up_to_the_longest() -> None:
    """And the jitter is asked for each, from 0."""
    calls = Calls(OSError())
    asked: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        asked.append((low, high))
        return 1

    async def main() -> None:
        with pytest.raises(OSError):  # noqa: PT011 - it has no words
            await retry_under_deadline(
                calls, timeout_s=6.5, on=OSError, first_wait_s=1, longest_wait_s=5, jitter=jitter
            )

    run_virtually(main())
    assert calls.begun == [0, 1, 2, 3, 4, 5, 6]
    assert asked == [(0, 1), (0, 2), (0, 4), (0, 5), (0, 5), (0, 5), (0, 5)]


def test_waits_are_random_unless_said() -> None:
    """Two that failed together come back at different times, within the bound."""
    calls = [Calls(OSError(), "done") for _ in range(20)]

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for one in calls:
                group.create_task(
                    retry_under_deadline(one, timeout_s=60, on=OSError, first_wait_s=2)  # type: ignore[arg-type]
                )

    run_virtually(main())
    waits = [one.begun[1] for one in calls]
    assert len(set(waits)) == 20
    assert 0 <= min(waits) < max(waits) <= 2


def test_it_gives_up_at_once_if_the_next_wait_would_pass_the_deadline() -> None:
    """The error is the last one; its notes tell of each attempt."""
    calls = Calls(OSError("first"), OSError("second"), OSError("third"), takes_s=1)

    async def main() -> None:
        with pytest.raises(OSError, match="third") as caught:
            await retry_under_deadline(
                calls, timeout_s=9, on=OSError, first_wait_s=1, longest_wait_s=60, jitter=longest
            )
        assert now() == 6  # 1, wait 1, 1, wait 2, 1; and the wait of 4 would end at 10
        assert caught.value.__notes__ == [
            "attempt 1 failed after 1.000 s: OSError('first')",
            "attempt 2 failed after 3.000 s: OSError('second')",
            "attempt 3 failed after 6.000 s: OSError('third')",
        ]

    run_virtually(main())


def test_only_the_last_attempts_are_noted() -> None:
    """However many there were."""
    calls = Calls(*[OSError(number) for number in range(1000)])

    async def main() -> None:
        with pytest.raises(OSError, match="99") as caught:
            await retry_under_deadline(
                calls, timeout_s=99.5, on=OSError, first_wait_s=1, longest_wait_s=1, jitter=longest
            )
        assert [note.split()[1] for note in caught.value.__notes__] == [
            str(number) for number in range(91, 101)
        ]

    run_virtually(main())


def test_an_attempt_that_takes_too_long_is_cancelled_and_awaited() -> None:
    """TimeoutError, with notes on those before."""
    calls = Calls(OSError("first"), takes_s=6)

    async def main() -> None:
        with pytest.raises(TimeoutError) as caught:
            await retry_under_deadline(
                calls, timeout_s=10, on=OSError, first_wait_s=1, jitter=longest
            )
        assert caught.value.__notes__ == ["attempt 1 failed after 6.000 s: OSError('first')"]
        assert calls.cleaned == [now()] == [10.5]

    run_virtually(main())


def test_other_errors_end_it_at_once() -> None:
    """A mistake does not get better by trying again; what was before stands in its notes."""
    calls = Calls(OSError("first"), KeyError("no such name"), "never")

    async def main() -> None:
        with pytest.raises(KeyError) as caught:
            await retry_under_deadline(calls, timeout_s=60, on=(OSError, EOFError))
        assert len(caught.value.__notes__) == 1

    run_virtually(main())
    assert len(calls.begun) == 2


class FalseError(Exception):
    """An error that an `if` takes for none."""

    def __bool__(self) -> bool:
        """Say no."""
        return False


class StopEverything(BaseException):
    """No ordinary error."""


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), StopEverything(), GeneratorExit()], ids=repr
)
def test_what_cancels_or_exits_is_never_tried_again(error: BaseException) -> None:
    """It passes as it is, whatever `on` says."""
    calls = Calls(error, "never")

    async def main() -> None:
        with pytest.raises(type(error)):
            await retry_under_deadline(calls, timeout_s=60, on=Exception)

    run_virtually(main())
    assert len(calls.begun) == 1


@pytest.mark.parametrize("error", [FalseError(), StopAsyncIteration(), TimeoutError()], ids=repr)
def test_errors_of_any_kind_are_tried_again(error: Exception) -> None:
    """A TimeoutError of the call's own too."""
    calls = Calls(error, error, "done")
    assert (
        run_virtually(retry_under_deadline(calls, timeout_s=60, on=type(error)))  # type: ignore[arg-type]
        == "done"
    )
    assert len(calls.begun) == 3


@pytest.mark.parametrize("after_s", [0, 0.5, 1.5, 2.5])
def test_a_cancelled_caller_stops_it(after_s: float) -> None:
    """Before, in an attempt, in a wait, in the next attempt; it ends as cancelled, once."""
    calls = Calls(OSError(), takes_s=1)

    async def main() -> None:
        caller = asyncio.create_task(
            retry_under_deadline(calls, timeout_s=60, on=OSError, first_wait_s=1, jitter=longest)  # type: ignore[arg-type]
        )
        await asyncio.sleep(after_s)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        begun = len(calls.begun)
        await asyncio.sleep(60)
        assert len(calls.begun) == begun

    run_virtually(main())


def nested(
    call: Callable[[], Awaitable[object]], layers: int, timeout_s: float
) -> Callable[[], Awaitable[object]]:
    """Put so many retries around a call, each with a time limit of its own."""
    for _ in range(layers):

        async def outer(inner: Callable[[], Awaitable[object]] = call) -> object:
            return await retry_under_deadline(
                inner, timeout_s=timeout_s, on=OSError, first_wait_s=1, jitter=longest
            )

        call = outer
    return call


def test_nested_calls_share_the_earliest_deadline() -> None:
    """Three layers of an hour each, within one of ten seconds: ten seconds."""
    calls = Calls(OSError(), takes_s=3)

    async def main() -> None:
        with pytest.raises((OSError, TimeoutError)):
            await retry_under_deadline(
                nested(calls, 3, 3600), timeout_s=10, on=OSError, first_wait_s=1, jitter=longest
            )
        assert now() <= 10.5
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]

    run_virtually(main())


def test_a_nested_deadline_can_only_be_earlier() -> None:
    """The inner one has two seconds of its own; the outer one tries again after that."""
    calls = Calls("never", takes_s=100)

    async def inner() -> object:
        return await retry_under_deadline(calls, timeout_s=2, on=OSError)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await retry_under_deadline(
                inner, timeout_s=9, on=TimeoutError, first_wait_s=1, jitter=longest
            )

    run_virtually(main())
    # Two seconds and half a one to clean up, a wait of 1; the same, a wait of 2; the last second.
    assert calls.begun == [0, 3.5, 8]
    assert calls.cleaned == [2.5, 6, 9.5]


def test_the_time_left_is_that_of_the_nearest_deadline() -> None:
    """In the call, in a nested one, in a task of its own; none before, none after."""
    seen: list[float] = []

    async def look() -> None:
        await asyncio.sleep(1)
        seen.append(time_left_s())

    async def inner() -> None:
        seen.append(time_left_s())
        await retry_under_deadline(look, timeout_s=5, on=OSError)
        await asyncio.create_task(look())
        await asyncio.create_task(look(), context=contextvars.Context())
        seen.append(time_left_s())

    async def main() -> None:
        await retry_under_deadline(inner, timeout_s=20, on=OSError)
        seen.append(time_left_s())

    run_virtually(main())
    assert seen == [20, 4, 18, float("inf"), 17, float("inf")]


def test_no_attempt_begins_after_the_deadline() -> None:
    """A nested call that comes too late says so, and the time left is never below 0."""
    calls = Calls("never")

    async def main() -> None:
        late: list[asyncio.Task[object]] = []

        async def come_late() -> object:
            await asyncio.sleep(10)
            assert time_left_s() == 0
            return await retry_under_deadline(calls, timeout_s=5, on=OSError)

        async def begin() -> None:
            late.append(asyncio.create_task(come_late()))

        await retry_under_deadline(begin, timeout_s=5, on=OSError)
        with pytest.raises(TimeoutError, match="before the first attempt"):
            await late[0]

    run_virtually(main())
    assert calls.begun == []


@pytest.mark.parametrize("limited", [False, True])
def test_an_attempt_that_makes_another_error_of_a_cancellation_is_the_last(
    *, limited: bool
) -> None:
    """As some clients do. The caller was to end, by hand or by a time limit around it."""
    attempts = 0

    async def attempt() -> str:
        nonlocal attempts
        attempts += 1
        if attempts > 1:
            return "went on"
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as request:
            raise ConnectionError("lost") from request
        return "never"

    async def call() -> str:
        async with asyncio.timeout(5 if limited else None):
            return await retry_under_deadline(attempt, timeout_s=7200, on=ConnectionError)

    async def main() -> None:
        caller = asyncio.create_task(call())
        await asyncio.sleep(10 if limited else 1)
        caller.cancel()
        with pytest.raises(ConnectionError, match="lost"):
            await caller

    run_virtually(main())
    assert attempts == 1


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_refuses_a_time_limit_that_is_none(timeout_s: float) -> None:
    """Naming the bound and the value; no attempt begins."""
    calls = Calls("never")
    with pytest.raises(ValueError, match=f"more than 0, got {timeout_s}"):
        _ = retry_under_deadline(calls, timeout_s=timeout_s, on=OSError)
    assert calls.begun == []


@pytest.mark.parametrize(("first", "longest_s"), [(0, 1), (-1, 1), (2, 1), (float("nan"), 1)])
def test_refuses_waits_that_cannot_grow(first: float, longest_s: float) -> None:
    """Naming the bound and the values."""
    calls = Calls("never")
    with pytest.raises(ValueError, match=f"must hold, got {first} and {longest_s}"):
        _ = retry_under_deadline(
            calls, timeout_s=1, on=OSError, first_wait_s=first, longest_wait_s=longest_s
        )
    assert calls.begun == []


@pytest.mark.parametrize(
    "on",
    [asyncio.CancelledError, BaseException, (OSError, KeyboardInterrupt), OSError("x"), "OSError"],
    ids=repr,
)
def test_refuses_to_try_again_after_what_is_no_exception(on: Any) -> None:  # noqa: ANN401 - so it is
    """At the call, so that a cancellation is never swallowed."""
    calls = Calls("never")
    with pytest.raises(TypeError, match="must be types of Exception"):
        _ = retry_under_deadline(calls, timeout_s=1, on=on)
    assert calls.begun == []


def test_the_broken_one_multiplies() -> None:
    """Three layers of three attempts are twenty-seven, and their times add up."""
    calls = Calls(OSError())

    async def layers(depth: int) -> object:
        if depth == 0:
            return await calls()
        return await retry(lambda: layers(depth - 1), timeout_s=3600, wait_s=1)

    async def main() -> None:
        with pytest.raises(OSError):  # noqa: PT011 - it has no words
            await layers(3)

    run_virtually(main())
    assert len(calls.begun) == 27


def test_the_broken_one_tries_again_after_a_cancellation() -> None:
    """The caller was to end, and goes on."""
    calls = Calls("done", takes_s=5)

    async def main() -> None:
        caller = asyncio.create_task(retry(calls, timeout_s=60, wait_s=1))  # type: ignore[arg-type]
        await asyncio.sleep(1)
        caller.cancel()
        assert await caller == "done"

    run_virtually(main())
    assert len(calls.begun) == 2
