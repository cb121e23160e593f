"""map_cpu_bound: result and order, where it runs, failure, refusal."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from math import isqrt
from pickle import PicklingError
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads import cpu_in_threads
from examples.threads.cpu_in_threads import map_cpu_bound
from examples.threads.cpu_in_threads_broken import factorise_in_threads, factors

RunIn = Literal["auto", "threads", "processes"]


@pytest.fixture
def no_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this interpreter say that it runs without a GIL."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)


@pytest.fixture
def gil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this interpreter say that it runs with a GIL."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)


def test_processes_give_the_results_in_order() -> None:
    """The same as one after another."""
    assert map_cpu_bound(isqrt, range(100), workers=2, run_in="processes") == [
        isqrt(number) for number in range(100)
    ]
    assert multiprocessing.active_children() == []


@given(st.lists(st.integers(min_value=0)), st.integers(min_value=1, max_value=5))
def test_threads_give_the_results_in_order(numbers: list[int], workers: int) -> None:
    """Whatever the items and the workers, the results are those of `map`."""
    results = map_cpu_bound(isqrt, iter(numbers), workers=workers, run_in="threads")

    assert results == list(map(isqrt, numbers))


def test_threads_run_beside_each_other() -> None:
    """Each waits for all the others: only if all run at once does the barrier open."""
    everyone = threading.Barrier(3)

    map_cpu_bound(lambda _: everyone.wait(10), range(3), workers=3, run_in="threads")


class WhereAmI:
    """An item that becomes the id of the process that reads it."""

    def __reduce__(self) -> tuple[Callable[[], int], tuple[()]]:
        """Unpickle, in whatever process, as its id."""
        return os.getpid, ()

    def __int__(self) -> int:
        """Say which process this is, if the item was never sent to another."""
        return os.getpid()


@pytest.mark.usefixtures("gil")
def test_with_a_gil_it_runs_in_other_processes() -> None:
    """No result comes from this process."""
    assert os.getpid() not in map_cpu_bound(int, [WhereAmI()] * 4, workers=2)


@pytest.mark.usefixtures("no_gil")
def test_without_a_gil_it_runs_in_threads_of_this_process() -> None:
    """Every result comes from this process, and not from this thread."""
    assert map_cpu_bound(int, [WhereAmI()] * 4, workers=2) == [os.getpid()] * 4
    assert threading.get_ident() not in map_cpu_bound(lambda _: threading.get_ident(), range(4))


@pytest.mark.parametrize("run_in", ["threads", "processes"])
def test_an_error_reaches_the_caller_and_leaves_nothing_running(run_in: RunIn) -> None:
    """A negative number has no square root."""
    with pytest.raises(ValueError, match="nonnegative"):
        map_cpu_bound(isqrt, [4, -1, 9], workers=2, run_in=run_in)

    assert multiprocessing.active_children() == []
    assert not [thread for thread in threading.enumerate() if "map_cpu_bound" in thread.name]


def test_of_several_errors_the_first_by_the_items_is_raised() -> None:
    """The second call fails before the first does."""
    second_failed = threading.Event()

    def compute(item: int) -> None:
        if item == 0:
            assert second_failed.wait(10)
            raise KeyError
        second_failed.set()
        raise ValueError

    with pytest.raises(KeyError):
        map_cpu_bound(compute, [0, 1], workers=2, run_in="threads")


@pytest.mark.parametrize("exit_code", [0, 7])
def test_a_process_that_dies_is_an_error(exit_code: int) -> None:
    """It does not hang, and exit code 0 is a death too."""
    with pytest.raises(BrokenProcessPool):
        map_cpu_bound(os._exit, [exit_code], run_in="processes")

    assert multiprocessing.active_children() == []


def test_refuses_what_cannot_be_sent_to_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lambda has no name to import it by; it is refused before a process starts."""
    monkeypatch.setattr(cpu_in_threads, "ProcessPoolExecutor", pytest.fail)

    with pytest.raises((PicklingError, AttributeError)):
        map_cpu_bound(lambda number: number, [1], run_in="processes")


@pytest.mark.parametrize("run_in", ["auto", "threads", "processes"])
def test_nothing_to_do_starts_nothing(run_in: RunIn) -> None:
    """An empty list, and no process for it."""
    assert map_cpu_bound(isqrt, [], run_in=run_in) == []


@pytest.mark.parametrize("workers", [0, -1])
def test_refuses_workers_below_one(workers: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {workers}"):
        map_cpu_bound(isqrt, [], workers=workers)


@pytest.mark.parametrize("workers", [2.5, "3"])
def test_refuses_workers_that_are_no_whole_number(workers: object) -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        map_cpu_bound(isqrt, [], workers=workers)  # type: ignore[arg-type]


def test_refuses_another_place_to_run() -> None:
    """Refused at the call, naming the three."""
    with pytest.raises(ValueError, match="auto, threads or processes, got 'gpu'"):
        map_cpu_bound(isqrt, [], run_in="gpu")  # type: ignore[arg-type]


@given(st.integers(min_value=1, max_value=3_000))
def test_factors_divide_and_none_is_missing(number: int) -> None:
    """Checked by another way: divisors come in pairs, on both sides of the square root."""
    small = [divisor for divisor in range(1, isqrt(number) + 1) if number % divisor == 0]

    assert factors(number) == sorted({*small, *(number // divisor for divisor in small)})


@given(st.integers(min_value=2, max_value=60), st.integers(min_value=2, max_value=60))
def test_a_product_is_never_taken_for_a_prime(one: int, other: int) -> None:
    """A prime has two divisors; 4, 8 and 10 have more."""
    assert len(factors(one * other)) > 2


def test_broken_one_is_right_if_nothing_fails() -> None:
    """Which is why it stays in use."""
    assert factorise_in_threads([10, 13]) == [[1, 2, 5, 10], [1, 13]]


def test_broken_one_hides_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller sees a missing attribute; what went wrong is told to the hook only."""
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: told.append(failure.exc_value))

    with pytest.raises(AttributeError, match="factors"):
        factorise_in_threads([10, 0])

    assert [str(error) for error in told] == ["number must be 1 or more, got 0"]
