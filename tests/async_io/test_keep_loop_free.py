"""watch_loop: one report for each hold, its line and its seconds; its end; and who starves whom."""

import asyncio
import math
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.async_io import keep_loop_free as module
from examples.async_io import keep_loop_free_broken as broken
from examples.async_io.keep_loop_free import LoopWatch, watch_loop
from examples.async_io.keep_loop_free_broken import fetch, watch_lag

LONGEST_S = 2**-9  # some 2 ms; sums of such numbers are exact


@pytest.fixture(autouse=True)
def _no_watch_is_left() -> Iterator[None]:
    """Look for its threads when the test is over."""
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "watch_loop"] == []


class Clock:
    """A clock that stands still until it is put forward, and counts how often it is read."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0
        self.read = threading.Semaphore(0)

    def __call__(self) -> float:
        """Give the time."""
        self.read.release()
        return self.now

    def is_read(self, times: int) -> None:
        """Block until it was read so often from now on: the watch goes round."""
        while self.read.acquire(blocking=False):
            pass
        for _ in range(times):
            assert self.read.acquire(timeout=10)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the watch a clock that the test puts forward."""
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


class Watched:
    """The running loop, watched: what was reported, and a way to hold it."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Begin to watch."""
        self.clock = clock or Clock()
        self.reports: list[tuple[str, float]] = []
        self.stacks: list[str] = []
        self.stack_read = threading.Semaphore(0)
        self.watch = watch_loop(self.report, longest_s=LONGEST_S, while_held=self.while_held)

    def report(self, stack: str, seconds: float) -> None:
        """Take a report."""
        self.reports.append((stack, seconds))

    def while_held(self, stack: str) -> None:
        """Take a stack."""
        self.stacks.append(stack)
        self.stack_read.release()

    def hold_the_loop(self, seconds: float, *, seen: bool) -> None:
        """Block the loop while its clock goes so far; if it is to be seen, until it was."""
        while self.watch._free_at is not None:
            self.clock.is_read(1)  # until a question is open
        self.clock.now += seconds
        if seen:
            assert self.stack_read.acquire(timeout=10)
        else:
            self.clock.is_read(6)  # it goes round, and says nothing

    async def let_go(self) -> None:
        """Give the loop its turns, until the watch has heard of it."""
        async with asyncio.timeout(10):
            while self.watch._free_at is None or len(self.reports) < len(self.stacks):  # noqa: ASYNC110
                await asyncio.sleep(0)


def test_reports_the_line_that_holds_the_loop(clock: Clock) -> None:
    """The stack is read while the loop is held; the report comes when that is over, once."""

    async def main() -> Watched:
        watched = Watched(clock)
        with watched.watch:
            watched.hold_the_loop(0.5, seen=True)
            assert watched.reports == []
            clock.now += 0.25
            clock.is_read(6)
            assert len(watched.stacks) == 1
            await watched.let_go()
            clock.is_read(6)
        return watched

    watched = asyncio.run(main())
    [(stack, seconds)] = watched.reports
    assert [stack] == watched.stacks
    assert "in main\n    watched.hold_the_loop(0.5, seen=True)" in stack
    assert "in hold_the_loop\n    assert self.stack_read.acquire(timeout=10)" in stack
    assert seconds == 0.75


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=12), max_size=6))
def test_reports_each_hold_that_is_too_long_and_no_other(quarters: list[int]) -> None:
    """On a clock put forward: below the limit none, from it on each, once, with its seconds."""
    clock = Clock()

    async def main() -> Watched:
        watched = Watched(clock)
        with watched.watch:
            for number in quarters:
                watched.hold_the_loop(number * LONGEST_S / 4, seen=number >= 4)
                await watched.let_go()
        return watched

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "monotonic", clock)
        watched = asyncio.run(main())
    expected = [number * LONGEST_S / 4 for number in quarters if number >= 4]
    assert [seconds for _, seconds in watched.reports] == expected
    assert len(watched.stacks) == len(expected)


def test_sees_a_hold_that_began_between_two_questions(clock: Clock) -> None:
    """As one does that keeps the GIL: the thread is late itself. Few seconds are lost."""

    async def main() -> Watched:
        watched = Watched(clock)
        loop = asyncio.get_running_loop()
        with watched.watch:
            await asyncio.sleep(0)
            loop.call_soon_threadsafe = lambda *_: None  # type: ignore[assignment, method-assign]
            while watched.watch._free_at is None:
                watched.watch._answer()
            clock.now += 0.5  # maybe before the next question, maybe after it
            assert watched.stack_read.acquire(timeout=10)
            watched.watch._answer()
            clock.is_read(6)
        return watched

    [(_, seconds)] = asyncio.run(main()).reports
    assert 0.5 - LONGEST_S / 2 <= seconds <= 0.5


def test_a_watch_that_comes_late_does_not_report_a_hold_twice(clock: Clock) -> None:
    """It sleeps through the rest of the hold, and its question is answered before it looks."""

    class Late(threading.Event):
        def __init__(self) -> None:
            super().__init__()
            self.asleep, self.awake = threading.Event(), threading.Event()

        def wait(self, timeout: float | None = None) -> bool:
            self.asleep.set()
            assert self.awake.wait(10)
            return super().wait(timeout)

    async def main() -> Watched:
        watched = Watched(clock)
        with watched.watch:
            watched.hold_the_loop(0.5, seen=True)
            watched.watch._over = late = Late()
            assert late.asleep.wait(10)
            clock.now += 0.25
            async with asyncio.timeout(10):
                while watched.watch._free_at is None:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            late.awake.set()
            clock.is_read(6)
        return watched

    watched = asyncio.run(main())
    assert [seconds for _, seconds in watched.reports] == [0.75]


def test_says_nothing_of_a_loop_that_has_nothing_to_do(clock: Clock) -> None:
    """It sleeps while the clock goes on and on, as on a machine that has no core to spare."""

    async def main() -> Watched:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *_: None  # type: ignore[assignment, method-assign]
        watched = Watched(clock)
        enough = asyncio.Event()
        thread = threading.get_ident()

        def let_time_pass() -> None:
            frame = None
            while frame is None or frame.f_code.co_name != "select":
                frame = sys._current_frames()[thread]
            del frame
            for _ in range(5):
                clock.now += 1
                clock.is_read(6)
            wake(enough.set)

        with watched.watch:
            passing = threading.Thread(target=let_time_pass)
            passing.start()
            async with asyncio.timeout(60):
                await enough.wait()
        passing.join()
        return watched

    watched = asyncio.run(main())
    assert (watched.reports, watched.stacks) == ([], [])


def test_a_loop_that_does_not_run_is_not_held(clock: Clock) -> None:
    """Between two runs of one loop, time is its owner's."""

    async def begin() -> Watched:
        return Watched(clock)

    async def go_on(watched: Watched) -> None:
        await watched.let_go()
        watched.hold_the_loop(0.5, seen=True)

    with asyncio.Runner() as runner:
        watched = runner.run(begin())
        clock.now += 1_000
        clock.is_read(8)
        assert watched.stacks == []
        runner.run(go_on(watched))
        watched.watch.stop()
    assert [seconds for _, seconds in watched.reports] == [0.5]


def test_says_nothing_of_a_loop_that_is_free() -> None:
    """By the real clock, with a limit that nothing here reaches; the end does not wait for it."""
    reports: list[object] = []

    async def main() -> None:
        with watch_loop(lambda *it: reports.append(it), longest_s=1_000, while_held=reports.append):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert reports == []


def test_a_loop_pays_for_one_question_in_each_half_of_the_limit(clock: Clock) -> None:
    """Counted: one pause of that length before each question, and no other."""
    pauses: list[float] = []
    questions = 0

    class Over(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0)
            return super().wait(timeout)

    async def main() -> None:
        nonlocal questions
        watched = Watched(clock)
        loop = asyncio.get_running_loop()
        ask = loop.call_soon_threadsafe
        asked_often = asyncio.Event()

        def count(answer: Callable[[], object]) -> None:
            nonlocal questions
            questions += 1
            ask(answer)
            if questions == 10:
                ask(asked_often.set)

        with watched.watch:
            watched.watch._over = Over()
            loop.call_soon_threadsafe = count  # type: ignore[assignment, method-assign]
            await asyncio.wait_for(asked_often.wait(), 10)

    asyncio.run(main())
    assert set(pauses) == {LONGEST_S / 2}
    assert 10 <= questions <= len(pauses) + 1


# How it ends


def test_a_hold_that_is_not_over_is_reported_at_the_end(clock: Clock) -> None:
    """The watch is stopped in the very turn that holds the loop."""

    async def main() -> Watched:
        watched = Watched(clock)
        with watched.watch:
            watched.hold_the_loop(0.5, seen=True)
            clock.now += 0.5
        return watched

    assert [seconds for _, seconds in asyncio.run(main()).reports] == [1.0]


def test_may_be_stopped_more_than_once() -> None:
    """By hand, by the with statement, after the end of the loop."""

    async def main() -> LoopWatch:
        with watch_loop(print, longest_s=1_000) as watch:
            watch.stop()
            watch.stop()
        return watch

    asyncio.run(main()).stop()


def test_ends_with_its_loop() -> None:
    """Nobody stops it; stopping it later is harmless."""

    async def main() -> LoopWatch:
        return watch_loop(print, longest_s=LONGEST_S)

    watch = asyncio.run(main())
    watch._thread.join(10)
    assert not watch._thread.is_alive()
    watch.stop()


def test_a_callback_may_stop_it() -> None:
    """In its own thread, which it does not wait for."""

    async def main() -> None:
        begun, stopped = threading.Event(), threading.Event()

        def stop(_: str) -> None:
            assert begun.wait(10)
            watch.stop()
            stopped.set()

        watch = watch_loop(lambda *_: None, longest_s=LONGEST_S, while_held=stop)
        begun.set()
        assert stopped.wait(10)
        watch._thread.join(10)

    asyncio.run(main())


@pytest.mark.parametrize("early", [False, True], ids=["report", "while_held"])
def test_an_error_of_a_callback_is_raised_once_at_the_end(*, early: bool) -> None:
    """It ends the watch; nobody misses it, and it is not raised again."""
    came = threading.Event()

    def fail(*_: object) -> None:
        came.set()
        raise LookupError

    def nothing(*_: object) -> None:
        pass

    async def main() -> None:
        callbacks: tuple[Callable[..., None], Callable[..., None]]
        callbacks = (nothing, fail) if early else (fail, nothing)
        watch = watch_loop(callbacks[0], longest_s=LONGEST_S, while_held=callbacks[1])
        if early:
            assert came.wait(10)
        while not came.is_set():
            threading.Event().wait(4 * LONGEST_S)
            await asyncio.sleep(0)
        with pytest.raises(LookupError):
            watch.stop()
        watch.stop()

    asyncio.run(main())


def test_an_error_of_the_body_comes_through() -> None:
    """Nobody held the loop; the fixture looks for a thread that is left."""

    async def main() -> None:
        with watch_loop(print, longest_s=1_000):
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(main())


def test_an_error_of_the_body_comes_first() -> None:
    """Whatever the callback raised."""
    came = threading.Event()

    def fail(_: str) -> None:
        came.set()
        raise LookupError

    async def main() -> None:
        with watch_loop(print, longest_s=LONGEST_S, while_held=fail):
            assert came.wait(10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


# What it refuses


@pytest.mark.parametrize("longest_s", [0, -1, math.nan, math.inf])
def test_refuses_a_limit_of_nothing(longest_s: float) -> None:
    """At the call, naming the bound and the value; no watch has begun."""

    async def main() -> None:
        watch_loop(print, longest_s=longest_s)

    with pytest.raises(ValueError, match=f"above 0, and finite, got {longest_s}"):
        asyncio.run(main())


def test_refuses_to_watch_no_loop() -> None:
    """There is none in this thread."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        watch_loop(print)


# What the broken ones do


def test_broken_monitor_tells_afterwards_and_not_who(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the loop is held it says nothing, and then only a number."""
    clock = Clock()
    monkeypatch.setattr(broken, "monotonic", clock)
    reports: list[float] = []
    came = asyncio.Event()

    def report(seconds: float) -> None:
        reports.append(seconds)
        came.set()

    async def main() -> None:
        watching = asyncio.create_task(watch_lag(report, longest_s=LONGEST_S))
        await asyncio.sleep(0)
        clock.now += 5  # this turn takes long
        assert reports == []
        await asyncio.wait_for(came.wait(), 10)
        watching.cancel()

    asyncio.run(main())
    assert reports == [5 - LONGEST_S]


async def turns_of_another_during(work: Callable[[], Awaitable[object]]) -> int:
    """Count the turns that another task gets while `work` is awaited."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    before = turns
    await work()
    during = turns - before
    counting.cancel()
    return during


def test_broken_coroutine_starves_the_other_task() -> None:
    """It is awaited, it waits, and nobody else gets a turn."""
    slept: list[float] = []

    async def main() -> int:
        return await turns_of_another_during(lambda: fetch(slept.append, 0.1))

    assert asyncio.run(main()) == 0
    assert slept == [0.1]


def test_one_that_suspends_does_not() -> None:
    """The same, waiting in a way that lets others run: as many turns as it likes to wait."""

    async def wait_ten_turns() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    assert asyncio.run(turns_of_another_during(wait_ten_turns)) == 10
