"""limit_concurrency: the ceiling is filled and kept, permits come back, refusals; a rising one."""

import math
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads.limit_concurrency import ConcurrencyLimit
from examples.threads.limit_concurrency_broken import call_limited


def free_permits(limit: ConcurrencyLimit) -> int:
    """Count the permits that can be had without waiting."""
    taken = 0
    while limit._permits.acquire(blocking=False):
        taken += 1
    for _ in range(taken):
        limit._permits.release()
    return taken


def refuse() -> None:
    """Fail as a call over a network does."""
    raise OSError("refused")


@pytest.mark.parametrize("max_running", [1, 2, 5])
def test_fills_the_ceiling_and_never_passes_it(max_running: int) -> None:
    """Threads wait inside for as many as the ceiling allows; the peak is counted."""
    limit = ConcurrencyLimit(max_running)
    full = threading.Barrier(max_running)  # only a full house opens it, round after round
    counting = threading.Lock()
    running = peak = 0

    def work() -> None:
        nonlocal running, peak
        with limit.permit():
            with counting:
                running += 1
                peak = max(peak, running)
            full.wait(10)
            with counting:
                running -= 1

    threads = [threading.Thread(target=work) for _ in range(3 * max_running)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not full.broken
    assert peak == max_running
    assert free_permits(limit) == max_running


def test_a_waiting_thread_gets_the_permit_that_comes_free() -> None:
    """It is in the block only after the holder has left."""
    limit, order, entered = ConcurrencyLimit(1), [], threading.Event()

    def wait_for_it() -> None:
        with limit.permit(timeout_s=10):
            order.append("second in")
            entered.set()

    with limit.permit():
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        order.append("first out")
    assert entered.wait(10)
    thread.join()

    assert order == ["first out", "second in"]


@pytest.mark.parametrize("timeout_s", [0, 0.01])
def test_no_permit_in_time(timeout_s: float) -> None:
    """Told so, the block does not run, and nothing is given back that was not taken."""
    limit = ConcurrencyLimit(2)

    with limit.permit(), limit.permit():
        with pytest.raises(TimeoutError, match="no permit of 2"), limit.permit(timeout_s=timeout_s):
            pytest.fail("ran without a permit")
        assert free_permits(limit) == 0

    assert free_permits(limit) == 2


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, StopIteration, KeyboardInterrupt])
def test_an_error_in_the_block_gives_the_permit_back(error: type[BaseException]) -> None:
    """The error reaches the caller as it is."""
    limit = ConcurrencyLimit(1)

    with pytest.raises(error), limit.permit():
        raise error

    assert free_permits(limit) == 1


def test_a_permit_cannot_be_given_back_twice() -> None:
    """Leaving a second time changes nothing, also while others hold permits."""
    limit = ConcurrencyLimit(2)
    permit = limit.permit()

    with limit.permit():
        permit.__enter__()
        permit.__exit__(None, None, None)
        permit.__exit__(None, None, None)
        assert free_permits(limit) == 1

    assert free_permits(limit) == 2


def hold_all_then_ask(limit: ConcurrencyLimit, max_running: int) -> None:
    """Hold every permit, and ask for one more without waiting."""
    with ExitStack() as stack:
        for _ in range(max_running):
            stack.enter_context(limit.permit())
        stack.enter_context(limit.permit(timeout_s=0))


def fail_inside(limit: ConcurrencyLimit, _: int) -> None:
    """Fail while holding a permit."""
    with limit.permit():
        refuse()


@given(
    max_running=st.integers(1, 4),
    ends=st.lists(st.sampled_from([hold_all_then_ask, fail_inside]), max_size=20),
)
def test_whatever_happens_all_permits_come_back(
    max_running: int, ends: list[Callable[[ConcurrencyLimit, int], None]]
) -> None:
    """Any run of blocks that fail, or find no permit."""
    limit = ConcurrencyLimit(max_running)

    for end in ends:
        with pytest.raises((OSError, TimeoutError)):
            end(limit, max_running)

        assert free_permits(limit) == max_running


@pytest.mark.parametrize("max_running", [0, -1])
def test_refuses_a_ceiling_below_one(max_running: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {max_running}"):
        ConcurrencyLimit(max_running)


@pytest.mark.parametrize("timeout_s", [-1, -0.001, math.nan, math.inf, "1"])
def test_refuses_a_timeout_that_cannot_be_waited_for(timeout_s: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """Refused at the call, not on entering. A semaphore takes NaN, and waits for ever."""
    with pytest.raises((ValueError, TypeError)):
        ConcurrencyLimit(1).permit(timeout_s=timeout_s)


def count_free(permits: threading.Semaphore) -> int:
    """Take all permits that can be had, and count them."""
    taken = 0
    while permits.acquire(blocking=False):
        taken += 1
    return taken


def test_broken_raises_the_ceiling_of_a_semaphore() -> None:
    """Each failure makes one permit more, and nobody is told."""
    permits = threading.Semaphore(2)

    for _ in range(3):
        with pytest.raises(OSError, match="refused"):
            call_limited(permits, refuse)

    assert count_free(permits) == 5


def test_a_bounded_semaphore_tells_when_all_permits_are_back() -> None:
    """The second release is one too many."""
    with pytest.raises(ValueError, match="released too many times"):
        call_limited(threading.BoundedSemaphore(2), refuse)


def test_a_bounded_semaphore_tells_the_wrong_one_while_others_hold_permits() -> None:
    """The permit given back twice is another's; it is told when it gives back its own."""
    permits = threading.BoundedSemaphore(2)
    permits.acquire()  # another, who does nothing wrong

    with pytest.raises(OSError, match="refused"):
        call_limited(permits, refuse)
    assert count_free(permits) == 2  # two get in beside the first: three, under a ceiling of two
    permits.release()
    permits.release()
    with pytest.raises(ValueError, match="released too many times"):
        permits.release()
