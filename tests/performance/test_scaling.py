"""measure_ceiling: arithmetic by a clock of ours, overlap, failure, refusal."""

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import count
from typing import Any

import pytest

from examples.performance.scaling import measure_ceiling

COPIES = 3


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", sorted(multiprocessing.get_all_start_methods()))
def test_copies_run_at_the_same_time(method: str) -> None:
    """Each copy waits for two others, which for the one alone come from here: from the clock."""
    with (
        multiprocessing.get_context("spawn").Manager() as manager,
        ThreadPoolExecutor(COPIES - 1) as others,
    ):
        everyone = manager.Barrier(COPIES)
        readings = count()

        def clock() -> float:
            now = next(readings)
            if now == 2:  # all copies have warmed up, and one alone begins
                for _ in range(COPIES - 1):
                    others.submit(everyone.wait, 10)
            return now

        ceiling = measure_ceiling(
            partial(everyone.wait, 10), copies=COPIES, rounds=1, start_method=method, clock=clock
        )

    assert ceiling == COPIES
    assert next(readings) == 6
    assert multiprocessing.active_children() == []


def test_copies_that_take_turns_are_worth_one_core() -> None:
    """Three together take three times as long as one."""
    times = iter([0, 1, 10, 11, 20, 23])

    assert (
        measure_ceiling(
            int, copies=COPIES, rounds=1, start_method="spawn", clock=lambda: next(times)
        )
        == 1
    )


def test_the_median_of_the_rounds_is_returned() -> None:
    """One round of three is disturbed; each reading of the clock is laid down here."""
    one_round = [0, 2, 2, 4]  # one copy, then both: as long
    times = iter([0, 1, *one_round, 0, 2, 2, 102, *one_round])

    ceiling = measure_ceiling(
        int, copies=2, start_method="spawn", rounds=3, clock=lambda: next(times)
    )

    assert ceiling == 2
    assert list(times) == []


def test_one_copy_is_its_own_ceiling() -> None:
    """Alone and together are the same."""
    times = iter([0, 1, 1, 2, 2, 3])

    assert (
        measure_ceiling(int, copies=1, rounds=1, start_method="spawn", clock=lambda: next(times))
        == 1
    )


def test_an_error_reaches_the_caller_and_leaves_no_process() -> None:
    """What the work raised, not that a pool broke."""
    with pytest.raises(ValueError, match="invalid literal"):
        measure_ceiling(partial(int, "no number"), copies=2, start_method="spawn")

    assert multiprocessing.active_children() == []


def test_a_copy_that_dies_ends_the_others() -> None:
    """The pool is broken, and nobody waits for the one that is gone."""
    with pytest.raises(BrokenProcessPool):
        measure_ceiling(partial(os._exit, 3), copies=2, start_method="spawn")

    assert multiprocessing.active_children() == []


def test_copies_that_do_not_start_in_time_are_an_error() -> None:
    """No time at all: the first at the line does not wait for the second."""
    with pytest.raises(threading.BrokenBarrierError):
        measure_ceiling(int, copies=2, start_method="spawn", timeout_s=0)

    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("times", [[1, 0], [1, 1]])
def test_refuses_a_clock_that_does_not_go_forward(times: list[int]) -> None:
    """Set back, or so coarse that the work took no time: a ratio would be nonsense."""
    readings = iter(times)

    with pytest.raises(RuntimeError, match="clock"):
        measure_ceiling(int, copies=1, start_method="spawn", clock=lambda: next(readings))

    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("name", ["copies", "rounds"])
def test_refuses_counts_below_one(name: str, number: int) -> None:
    """Refused at the call, naming the value."""
    counts: dict[str, Any] = {"copies": 1, name: number}

    with pytest.raises(ValueError, match=f"{name} must be 1 or more, got {number}"):
        measure_ceiling(int, **counts)


@pytest.mark.parametrize("name", ["copies", "rounds"])
def test_refuses_counts_that_are_not_whole(name: str) -> None:
    """Refused at the call."""
    counts: dict[str, Any] = {"copies": 1, name: 1.5}

    with pytest.raises(TypeError):
        measure_ceiling(int, **counts)


def test_refuses_a_start_method_that_is_not_there() -> None:
    """Refused at the call, by its name."""
    with pytest.raises(ValueError, match="teleport"):
        measure_ceiling(int, copies=1, start_method="teleport")
