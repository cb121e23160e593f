"""SharedCounter: every update counts, one lock over read and write, refusals; the lost update."""

import multiprocessing
from itertools import chain
from typing import Any

import pytest
import work_in_children as work
from hypothesis import given
from hypothesis import strategies as st

from examples.processes import share_counter_broken
from examples.processes.choose_start_method import make_process_pool
from examples.processes.share_counter import LARGEST, SMALLEST, SharedCounter

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_no_update_is_lost_and_no_number_given_twice(start_method: str) -> None:
    """Two processes draw numbers; together they drew each number once."""
    context = multiprocessing.get_context(start_method)
    counter = SharedCounter(start_method=start_method)
    readers, children = [], []
    for _ in range(2):
        reader, writer = context.Pipe(duplex=False)
        with writer:
            child = context.Process(target=work.add_often, args=(counter, 2_000, writer))
            child.start()
        readers.append(reader)
        children.append(child)
    drawn = [reader.recv() for reader in readers]
    for reader, child in zip(readers, children, strict=True):
        child.join(30)
        reader.close()

    assert counter.value == 4_000
    assert sorted(chain(*drawn)) == list(range(1, 4_001))
    assert all(mine == sorted(mine) for mine in drawn)


class Watched:
    """Stands for the shared number, and notes what is done to it."""

    def __init__(self) -> None:
        """Start from 5."""
        self.done: list[str] = []

    def get_lock(self) -> "Watched":
        """Give the lock."""
        return self

    def __enter__(self) -> None:
        """Take it."""
        self.done.append("take")

    def __exit__(self, *_: object) -> None:
        """Release it."""
        self.done.append("release")

    @property
    def value(self) -> int:
        """The number."""
        self.done.append("read")
        return 5

    @value.setter
    def value(self, value: int) -> None:
        self.done.append(f"write {value}")


def test_the_lock_is_held_from_the_read_to_the_write() -> None:
    """Taken once, around both."""
    counter = SharedCounter()
    counter._number = watched = Watched()  # type: ignore[assignment]

    assert counter.add(2) == 7
    assert watched.done == ["take", "read", "write 7", "release"]

    watched.done.clear()
    assert counter.value == 5
    assert watched.done == ["take", "read", "release"]


@given(st.integers(SMALLEST // 2, LARGEST // 2), st.integers(SMALLEST // 2, LARGEST // 2))
def test_adds_as_whole_numbers_do(one: int, other: int) -> None:
    """With a sum of 64 bits at most."""
    counter = SharedCounter(one)

    assert counter.add(other) == one + other == counter.value


@pytest.mark.parametrize(("edge", "step"), [(LARGEST, 1), (SMALLEST, -1)])
def test_refuses_to_wrap_around(edge: int, step: int) -> None:
    """Beyond 64 bits the memory would hold another number; nothing is added, the lock is free."""
    counter = SharedCounter(edge)

    with pytest.raises(OverflowError, match=str(edge + step)):
        counter.add(step)
    assert counter.value == edge
    assert counter.add(-step) == edge - step
    with pytest.raises(OverflowError, match=str(edge + step)):
        SharedCounter(edge + step)


@pytest.mark.parametrize("amount", [0.5, "1", None])
def test_refuses_what_is_no_whole_number(amount: Any) -> None:  # noqa: ANN401 - anything but the right thing
    """Refused at the call; the counter is as before and its lock is free."""
    counter = SharedCounter(3)

    with pytest.raises(TypeError):
        counter.add(amount)
    with pytest.raises(TypeError):
        SharedCounter(amount)

    assert counter.value == 3
    assert counter.add() == 4


def test_refuses_a_start_method_that_is_none() -> None:
    """Refused at the call, naming it."""
    with pytest.raises(ValueError, match="teleport"):
        SharedCounter(start_method="teleport")


def test_cannot_travel_in_a_task() -> None:
    """The pool says why, and goes on; nothing was added."""
    counter = SharedCounter()

    with make_process_pool(1, start_method="spawn") as pool:
        with pytest.raises(RuntimeError, match="inheritance"):
            pool.submit(work.add_often, counter, 1, None).result()
        assert pool.submit(abs, -1).result() == 1
    assert counter.value == 0


def test_broken_loses_an_update_when_both_read_before_either_writes(start_method: str) -> None:
    """A barrier between read and write: two additions, and the number grows by one."""
    context = multiprocessing.get_context(start_method)
    counter = share_counter_broken.SharedCounter(start_method=start_method)
    both_have_read = context.Barrier(2)
    children = [
        context.Process(target=work.add_when_both_have_read, args=(counter, both_have_read))
        for _ in range(2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(30)

    assert [child.exitcode for child in children] == [0, 0]
    assert counter.value == 1
