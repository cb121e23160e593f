"""map_unordered: pairs as they finish, the window, failures as outcomes, faults, refusal."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from math import isqrt

import pytest
from executors import NotingPool
from hypothesis import given
from hypothesis import strategies as st

from examples.futures import map_unordered_broken
from examples.futures.map_unordered import map_unordered

pytestmark = pytest.mark.usefixtures("nothing_left")
MakeExecutor = Callable[[int], Executor]


def test_each_item_comes_with_its_outcome(make_executor: MakeExecutor) -> None:
    """In every executor, errors included."""
    with make_executor(2) as executor:
        outcomes = dict(map_unordered(isqrt, iter([4, -1, 9, 16]), executor=executor, window=2))

        assert isinstance(outcomes.pop(-1).exception(), ValueError)
        assert {item: outcome.result() for item, outcome in outcomes.items()} == {4: 2, 9: 3, 16: 4}


def test_an_endless_input_is_read_no_further_than_the_window(make_executor: MakeExecutor) -> None:
    """Nothing before the first pair is asked for; then three pairs and the window at most."""
    pulled: list[int] = []
    items = (pulled.append(number) or number for number in itertools.count())
    with (
        make_executor(2) as executor,
        closing(map_unordered(isqrt, items, executor=executor, window=3)) as pairs,
    ):
        assert pulled == []
        for item, outcome in itertools.islice(pairs, 3):
            assert outcome.result() == isqrt(item)
        assert len(pulled) <= 3 + 3


@given(
    items=st.lists(st.integers(-3, 9)),
    window=st.integers(1, 9),
    workers=st.integers(1, 4),
    leaves=st.none() | st.integers(0, 20),
    ends=st.none() | st.integers(0, 20),
)
def test_whatever_fails_and_wherever_it_is_left(
    items: list[int], window: int, workers: int, leaves: int | None, ends: int | None
) -> None:
    """Each item pulled has one right outcome; the window holds; every call has ended."""
    handed = ahead = 0

    def pull() -> Iterator[int]:
        nonlocal ahead
        for pulled, item in enumerate(items):
            if pulled == ends:
                raise OSError
            ahead = max(ahead, pulled + 1 - handed)
            yield item

    with NotingPool(workers) as executor:
        found = []
        failed = False
        with closing(map_unordered(isqrt, pull(), executor=executor, window=window)) as pairs:
            try:
                for pair in itertools.islice(pairs, leaves):
                    handed += 1
                    found.append(pair)
            except OSError:
                failed = True
        assert all(call.done() for call in executor.given)

    assert ahead <= window
    for item, outcome in found:
        if item < 0:
            assert isinstance(outcome.exception(), ValueError)
        else:
            assert outcome.result() == isqrt(item)
    everything = Counter(items if ends is None else items[:ends])
    if leaves is None or leaves > everything.total():
        assert Counter(item for item, _ in found) == everything
        assert failed == (ends is not None and ends < len(items))
    else:
        assert len(found) == leaves
        assert Counter(item for item, _ in found) <= everything


@pytest.mark.parametrize("window", [1, 3])
def test_as_many_calls_run_as_the_window_has(window: int) -> None:
    """Only a full house opens the barrier; the executor would have room for more."""
    full = threading.Barrier(window)
    lock = threading.Lock()
    running = peak = 0

    def call(_: int) -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        full.wait(10)
        with lock:
            running -= 1

    with ThreadPoolExecutor(8) as executor:
        for _, outcome in map_unordered(call, range(5 * window), executor=executor, window=window):
            outcome.result()
    assert peak == window


def test_an_outcome_does_not_wait_for_the_window_to_fill() -> None:
    """A slow input: the first call has ended when the second item is had."""
    go_on, handed_in = threading.Event(), threading.Event()
    pulled: list[int] = []

    def items() -> Iterator[int]:
        yield 0
        executor.given[0].add_done_callback(lambda _: handed_in.set())
        go_on.set()
        assert handed_in.wait(10)
        pulled.append(1)
        yield 1
        pulled.append(2)
        yield 2

    def call(item: int) -> int:
        assert go_on.wait(10)
        return item

    with NotingPool(2) as executor:
        pairs = map_unordered(call, items(), executor=executor)
        item, outcome = next(pairs)
        assert pulled == [1]
        pairs.close()
    assert (item, outcome.result()) == (0, 0)


def test_closing_it_cancels_what_has_not_begun_and_waits_for_the_rest() -> None:
    """The one worker is busy with the second item until the last is cancelled."""
    begun: list[int] = []
    full, second_runs, last_cancelled = threading.Event(), threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield from range(4)
        full.set()
        yield 4

    def call(item: int) -> None:
        assert full.wait(10)
        begun.append(item)
        if item == 1:
            second_runs.set()
            assert last_cancelled.wait(10)

    with NotingPool(1) as executor:
        pairs = map_unordered(call, items(), executor=executor, window=5)
        next(pairs)
        assert second_runs.wait(10)
        executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
        pairs.close()
        assert [call.done() for call in executor.given] == [True] * 5

    assert begun == [0, 1]


def test_whoever_read_last_waits() -> None:
    """Another thread takes the first pair; this one takes the second, and closes it."""
    full, third_runs, last_cancelled = threading.Event(), threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield from range(2)
        full.set()
        yield from (2, 3)

    def call(item: int) -> None:
        assert full.wait(10)
        if item == 2:
            third_runs.set()
            assert last_cancelled.wait(10)

    with NotingPool(1) as executor, ThreadPoolExecutor(1) as other:
        pairs = map_unordered(call, items(), executor=executor, window=3)
        assert other.submit(next, pairs).result(10)[0] == 0
        assert next(pairs)[0] == 1
        assert third_runs.wait(10)
        executor.given[3].add_done_callback(lambda _: last_cancelled.set())
        pairs.close()
        assert executor.given[2].done()


def test_calls_that_somebody_cancels_come_out_cancelled() -> None:
    """Another part of the program shuts the executor down while the first call runs."""
    executor = ThreadPoolExecutor(1)
    all_submitted = threading.Event()

    def items() -> Iterator[int]:
        yield from range(3)
        all_submitted.set()

    def call(_: int) -> None:
        assert all_submitted.wait(10)
        executor.shutdown(wait=False, cancel_futures=True)

    outcomes = {
        item: outcome.cancelled()
        for item, outcome in map_unordered(call, items(), executor=executor)
    }
    assert outcomes == {0: False, 1: True, 2: True}


def test_an_executor_that_was_shut_down_refuses() -> None:
    """The refusal is the item's outcome, and then the end."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    pairs = map_unordered(isqrt, itertools.count(), executor=executor)
    item, outcome = next(pairs)
    assert item == 0
    assert "after shutdown" in str(outcome.exception())
    with pytest.raises(RuntimeError, match="after shutdown"):
        next(pairs)


@pytest.mark.parametrize("window", [0, -1])
def test_refuses_a_window_below_one(window: int) -> None:
    """Refused at the call, naming the value, and no item is read."""
    items = iter([1])
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match=f"1 or more, got {window}"),
    ):
        map_unordered(str, items, executor=executor, window=window)
    assert list(items) == [1]


@pytest.mark.parametrize("window", [2.5, "3", None])
def test_refuses_a_window_that_is_no_whole_number(window: object) -> None:
    """Refused at the call."""
    with ThreadPoolExecutor(1) as executor, pytest.raises(TypeError, match="integer"):
        map_unordered(str, [], executor=executor, window=window)  # type: ignore[arg-type]


def test_refuses_what_is_no_input() -> None:
    """Refused at the call."""
    with ThreadPoolExecutor(1) as executor, pytest.raises(TypeError, match="not iterable"):
        map_unordered(str, 5, executor=executor)  # type: ignore[arg-type]


def test_broken_one_takes_in_everything_and_keeps_it() -> None:
    """At the first pair all items are pulled; at the last all futures are still held."""
    pulled: list[int] = []
    items = (pulled.append(number) or number for number in range(1000))
    with ThreadPoolExecutor(1) as executor:
        pairs = map_unordered_broken.map_unordered(isqrt, items, executor=executor)
        next(pairs)
        assert len(pulled) == 1000
        found = [outcome.result() for _, outcome in itertools.islice(pairs, 998)]
        assert pairs.gi_frame is not None  # type: ignore[attr-defined]
        assert len(pairs.gi_frame.f_locals["item_of"]) == 1000  # type: ignore[attr-defined]
        assert len(found) == 998
