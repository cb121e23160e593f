"""stop_worker: steady beats on a virtual clock, stopping at once, errors, refusals; late stops."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads import stop_worker
from examples.threads.stop_worker import PeriodicWorker, next_beat
from examples.threads.stop_worker_broken import SleepyWorker

LONG_S = 3600  # nobody waits for it: a test that does runs into its own limit


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every test ends with the threads that it began with."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


class VirtualClock(threading.Event):
    """A clock that moves only when somebody waits, and then at once."""

    def __init__(self, early_s: float = 0) -> None:
        """Start at 100 s; end each wait so much too early."""
        super().__init__()
        self.now_s, self.early_s = 100.0, early_s

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time go by."""
        assert timeout is not None
        self.now_s += max(0.0, timeout - self.early_s)
        return self.is_set()


def beats_of(
    clock: VirtualClock, durations_s: list[float], monkeypatch: pytest.MonkeyPatch
) -> list[float]:
    """Run calls that take so long each, a beat every 10 s; return when each began."""
    monkeypatch.setattr(stop_worker, "monotonic", lambda: clock.now_s)
    began: list[float] = []

    def work() -> None:
        began.append(clock.now_s - 100)
        clock.now_s += durations_s[len(began) - 1]
        if len(began) == len(durations_s):
            worker.stop()

    worker = PeriodicWorker(work, period_s=10)
    worker._told_to_stop = clock
    with worker:
        worker._thread.join(10)
    return began


def test_beats_do_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of different length begin on the beat all the same."""
    assert beats_of(VirtualClock(), [1, 9, 0, 5, 3], monkeypatch) == [0, 10, 20, 30, 40]


def test_beats_that_pass_during_a_call_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 25 s the next is at 30 s: no burst, and no shift. One due right now is not lost."""
    assert beats_of(VirtualClock(), [1, 25, 1, 10, 1], monkeypatch) == [0, 10, 40, 50, 60]


def test_a_wait_that_ends_early_makes_no_second_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks are coarse; a beat begun a little early is not begun again."""
    began = beats_of(VirtualClock(early_s=0.5), [0.1, 0.1, 0.1], monkeypatch)

    assert began == pytest.approx([0, 9.5, 19.5])


@given(
    last=st.integers(0, 10**6),
    since_start_s=st.floats(0, 10**9),
    period_s=st.floats(0.001, 10**6),
)
def test_the_next_beat_is_the_first_that_is_not_past(
    last: int, since_start_s: float, period_s: float
) -> None:
    """It is new, it is not past, and no beat between was left out without need."""
    beat = next_beat(last, since_start_s, period_s)

    assert beat > last
    assert beat >= since_start_s / period_s
    assert beat == last + 1 or beat - 1 < since_start_s / period_s


def test_stops_at_once_between_two_beats() -> None:
    """The next beat is an hour away, and the block ends."""
    worked = threading.Event()

    with PeriodicWorker(worked.set, period_s=LONG_S, name="hourly") as worker:
        assert worked.wait(10)
        assert worker.running

    assert not worker.running
    assert worker._thread.name == "hourly"


def test_calls_run_in_one_thread_and_not_in_the_callers() -> None:
    """So they cannot overlap; without a pause between them as well."""
    threads: set[int] = set()
    many = threading.Event()
    calls = 0

    def work() -> None:
        nonlocal calls
        threads.add(threading.get_ident())
        calls += 1
        if calls == 100:
            many.set()

    with PeriodicWorker(work, period_s=0):
        assert many.wait(10)

    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_call_that_has_begun_comes_to_its_end() -> None:
    """Stopping waits for it: nothing is cut off."""
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(10)
        ended.set()

    with PeriodicWorker(work, period_s=LONG_S) as worker:
        assert begun.wait(10)
        worker._told_to_stop.set()
        may_end.set()

    assert ended.is_set()


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, StopIteration])
def test_an_error_of_the_work_reaches_the_caller(error: type[BaseException]) -> None:
    """It ends the worker, and is raised at the end of the block."""
    failed = threading.Event()

    def work() -> None:
        failed.set()
        raise error("no beat")

    worker = PeriodicWorker(work, period_s=0)
    with pytest.raises(error, match="no beat"), worker:
        assert failed.wait(10)

    assert not worker.running


def fail_after_stop(worker: PeriodicWorker) -> None:
    """Wait until the work has failed, and hear of it in the block."""
    with worker:
        worker._thread.join(10)
        assert not worker.running
        worker.stop()


def fail_in_the_block(worker: PeriodicWorker) -> None:
    """Wait until the work has failed, if it is to, and fail in the block as well."""
    with worker:
        worker._thread.join(10 if worker._period_s == 0 else 0)
        raise KeyError


def fail() -> None:
    """Be work that fails."""
    raise ZeroDivisionError


def test_stop_raises_the_error_too_and_only_once_in_a_block() -> None:
    """Raised by `stop` inside the block, it is not noted on itself."""
    with pytest.raises(ZeroDivisionError) as caught:
        fail_after_stop(PeriodicWorker(fail, period_s=0))

    assert not hasattr(caught.value, "__notes__")


def test_an_error_of_the_block_goes_first() -> None:
    """The other one is noted on it; without another there is no note."""
    with pytest.raises(KeyError) as caught:
        fail_in_the_block(PeriodicWorker(fail, period_s=0))
    assert caught.value.__notes__ == ["The periodic work failed too: ZeroDivisionError()"]

    with pytest.raises(KeyError) as caught:
        fail_in_the_block(PeriodicWorker(int, period_s=LONG_S))
    assert not hasattr(caught.value, "__notes__")


def test_stop_may_come_twice_early_or_from_the_work() -> None:
    """Before the start it means: do not begin."""
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        worker.stop()

    worker = PeriodicWorker(work, period_s=0)
    with worker:
        worker._thread.join(10)
        worker.stop()
        worker.stop()
    assert calls == [1]

    idle = PeriodicWorker(work, period_s=0)
    idle.stop()
    with idle:
        pass
    assert calls == [1]


@pytest.mark.parametrize("period_s", [-1, math.nan, math.inf, "1"])
def test_refuses_a_period_that_cannot_be_waited_for(period_s: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """Refused at the call; no thread is begun."""
    with pytest.raises((ValueError, TypeError)):
        PeriodicWorker(int, period_s=period_s)


def test_broken_sleeps_through_its_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop while it sleeps, it runs on until the sleep is over."""
    asleep, wake = threading.Event(), threading.Event()

    def sleep(_: float) -> None:
        asleep.set()
        assert wake.wait(10)

    monkeypatch.setattr(time, "sleep", sleep)
    worker = SleepyWorker(int, period_s=LONG_S)
    worker.thread.start()
    assert asleep.wait(10)
    worker.going = False  # told to stop
    assert worker.thread.is_alive()  # and nothing but the end of its sleep will end it
    wake.set()
    worker.thread.join(10)
    assert not worker.thread.is_alive()


def test_broken_daemon_is_cut_off_in_the_middle() -> None:
    """Paid, but not shipped, not even closed by `finally`; and the exit code says nothing."""
    child = subprocess.run(
        [sys.executable, "-m", "examples.threads.stop_worker_broken"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert child.stdout.splitlines() == ["order 1: paid", "the main thread is done"]
