"""guard_counter: every update counts, one lock over read and write, refusals; the lost update."""

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads.guard_counter import GuardedCounter
from examples.threads.guard_counter_broken import UnguardedCounter


@pytest.fixture
def often() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_in_threads(*calls: Callable[[], object]) -> None:
    """Run each call in a thread of its own, all from the same moment on; raise the first error."""
    start = threading.Barrier(len(calls))
    errors: list[BaseException] = []

    def work(call: Callable[[], object]) -> None:
        try:
            start.wait(10)
            call()
        except BaseException as error:  # noqa: BLE001 - raised by the caller
            errors.append(error)

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.usefixtures("often")
def test_no_update_is_lost_and_no_number_given_twice() -> None:
    """Four threads draw numbers; together they drew each number once."""
    counter = GuardedCounter()
    drawn: list[list[int]] = [[], [], [], []]

    def draw(mine: list[int]) -> None:
        mine.extend(counter.add() for _ in range(5_000))

    run_in_threads(*(partial(draw, mine) for mine in drawn))

    assert counter.value == 20_000
    assert sorted(chain(*drawn)) == list(range(1, 20_001))
    assert all(mine == sorted(mine) for mine in drawn)


def test_the_lock_is_held_from_the_read_to_the_write() -> None:
    """The addition itself sees that the lock is taken, and taken once."""
    counter = GuardedCounter()
    seen: list[bool] = []

    class Watching(int):
        def __add__(self, other: int) -> int:
            seen.append(counter._lock.acquire(blocking=False))
            return int(self) + other

    counter._value = Watching(5)

    assert counter.add(2) == 7
    assert seen == [False]
    assert not counter._lock.locked()


def test_a_reader_takes_the_same_lock() -> None:
    """Reading goes through the lock that guards the writing."""
    counter, taken = GuardedCounter(4), []

    class Watched:
        def __enter__(self) -> None:
            taken.append("in")

        def __exit__(self, *_: object) -> None:
            taken.append("out")

    counter._lock = Watched()  # type: ignore[assignment]

    assert counter.value == 4
    assert taken == ["in", "out"]


@given(
    start=st.integers(),
    shares=st.lists(st.lists(st.integers(), max_size=5), min_size=1, max_size=4),
)
def test_the_end_is_the_sum_whatever_the_order(start: int, shares: list[list[int]]) -> None:
    """Amounts of any size and sign, dealt to several threads, all count."""
    counter = GuardedCounter(start)

    def add_all(amounts: list[int]) -> None:
        for amount in amounts:
            counter.add(amount)

    run_in_threads(*(partial(add_all, share) for share in shares))

    assert counter.value == start + sum(map(sum, shares))


@pytest.mark.parametrize("amount", [0.5, "1", None])
def test_refuses_what_is_no_whole_number(amount: Any) -> None:  # noqa: ANN401 - anything but the right thing
    """Refused at the call; the counter is as before and its lock is free."""
    counter = GuardedCounter(3)

    with pytest.raises(TypeError):
        counter.add(amount)
    with pytest.raises(TypeError):
        GuardedCounter(amount)

    assert counter.value == 3
    assert counter.add() == 4


def test_an_error_inside_the_callers_number_leaves_the_lock_free() -> None:
    """What counts as the amount may run code that fails, or that uses this very counter."""
    counter = GuardedCounter()

    class Failing:
        def __index__(self) -> int:
            raise ZeroDivisionError

    class Counting:
        def __index__(self) -> int:
            return counter.add(10)

    with pytest.raises(ZeroDivisionError):
        counter.add(Failing())  # type: ignore[arg-type]

    assert counter.add(Counting()) == 20  # type: ignore[arg-type]


def test_broken_loses_an_update_when_both_read_before_either_writes() -> None:
    """A barrier between read and write: two additions, and the number grows by one."""
    both_have_read = threading.Barrier(2)

    class Meeting(int):
        def __add__(self, other: int) -> int:
            both_have_read.wait(10)
            return int(self) + other

    counter = UnguardedCounter(Meeting(0))

    run_in_threads(counter.add, counter.add)

    assert counter.value == 1
