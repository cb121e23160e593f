"""WatchedValue: who wakes, with what, and who does not; and three conditions that do it wrong."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from examples.threads.wait_for_condition import WatchedValue
from examples.threads.wait_for_condition_broken import Number, Shelf, Signal


class Asked:
    """A predicate that counts how often it was asked, and says no to everything below `wanted`."""

    def __init__(self, wanted: int) -> None:
        """Say yes to `wanted` and above."""
        self.wanted = wanted
        self.times = threading.Semaphore(0)

    def __call__(self, value: int) -> bool:
        """Count, and answer."""
        self.times.release()
        return value >= self.wanted


def test_a_value_that_fits_already_is_returned_at_once() -> None:
    """No change is needed, so the change that came before the wait is not lost."""
    state = WatchedValue("new")
    state.set("ready")

    assert state.wait_for(lambda value: value == "ready", timeout_s=0) == "ready"
    assert state.get() == "ready"


def test_every_waiting_thread_looks_at_every_change() -> None:
    """Threads that want different values are woken by each change and sleep on until theirs."""
    state = WatchedValue(0)
    asked = [Asked(1), Asked(2), Asked(2)]
    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(state.wait_for, each, timeout_s=30) for each in asked]
        for each in asked:  # asked once: each is waiting, or about to, with the lock in hand
            assert each.times.acquire(timeout=10)
        state.set(1)
        for each in asked:  # all were woken
            assert each.times.acquire(timeout=10)
        assert found[0].result(10) == 1
        state.set(2)

        assert [each.result(10) for each in found[1:]] == [2, 2]


def test_returns_the_value_that_fitted() -> None:
    """Value and answer belong together: both were read under one lock."""
    state = WatchedValue(0)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            state.update(lambda number: number + 1)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(20):
            assert state.wait_for(lambda number: number % 3 == 1, timeout_s=30) % 3 == 1
    finally:
        stop.set()
        thread.join(10)


def test_updates_are_atomic() -> None:
    """Two threads meet inside the change if it can be entered twice; it cannot."""
    state = WatchedValue(0)
    inside = peak = 0

    def change(number: int) -> int:
        nonlocal inside, peak
        inside += 1
        peak = max(peak, inside)
        inside -= 1
        return number + 1

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(state.update, change) for _ in range(400)]:
            each.result(10)

    assert peak == 1
    assert state.get() == 400


def test_a_timeout_names_the_value() -> None:
    """The value never fits."""
    state = WatchedValue("starting")

    with pytest.raises(TimeoutError, match=r"value still 'starting' after 0.01 s"):
        state.wait_for(lambda value: value == "ready", timeout_s=0.01)


def test_an_error_of_the_change_leaves_the_value_and_the_lock() -> None:
    """The caller of update gets it, and the next call goes through."""
    state = WatchedValue(1)

    with pytest.raises(ZeroDivisionError):
        state.update(lambda number: number // 0)

    assert state.update(lambda number: number + 1) == 2


def test_an_error_of_the_predicate_reaches_the_one_who_waits() -> None:
    """Also after it was woken; the others wait on."""
    state: WatchedValue[int | None] = WatchedValue(0)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(state.wait_for, lambda value: value == 5, timeout_s=30)

        state.set(None)
        with pytest.raises(TypeError):
            state.wait_for(lambda value: value > 3, timeout_s=10)
        state.set(5)

        assert other.result(10) == 5


def test_a_limit_beyond_the_clock_is_no_limit() -> None:
    """`math.inf` is a number of seconds too."""
    assert WatchedValue(1).wait_for(bool, timeout_s=math.inf) == 1


@pytest.mark.parametrize("timeout_s", [-1, math.nan])
def test_refuses_a_negative_limit(timeout_s: float) -> None:
    """Refused even if the value fits already."""
    with pytest.raises(ValueError, match=f"0 or more, got {timeout_s}"):
        WatchedValue(1).wait_for(bool, timeout_s=timeout_s)


def test_broken_signal_that_comes_first_is_lost() -> None:
    """It was sent, and who waits for it afterwards waits until the limit."""
    signal = Signal()
    signal.send()

    assert signal.wait(timeout_s=0.01) is False


def test_broken_shelf_wakes_two_for_one_item() -> None:
    """One of two waiting threads takes the item; the other finds nothing, and fails."""
    shelf = Shelf()
    with ThreadPoolExecutor(2) as pool:
        takes = [pool.submit(shelf.take) for _ in range(2)]
        for _ in takes:
            assert shelf.waiting.acquire(timeout=10)
        shelf.put("item")
        outcomes = [(each.exception(10), each) for each in takes]

    errors = [error for error, _ in outcomes if error is not None]
    assert [each.result() for error, each in outcomes if error is None] == ["item"]
    assert [type(error) for error in errors] == [IndexError]


def test_broken_number_wakes_the_wrong_thread() -> None:
    """The thread that has waited longest is woken, and wants another number."""
    number = Number()
    with ThreadPoolExecutor(2) as pool:
        wants_one = pool.submit(number.wait_for, 1, timeout_s=30)
        assert number.waiting.acquire(timeout=10)
        wants_two = pool.submit(number.wait_for, 2, timeout_s=0.2)
        assert number.waiting.acquire(timeout=10)
        number.set(2)
        assert number.waiting.acquire(timeout=10)  # the wrong one was woken and waits again

        assert wants_two.result(10) == "slept through it"
        number.set(1)
        assert wants_one.result(10) == "woken"
