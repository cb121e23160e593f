"""measure_start: seconds per start on a clock of the test's own, failure, refusal."""

import threading
import time
from collections.abc import Iterator
from itertools import count, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.performance import starting_costs_broken
from examples.performance.starting_costs import measure_start


class Clock:
    """A clock that goes forward only when something is started."""

    def __init__(self, costs_s: Iterator[float]) -> None:
        """Begin at nought; each call of `start_and_end` takes its cost from `costs_s`."""
        self.now, self.costs_s = 0.0, costs_s
        self.counts: list[int] = []

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def start_and_end(self, count: int) -> None:
        """Let the time pass that so many starts take."""
        self.counts.append(count)
        self.now += count * next(self.costs_s)


def test_gives_seconds_per_start_whatever_their_number() -> None:
    """A start takes a quarter of a second: a sample of two seconds has eight of them."""
    clock = Clock(repeat(0.25))

    cost = measure_start(clock.start_and_end, shortest_sample_s=2, clock=clock)

    assert cost == (0.25, 0.25, 0.25, 15, 8)
    assert clock.counts == [1, 2, 4, *[8] * 16]


def test_one_slow_sample_of_fifteen_changes_nothing() -> None:
    """Neither the median nor the interval follows it; a mean would."""
    clock = Clock(iter([1.0, *[1.0] * 7, 1_000.0, *[1.0] * 7]))

    cost = measure_start(clock.start_and_end, shortest_sample_s=1, clock=clock)

    assert cost[:3] == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("samples", "ends"), [(6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (15, (4, 12)), (31, (10, 22))]
)
def test_the_interval_leaves_out_as_many_as_the_tables_say(
    samples: int, ends: tuple[int, int]
) -> None:
    """Samples of 1, 2, 3 and so on: the ends name themselves."""
    clock = Clock(iter([1.0, *map(float, range(1, samples + 1))]))

    cost = measure_start(clock.start_and_end, samples=samples, shortest_sample_s=1, clock=clock)

    assert (cost.low_s, cost.high_s) == ends
    assert cost.median_s == (samples + 1) / 2


@given(st.lists(st.integers(min_value=1, max_value=9), min_size=6, max_size=40))
def test_the_median_lies_in_its_interval(costs_s: list[int]) -> None:
    """Whatever the samples are."""
    clock = Clock(iter([1, *costs_s]))

    cost = measure_start(
        clock.start_and_end, samples=len(costs_s), shortest_sample_s=1, clock=clock
    )

    assert min(costs_s) <= cost.low_s <= cost.median_s <= cost.high_s <= max(costs_s)


def test_all_that_was_started_has_ended_when_the_clock_stops() -> None:
    """A clock that looks around sees no thread of ours, ever."""
    alive: list[int] = []

    def look() -> float:
        alive.append(sum(thread.name == "started" for thread in threading.enumerate()))
        return float(len(alive))

    def start_and_end(count: int) -> None:
        threads = [threading.Thread(target=int, name="started") for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    measure_start(start_and_end, samples=6, shortest_sample_s=1, clock=look)

    assert set(alive) == {0}


def test_an_error_reaches_the_caller_at_once() -> None:
    """The third call fails, and there is no fourth."""
    calls = count(1)

    def start_and_end(_: int) -> None:
        if next(calls) == 3:
            raise OSError("no more threads")

    with pytest.raises(OSError, match="no more threads"):
        measure_start(start_and_end, clock=count().__next__)

    assert next(calls) == 4


def test_a_clock_that_goes_backward_is_refused() -> None:
    """Somebody set it."""
    with pytest.raises(RuntimeError, match="went backward"):
        measure_start(lambda _: None, clock=count(0, -1).__next__)


def test_a_clock_that_stands_still_is_refused() -> None:
    """The measurement would not end."""
    with pytest.raises(RuntimeError, match="stands still"):
        measure_start(lambda _: None, clock=lambda: 0.0)


@pytest.mark.parametrize("samples", [5, 0, -1])
def test_refuses_too_few_samples(samples: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"6 or more, got {samples}"):
        measure_start(print, samples=samples)


def test_refuses_samples_that_are_no_whole_number() -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        measure_start(print, samples=6.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("shortest_sample_s", [0, -1, float("nan")])
def test_refuses_samples_of_no_length(shortest_sample_s: float) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"above 0, got {shortest_sample_s}"):
        measure_start(print, shortest_sample_s=shortest_sample_s)


def test_broken_one_stops_the_clock_while_the_thread_still_works() -> None:
    """It has its answer, and the work has not even been allowed to end."""
    go_on = threading.Event()

    _, thread = starting_costs_broken.time_thread(lambda: go_on.wait(10))

    assert thread.is_alive()
    go_on.set()
    thread.join(10)


def test_broken_one_believes_a_clock_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was set back by an hour meanwhile: the thread took less than no time."""
    monkeypatch.setattr(time, "time", iter([7_200.0, 3_600.0]).__next__)

    taken_s, thread = starting_costs_broken.time_thread(int)
    thread.join(10)

    assert taken_s == -3_600
