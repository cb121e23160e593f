"""RateLimit: the bound in any window, order, no drift, no lost start; and one without a bound."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.threads import limit_rate, limit_rate_broken
from examples.threads.limit_rate import RateLimit

SOURCES = Path(__file__).resolve().parents[2] / "src"
TICK = 1e-6  # far more than the rounding of times, far less than any interval here


class Clock:
    """A clock that stands still unless told; waits for a limit end when it is told."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now

    def condition(self, lock: Any) -> "AdvancingCondition":  # noqa: ANN401 - a lock
        """Make a condition whose wait lets the time pass, for a single thread."""
        return AdvancingCondition(lock, self)

    def advance(self, limit: RateLimit, seconds: float) -> None:
        """Let time pass, and have everyone in line look at the clock."""
        with limit._lock:
            self.now += seconds
            for turn in limit._line:
                turn.notify()


class AdvancingCondition(threading.Condition):
    """Nobody else runs, so a wait ends by its limit."""

    late_s = 0.0

    def __init__(self, lock: Any, clock: Clock) -> None:  # noqa: ANN401 - a lock
        """Keep the clock."""
        super().__init__(lock)
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass."""
        assert timeout is not None
        self._clock.now += timeout + self.late_s
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for other threads, not for ever."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.001)


def most_too_many(times: list[float], interval_s: float, burst: int) -> float:
    """Tell by how many starts some stretch of time passes the promised bound."""
    return max(
        later - earlier + 1 - burst - (times[later] - times[earlier]) / interval_s
        for earlier, later in itertools.combinations_with_replacement(range(len(times)), 2)
    )


@settings(deadline=None)
@given(
    st.integers(min_value=1, max_value=5),  # starts per period
    st.integers(min_value=1, max_value=4),  # interval
    st.integers(min_value=1, max_value=4),  # burst
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=9),  # pause before the call
            st.none() | st.integers(min_value=0, max_value=9),  # patience
        ),
        min_size=1,
        max_size=15,
    ),
)
def test_starts_are_on_time_and_within_the_bound(
    max_starts: int, interval: int, burst: int, calls: list[tuple[int, int | None]]
) -> None:
    """One thread, whatever its pauses and its patience: as a model says that waits for nothing."""
    clock = Clock()
    limit = RateLimit(max_starts, period_s=interval * max_starts, burst=burst, clock=clock)
    starts: list[float | None] = []
    expected: list[float | None] = []
    rested, model = -1000.0, 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit_rate, "Condition", clock.condition)
        for pause, patience in calls:
            timeout_s = None if patience is None else patience + 0.5 * (patience > 0)
            clock.now += pause
            try:
                limit.acquire(timeout_s=timeout_s)
                starts.append(clock.now)
            except TimeoutError:
                starts.append(None)

            model += pause
            start = max(model, rested - (burst - 1) * interval)
            if timeout_s is not None and start > model + timeout_s:
                model += timeout_s
                expected.append(None)
            else:
                rested, model = max(rested, start) + interval, start
                expected.append(start)

    assert starts == [pytest.approx(at) for at in expected]
    times = [at for at in starts if at is not None]
    if times:
        assert most_too_many(times, interval, burst) < TICK


@pytest.mark.parametrize(
    ("burst", "last"), [(1, 100 * 1.3), (2, 100 - 1 + 0.3), (5, 100 - 4 + 0.3)]
)
def test_late_wakers_cost_no_rate_within_the_burst(
    burst: int, last: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred starts one by one: with a burst, the last is late once, and not a hundred times."""
    clock = Clock()
    monkeypatch.setattr(limit_rate, "Condition", clock.condition)
    monkeypatch.setattr(AdvancingCondition, "late_s", 0.3)
    limit = RateLimit(1, period_s=1, burst=burst, clock=clock)

    times = []
    for _ in range(101):
        limit.acquire()
        times.append(clock.now)

    assert times[-1] == pytest.approx(last)
    assert most_too_many(times, 1, burst) < TICK


class Crowd:
    """Threads that wait for a limit in a known order, on a clock that stands."""

    def __init__(self, limit: RateLimit, patience_s: list[float | None]) -> None:
        """Let one thread after the other come; the first starts are used up already."""
        self.limit = limit
        self.starts: list[int] = []
        self.gave_up: list[int] = []
        self._threads = []  # daemons: if the limit hangs, the test fails and does not hang
        for number, timeout_s in enumerate(patience_s):
            call = threading.Thread(target=self._call, args=(number, timeout_s), daemon=True)
            self._threads.append(call)
            call.start()
            wait_until(lambda number=number: len(limit._line) == number + 1)  # type: ignore[misc]

    def _call(self, number: int, timeout_s: float | None) -> None:
        try:
            self.limit.acquire(timeout_s=timeout_s)
            self.starts.append(number)
        except TimeoutError:
            self.gave_up.append(number)

    def settle(self, left: int) -> None:
        """Wait until so many are left in line, and the others have told."""
        wait_until(lambda: len(self.starts) + len(self.gave_up) + left == len(self._threads))
        assert len(self.limit._line) == left

    def end(self) -> None:
        """See that all have ended, and told."""
        for call in self._threads:
            call.join(30)
        self.settle(0)


def test_threads_go_in_the_order_in_which_they_came() -> None:
    """One per interval, whoever looks at the clock first; three after a standstill."""
    clock = Clock()
    limit = RateLimit(1, period_s=1000, burst=3, clock=clock)
    for _ in range(3):
        limit.acquire()
    crowd = Crowd(limit, [None] * 8)

    clock.advance(limit, 999)
    crowd.settle(8)
    for begun in (1, 2):
        clock.advance(limit, 1 if begun == 1 else 1000)
        crowd.settle(8 - begun)
    clock.advance(limit, 50_000)
    crowd.settle(3)
    assert sorted(crowd.starts[2:]) == [2, 3, 4]
    for left in (2, 1, 0):
        clock.advance(limit, 1000)
        crowd.settle(left)
    crowd.end()

    assert [*crowd.starts[:2], *crowd.starts[5:]] == [0, 1, 5, 6, 7]


@pytest.mark.parametrize("rank", [0, 2, 4], ids=["first", "middle", "last"])
def test_a_waiter_that_gives_up_costs_nobody_a_start(rank: int) -> None:
    """Those behind it move up, and the first of them goes when it would have gone."""
    clock = Clock()
    limit = RateLimit(1, period_s=1000, clock=clock)
    limit.acquire()
    crowd = Crowd(limit, [600.0 if number == rank else None for number in range(5)])

    clock.advance(limit, 600)
    crowd.settle(4)
    assert crowd.gave_up == [rank]
    for left in (3, 2, 1, 0):
        clock.advance(limit, 400 if left == 3 else 1000)
        crowd.settle(left)
    crowd.end()

    assert crowd.starts == [number for number in range(5) if number != rank]


@pytest.mark.parametrize(
    ("period_s", "first"),
    [(500.0, 250.0), (8000.0, 4000.0)],
    ids=["faster", "slower"],
)
def test_the_rate_changes_while_some_wait(period_s: float, first: float) -> None:
    """Half of an interval is left, so the first in line waits for half of the new one."""
    clock = Clock()
    limit = RateLimit(1, period_s=1000, clock=clock)
    limit.acquire()
    crowd = Crowd(limit, [None] * 2)

    clock.advance(limit, 500)
    limit.change_rate(1, period_s=period_s)
    clock.advance(limit, first - 1)
    crowd.settle(2)
    clock.advance(limit, 1)
    crowd.settle(1)
    clock.advance(limit, period_s)
    crowd.settle(0)
    crowd.end()

    assert crowd.starts == [0, 1]


def test_a_faster_rate_wakes_the_first_in_line() -> None:
    """It sleeps for an hour, and nobody else would wake it."""
    limit = RateLimit(1, period_s=3600)
    limit.acquire()
    crowd = Crowd(limit, [None])

    limit.change_rate(1000, period_s=1e-3)
    crowd.end()

    assert crowd.starts == [0]


@pytest.mark.parametrize("jump", [1000, -1000])
def test_a_clock_that_jumps_costs_a_burst_at_most(
    jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward it gives one burst, backward it takes one."""
    clock = Clock()
    monkeypatch.setattr(limit_rate, "Condition", clock.condition)
    limit = RateLimit(1, period_s=2, burst=3, clock=clock)
    times = []
    for _ in range(2):
        begin = clock.now
        for _ in range(5):
            limit.acquire()
            times.append(clock.now - begin)
        clock.now += jump

    assert times == [0, 0, 0, 2, 4, *([0, 0, 0, 2, 4] if jump > 0 else [2, 4, 6, 8, 10])]


def test_does_not_wait_if_told_so() -> None:
    """The second may not begin, and the third neither: trying costs nothing."""
    clock = Clock()
    limit = RateLimit(1, period_s=10, clock=clock)
    limit.acquire(timeout_s=0)
    for _ in range(2):
        with pytest.raises(TimeoutError, match="within 0 s"):
            limit.acquire(timeout_s=0)
    clock.now = 10
    limit.acquire(timeout_s=0)


@pytest.mark.parametrize("number", [0, -1])
def test_refuses_counts_below_one(number: int) -> None:
    """Naming the bound and the value; a limit in use keeps its rate."""
    with pytest.raises(ValueError, match=f"max_starts must be 1 or more, got {number}"):
        RateLimit(number, period_s=1)
    with pytest.raises(ValueError, match=f"burst must be 1 or more, got {number}"):
        RateLimit(1, period_s=1, burst=number)
    clock = Clock()
    limit = RateLimit(1, period_s=7, clock=clock)
    with pytest.raises(ValueError, match=f"max_starts must be 1 or more, got {number}"):
        limit.change_rate(number, period_s=1)
    limit.acquire()
    clock.now = 6
    with pytest.raises(TimeoutError):
        limit.acquire(timeout_s=0)


@pytest.mark.parametrize("period_s", [0, -0.5, float("inf"), float("nan")])
def test_refuses_a_period_that_is_none(period_s: float) -> None:
    """Naming the bound and the value."""
    for refuse in (RateLimit, RateLimit(1, period_s=1).change_rate):
        with pytest.raises(ValueError, match=f"more than 0, and finite, got {period_s}"):
            refuse(1, period_s=period_s)


@pytest.mark.parametrize("timeout_s", [-1, -0.5, float("nan")])
def test_refuses_a_negative_patience(timeout_s: float) -> None:
    """Naming the bound and the value, and no start is used up."""
    limit = RateLimit(1, period_s=3600)
    with pytest.raises(ValueError, match=f"timeout_s must be 0 or more, got {timeout_s}"):
        limit.acquire(timeout_s=timeout_s)
    limit.acquire(timeout_s=0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_starts": 2.5, "period_s": 1},
        {"max_starts": "2", "period_s": 1},
        {"max_starts": 2, "period_s": "1"},
        {"max_starts": 2, "period_s": None},
        {"max_starts": 2, "period_s": 1, "burst": 1.5},
    ],
    ids=str,
)
def test_refuses_what_is_no_number(arguments: dict[str, Any]) -> None:
    """At the call."""
    with pytest.raises(TypeError):
        RateLimit(**arguments)


def test_a_patience_without_end() -> None:
    """Longer than a lock can wait: it is cut up."""
    limit = RateLimit(1, period_s=1e300, burst=1)
    limit.acquire(timeout_s=float("inf"))
    crowd = Crowd(limit, [float("inf")])
    limit.change_rate(1000, period_s=1e-3)
    crowd.end()
    assert crowd.starts == [0]


def test_the_broken_limit_lets_all_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """All four have looked at the last start before the first of them sets out."""
    looked = threading.Barrier(4)
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        asked.append(seconds)
        looked.wait(10)

    standing = SimpleNamespace(sleep=sleep, monotonic=lambda: 0.0)
    monkeypatch.setattr(limit_rate_broken, "time", standing)
    limit = limit_rate_broken.RateLimit(1, period_s=1000)  # type: ignore[no-untyped-call]
    limit.last_s = 0.0
    with ThreadPoolExecutor(4) as pool:
        for call in [pool.submit(limit.acquire) for _ in range(4)]:
            call.result(timeout=30)

    assert asked == [1000] * 4  # not 1000, 2000, 3000, 4000
