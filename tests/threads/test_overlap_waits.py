"""overlap_waits: order, overlap, failure, refusal."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads import overlap_waits_broken
from examples.threads.overlap_waits import overlap_waits


class Peak:
    """Count the calls in flight, and keep the highest count."""

    def __init__(self) -> None:
        """Start with none."""
        self.lock = threading.Lock()
        self.running = 0
        self.highest = 0

    def __enter__(self) -> None:
        """Count one more."""
        with self.lock:
            self.running += 1
            self.highest = max(self.highest, self.running)

    def __exit__(self, *failure: object) -> None:
        """Count one less."""
        with self.lock:
            self.running -= 1


def threads_left() -> list[str]:
    """Name the threads of `overlap_waits` that are alive."""
    return [thread.name for thread in threading.enumerate() if "overlap_waits" in thread.name]


def test_answers_keep_the_order_of_the_items() -> None:
    """The first call ends last, and its answer still comes first."""
    second_done = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            assert second_done.wait(10)
        else:
            second_done.set()
        return item * 10

    assert overlap_waits(call, [0, 1]) == [0, 10]


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=5))
def test_is_map(items: list[int], max_threads: int) -> None:
    """Whatever the items and the ceiling, the answers are those of `map`."""
    assert overlap_waits(str, iter(items), max_threads=max_threads) == list(map(str, items))


def test_calls_wait_at_the_same_time() -> None:
    """Each call waits for all the others: only overlap lets any of them pass."""
    everyone = threading.Barrier(5)

    overlap_waits(lambda _: everyone.wait(10), range(5))


@pytest.mark.parametrize("max_threads", [1, 3])
def test_fills_the_ceiling_and_never_passes_it(max_threads: int) -> None:
    """The barrier opens only for a full house, and the peak is counted."""
    peak = Peak()
    full = threading.Barrier(max_threads)

    def call(_: int) -> None:
        with peak:
            full.wait(10)

    overlap_waits(call, range(6), max_threads=max_threads)

    assert peak.highest == max_threads


def test_an_error_reaches_the_caller_when_the_calls_in_flight_have_ended() -> None:
    """The second call fails while the first still waits."""
    failed = threading.Event()
    ended = threading.Event()

    def call(item: int) -> None:
        if item:
            failed.set()
            raise ZeroDivisionError
        assert failed.wait(10)
        ended.set()

    with pytest.raises(ZeroDivisionError):
        overlap_waits(call, [0, 1])

    assert ended.is_set()
    assert threads_left() == []


def test_after_an_error_the_calls_not_begun_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fails; the other, and what the first takes up next, wait until the rest are gone."""
    begun: list[int] = []
    dropped = threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def drop_then_wait(pool: ThreadPoolExecutor, *, cancel_futures: bool) -> None:
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        dropped.set()
        shutdown(pool)

    def call(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise LookupError
        assert dropped.wait(10)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", drop_then_wait)
    with pytest.raises(LookupError):
        overlap_waits(call, range(100), max_threads=2)

    assert sorted(begun) in ([0, 1], [0, 1, 2])
    assert threads_left() == []


def test_of_several_errors_the_first_by_the_items_is_raised() -> None:
    """The second call fails before the first does."""
    second_failed = threading.Event()

    def call(item: int) -> None:
        if item == 0:
            assert second_failed.wait(10)
            raise KeyError
        second_failed.set()
        raise ValueError

    with pytest.raises(KeyError):
        overlap_waits(call, [0, 1])


@pytest.mark.parametrize("error", [StopIteration, SystemExit, GeneratorExit])
def test_no_kind_of_error_is_lost(error: type[BaseException]) -> None:
    """Not taken for the end of anything."""

    def call(_: int) -> None:
        raise error

    with pytest.raises(error):
        overlap_waits(call, [1])


def test_items_that_fail_begin_no_call() -> None:
    """The second item cannot be had; the first was not called."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    called: list[object] = []

    with pytest.raises(OSError, match="no more"):
        overlap_waits(called.append, items())

    assert called == []


@pytest.mark.parametrize("max_threads", [0, -1])
def test_refuses_a_ceiling_below_one(max_threads: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {max_threads}"):
        overlap_waits(str, [], max_threads=max_threads)


@pytest.mark.parametrize("max_threads", [2.5, "3"])
def test_refuses_a_ceiling_that_is_no_whole_number(max_threads: object) -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        overlap_waits(str, [], max_threads=max_threads)  # type: ignore[arg-type]


def test_broken_one_never_overlaps() -> None:
    """Right answers, and never two calls in flight."""
    peak = Peak()

    def call(item: int) -> int:
        with peak:
            return item

    assert overlap_waits_broken.overlap_waits(call, range(50)) == list(range(50))
    assert peak.highest == 1
