"""first_success: the first result, the errors of all, the stagger, no survivors, refusal."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_clock import VirtualClockLoop, run_virtually

from examples.async_io.first_success import first_success
from examples.async_io.first_success_broken import first_completed


def now() -> float:
    """Give the time of the running loop."""
    return asyncio.get_running_loop().time()


class Calls:
    """Calls that note when they begin and how they end.

    Attributes:
        begun: When each began, by its name.
        ended: When and how each ended, by its name.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.begun: dict[object, float] = {}
        self.ended: dict[object, tuple[float, str]] = {}

    def make(
        self,
        name: object,
        takes_s: float,
        error: BaseException | None = None,
        cleaning_s: float = 0,
    ) -> Callable[[], Awaitable[object]]:
        """Give a call that takes a while, then returns its name or raises."""

        async def call() -> object:
            self.begun[name] = now()
            how = "cancelled"
            try:
                await asyncio.sleep(takes_s)
                how = "succeeded" if error is None else "failed"
                if error is not None:
                    raise error
                return name
            finally:
                if how == "cancelled":
                    await asyncio.sleep(cleaning_s)
                self.ended[name] = now(), how

        return call


def expected_race(
    calls: list[tuple[int, bool, int]], stagger: float
) -> tuple[dict[object, float], int | None, float]:
    """Work out by hand when calls begin, which one wins, and when."""
    begun: dict[object, float] = {}
    at = 0.0
    while True:
        ends = sorted((begun[n] + calls[n][0], n) for n in begun)  # type: ignore[index]
        success = next(((when, n) for when, n in ends if not calls[n][1]), None)
        due = at if not begun else at + stagger
        failed = [when for when, n in ends if calls[n][1] and when > at]  # type: ignore[index]
        following = min([due, *failed])
        if len(begun) == len(calls) or (success and success[0] < following):
            return begun, success and success[1], success[0] if success else ends[-1][0]
        at = following
        begun[len(begun)] = at


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=40),  # takes
            st.booleans(),  # fails
            st.integers(min_value=0, max_value=5),  # cleans up
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda call: call[0],
    ),
    st.integers(min_value=0, max_value=9),
)
def test_is_the_race_worked_out_by_hand(calls: list[tuple[int, bool, int]], stagger: int) -> None:
    """Whoever fails, however long: winner, errors, begins and ends; and nobody is left."""
    # Odd shares keep two events from falling on one moment, where any order would be right.
    timed = [
        (takes + 0.1 * 2.0**-number, fails, cleans)
        for number, (takes, fails, cleans) in enumerate(calls)
    ]
    stagger_s = stagger and stagger + 0.013
    noted = Calls()

    async def main() -> tuple[object, float]:
        made = [
            noted.make(number, takes, LookupError(number) if fails else None, cleans)
            for number, (takes, fails, cleans) in enumerate(timed)
        ]
        try:
            return await first_success(*made, stagger_s=stagger_s), now()
        except ExceptionGroup as group:
            return [error.args[0] for error in group.exceptions], now()

    winner, left_at = run_virtually(main())
    begun, expected, at = expected_race(timed, stagger_s)  # type: ignore[arg-type]
    assert noted.begun == pytest.approx(begun)
    assert winner == (list(range(len(calls))) if expected is None else expected)
    losers = [n for n in begun if begun[n] + timed[n][0] > at]  # type: ignore[index]
    assert left_at == pytest.approx(max([at, *(at + timed[n][2] for n in losers)]))  # type: ignore[index]
    assert {n for n, (_, how) in noted.ended.items() if how == "cancelled"} == set(losers)
    assert noted.ended.keys() == begun.keys()


def test_all_are_in_flight_at_once() -> None:
    """The barrier opens only when all three wait at it."""

    async def main() -> object:
        met = asyncio.Barrier(3)
        return await first_success(met.wait, met.wait, met.wait)

    assert run_virtually(main()) in {0, 1, 2}


def test_without_a_stagger_all_begin_in_the_same_turn() -> None:
    """Also if the first is done when it has hardly begun."""
    begun: list[int] = []

    async def call(number: int) -> int:
        begun.append(number)
        return number

    made = [lambda number=number: call(number) for number in range(3)]  # type: ignore[misc]
    assert run_virtually(first_success(*made)) == 0
    assert begun == [0, 1, 2]


def test_the_others_have_cleaned_up_when_the_result_arrives() -> None:
    """However long that takes; the slow one with a stubborn end too."""
    calls = Calls()

    async def main() -> None:
        made = (calls.make("slow", 99, cleaning_s=7), calls.make("quick", 2))
        assert await first_success(*made) == "quick"
        assert now() == 9

    run_virtually(main())
    assert calls.ended == {"quick": (2, "succeeded"), "slow": (9, "cancelled")}


def test_failures_are_told_in_the_order_of_the_calls() -> None:
    """Not in that of the failures; and by a group of their own types."""
    calls = Calls()

    async def main() -> None:
        with pytest.raises(ExceptionGroup, match="none of 3 calls succeeded") as caught:
            await first_success(
                calls.make("a", 3, OSError("a")),
                calls.make("b", 1, KeyError("b")),
                calls.make("c", 2, OSError("c")),
            )
        assert [repr(error) for error in caught.value.exceptions] == [
            "OSError('a')",
            "KeyError('b')",
            "OSError('c')",
        ]

    run_virtually(main())


def test_of_two_results_in_one_turn_the_earlier_call_counts() -> None:
    """Every time, for a set of tasks has no order."""

    async def main() -> None:
        for _ in range(50):
            go = asyncio.Event()

            async def call(number: int, go: asyncio.Event = go) -> int:
                await go.wait()
                return number

            asyncio.get_running_loop().call_later(1, go.set)
            racing = [lambda number=number: call(number) for number in range(5)]  # type: ignore[misc]
            assert await first_success(*racing) == 0

    run_virtually(main())


def test_a_call_never_begun_is_never_called() -> None:
    """The first is quicker than the stagger."""
    calls = Calls()
    made = (calls.make(1, 1), calls.make(2, 1))
    assert run_virtually(first_success(*made, stagger_s=1.5)) == 1  # type: ignore[arg-type]
    assert list(calls.begun) == [1]


def test_a_call_that_fails_in_the_function_itself_is_a_failure() -> None:
    """Before there is anything to await."""

    def refuse() -> Awaitable[str]:
        raise OSError

    async def succeed() -> str:
        return "done"

    assert run_virtually(first_success(refuse, succeed, stagger_s=1)) == "done"  # type: ignore[arg-type]


class FalseError(Exception):
    """An error that an `if` takes for none."""

    def __bool__(self) -> bool:
        """Say no."""
        return False


class StopEverything(BaseException):
    """No ordinary error."""


@pytest.mark.parametrize("error", [FalseError(), StopAsyncIteration()], ids=repr)
def test_no_failure_is_taken_for_a_result(error: Exception) -> None:
    """Falsy, or the end of something else."""
    calls = Calls()

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await first_success(calls.make(1, 1, error), calls.make(2, 2, error))
        assert [one is error for one in caught.value.exceptions] == [True, True]

    run_virtually(main())


@pytest.mark.parametrize("error", [StopEverything(), GeneratorExit()], ids=repr)
def test_what_is_no_exception_ends_it_at_once(error: BaseException) -> None:
    """Raised as it is, when the other has ended."""
    calls = Calls()

    async def main() -> None:
        with pytest.raises(type(error)):
            await first_success(calls.make(1, 1, error), calls.make(2, 5, cleaning_s=3))

    run_virtually(main())
    assert calls.ended == {1: (1, "failed"), 2: (4, "cancelled")}


def test_what_is_no_exception_is_not_lost_while_the_others_end() -> None:
    """Raised by a loser that cleans up."""
    calls = Calls()

    async def loser() -> object:
        try:
            return await asyncio.sleep(9)
        finally:
            raise StopEverything

    async def main() -> None:
        with pytest.raises(StopEverything):
            await first_success(calls.make(1, 1), loser)

    run_virtually(main())


def test_a_stray_cancellation_is_a_failure() -> None:
    """Nobody cancelled the caller, so it must not end as cancelled."""
    calls = Calls()
    stray = calls.make(1, 1, asyncio.CancelledError())

    async def main() -> None:
        assert await first_success(stray, calls.make(2, 2)) == 2
        with pytest.raises(ExceptionGroup) as caught:
            await first_success(stray)
        assert [type(error) for error in caught.value.exceptions] == [RuntimeError]

    run_virtually(main())


def test_a_cancelled_caller_waits_for_the_calls() -> None:
    """Cancelled again while they clean up; each is cancelled once."""
    calls = Calls()

    async def main() -> None:
        made = (calls.make(1, 99, cleaning_s=10), calls.make(2, 99, cleaning_s=20))
        caller = asyncio.create_task(first_success(*made))  # type: ignore[arg-type]
        for _ in range(3):
            await asyncio.sleep(1)
            caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()

    run_virtually(main())
    assert calls.ended == {1: (11, "cancelled"), 2: (21, "cancelled")}


def test_a_cancellation_while_the_losers_end_is_not_lost() -> None:
    """There was a result already; the caller is to end all the same."""
    calls = Calls()

    async def main() -> None:
        made = (calls.make(1, 1), calls.make(2, 99, cleaning_s=20))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await first_success(*made)
        assert now() == 21
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_virtually(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
@pytest.mark.parametrize("stagger_s", [0, 1])
def test_eager_tasks_change_nothing(stagger_s: float) -> None:
    """One fails, another succeeds, before its task is there."""

    async def fail() -> str:
        raise OSError

    async def succeed() -> str:
        return "done"

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        assert await first_success(fail, succeed, fail, stagger_s=stagger_s) == "done"
        with pytest.raises(ExceptionGroup):
            await first_success(fail, fail, stagger_s=stagger_s)

    run_virtually(main())


def test_refuses_no_call() -> None:
    """At the call, naming the bound and the value."""
    with pytest.raises(ValueError, match="1 or more, got 0"):
        _ = first_success()


def test_refuses_what_is_no_function() -> None:
    """A coroutine, say; and nothing begins."""
    calls = Calls()
    coroutine: Any = asyncio.sleep(0)
    with pytest.raises(TypeError, match="functions without arguments, got <coroutine"):
        _ = first_success(calls.make(1, 1), coroutine)
    coroutine.close()
    assert calls.begun == {}


@pytest.mark.parametrize("stagger_s", [-1, float("nan")])
def test_refuses_a_negative_stagger(stagger_s: float) -> None:
    """Naming the bound and the value."""
    calls = Calls()
    made: Any = calls.make(1, 1)
    with pytest.raises(ValueError, match=f"0 or more, got {stagger_s}"):
        _ = first_success(made, stagger_s=stagger_s)
    assert calls.begun == {}


def test_the_broken_one_takes_a_failure_for_the_first_success() -> None:
    """The other would have succeeded a moment later."""
    calls = Calls()

    async def main() -> None:
        with pytest.raises(OSError, match="no route"):
            await first_completed(calls.make(1, 1, OSError("no route")), calls.make(2, 2))

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(main())


def test_the_broken_one_leaves_the_others_running() -> None:
    """The result is there, and a loser still cleans up."""
    calls = Calls()

    async def main() -> None:
        assert await first_completed(calls.make(1, 1), calls.make(2, 99, cleaning_s=5)) == 1
        assert len(asyncio.all_tasks()) == 2
        assert list(calls.ended) == [1]

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(main())
