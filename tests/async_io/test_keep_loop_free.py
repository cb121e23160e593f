"""watch_loop: it reports while the loop is held, stays silent else, ends; and who starves whom."""

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from examples.async_io.keep_loop_free import watch_loop
from examples.async_io.keep_loop_free_broken import fetch


class Reports:
    """Keep what was reported, and let others wait for it."""

    def __init__(self) -> None:
        """Start with none."""
        self.stacks: list[str] = []
        self.came = threading.Semaphore(0)

    def __call__(self, stack: str) -> None:
        """Take a report."""
        self.stacks.append(stack)
        self.came.release()

    def hold_the_loop(self) -> None:
        """Block the calling thread until a report comes."""
        assert self.came.acquire(timeout=10)


def watchers_left() -> list[str]:
    """Name the threads of `watch_loop` that are alive."""
    return [thread.name for thread in threading.enumerate() if "watch_loop" in thread.name]


def test_reports_the_line_that_holds_the_loop_while_it_does() -> None:
    """The loop is held until the report is there, so it cannot come afterwards."""
    reports = Reports()

    async def main() -> None:
        with watch_loop(reports, longest_s=0.01):
            await asyncio.sleep(0)
            reports.hold_the_loop()

    asyncio.run(main())

    assert "in main\n    reports.hold_the_loop()" in reports.stacks[0]
    assert "in hold_the_loop\n    assert self.came.acquire(timeout=10)" in reports.stacks[0]
    assert watchers_left() == []


def test_reports_each_hold_once() -> None:
    """Two holds with a turn of the loop between, the second a long one."""
    reports = Reports()

    async def main() -> None:
        with watch_loop(reports, longest_s=0.001):
            for _ in range(2):
                reports.hold_the_loop()
                await asyncio.sleep(0)
            reports.hold_the_loop()
            time.sleep(0.05)  # noqa: ASYNC251 - many times the limit: not reported again, however long

    asyncio.run(main())

    assert len(reports.stacks) == 3


def test_says_nothing_of_a_loop_that_is_free() -> None:
    """A limit that nothing here reaches; and leaving does not wait for it."""
    reports = Reports()

    async def main() -> None:
        with watch_loop(reports, longest_s=1_000):
            await asyncio.sleep(0)

    asyncio.run(main())

    assert reports.stacks == []
    assert watchers_left() == []


def test_says_nothing_of_a_loop_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop with nothing to do answers each time it is asked."""
    reports = Reports()

    async def main() -> None:
        loop, asked_often = asyncio.get_running_loop(), asyncio.Event()
        ask, asked = loop.call_soon_threadsafe, 0

        def count(*args: Any) -> object:  # noqa: ANN401 - passed on as they come
            nonlocal asked
            asked += 1
            if asked == 4:  # so it had three answers
                ask(asked_often.set)
            return ask(*args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", count)
        with watch_loop(reports, longest_s=0.25):
            await asked_often.wait()

    asyncio.run(main())

    assert reports.stacks == []


def test_an_error_of_the_report_arrives_at_the_end() -> None:
    """It is the caller's, and no thread is left."""
    came = threading.Event()

    def report(_: str) -> None:
        came.set()
        raise LookupError

    async def main() -> None:
        with watch_loop(report, longest_s=0.001):
            assert came.wait(10)

    with pytest.raises(LookupError):
        asyncio.run(main())

    assert watchers_left() == []


def test_an_error_of_the_body_comes_through_and_leaves_no_thread() -> None:
    """Whether the loop was held or not."""

    async def main() -> None:
        with watch_loop(print, longest_s=1_000):
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(main())

    assert watchers_left() == []


@pytest.mark.parametrize("longest_s", [0, -1, math.nan])
def test_refuses_a_limit_of_nothing(longest_s: float) -> None:
    """Refused at the call."""
    with pytest.raises(ValueError, match=f"above 0, got {longest_s}"):
        watch_loop(print, longest_s=longest_s)


def test_refuses_to_watch_no_loop() -> None:
    """There is none in this thread."""
    with pytest.raises(RuntimeError, match="no running event loop"), watch_loop(print):
        pytest.fail("entered")


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


def test_broken_one_starves_the_other_task() -> None:
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
