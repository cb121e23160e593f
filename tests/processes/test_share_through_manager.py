"""SharedTable: no change lost, one step, failure, refusal; the change to a copy."""

import multiprocessing
import operator
import threading
from collections.abc import Callable, Hashable
from multiprocessing.managers import RemoteError
from pickle import PicklingError
from typing import Any

import pytest
import work_in_children as work
from hypothesis import given
from hypothesis import strategies as st

from examples.processes.choose_start_method import make_process_pool
from examples.processes.share_through_manager import SharedTable, _Table
from examples.processes.share_through_manager_broken import add_to

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_no_change_is_lost(start_method: str) -> None:
    """Two processes change one entry at a time, again and again."""
    context = multiprocessing.get_context(start_method)
    with SharedTable(start_method=start_method) as table:
        children = [context.Process(target=work.merge_often, args=(table, 100)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join(30)

        assert table.snapshot() == {"total": 200}
        assert [child.exitcode for child in children] == [0, 0]


def test_travels_in_the_tasks_of_a_pool() -> None:
    """Each call sees what became of the entry; no two see the same."""
    with SharedTable() as table, make_process_pool(2, start_method="spawn") as pool:
        assert sorted(pool.map(work.merge_one, [table] * 20)) == list(range(1, 21))


def test_works_in_another_process(start_method: str) -> None:
    """What combines two values runs in the manager, which is a child and not this process."""
    with SharedTable(start_method=start_method) as table:
        table.merge("a", 1, work.always_fail)
        (manager,) = multiprocessing.active_children()
        with pytest.raises(LookupError) as failure:
            table.merge("a", 1, work.always_fail)

        assert failure.value.args == (manager.pid,)
        assert table.snapshot() == {"a": 1}
        assert table.merge("a", 2, operator.add) == 3, "the lock is free"


def test_a_merge_is_one_step() -> None:
    """While values are combined, the table's lock is taken."""
    table, seen = _Table(), []

    def combine(old: int, new: int) -> int:
        seen.append(table._lock.acquire(blocking=False))
        return old + new

    table.merge("a", 1, combine)

    assert table.merge("a", 2, combine) == 3
    assert seen == [False]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_is_a_fold_by_key(changes: list[tuple[str, int]]) -> None:
    """Whatever the changes, each entry is the sum of its own."""
    table = _Table()
    threads = [
        threading.Thread(target=table.merge, args=(key, value, operator.add))
        for key, value in changes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert table.snapshot() == {
        name: sum(value for key, value in changes if key == name) for name, _ in changes
    }


def test_values_are_copies() -> None:
    """Changing what was handed out changes nothing."""
    with SharedTable() as table:
        table.merge("names", ["a"], operator.add).append("lost")
        table.snapshot()["names"].append("lost")

        assert table.merge("names", ["b"], operator.add) == ["a", "b"]


def test_refuses_what_cannot_be_sent() -> None:
    """A lambda is refused before anything is sent; the table goes on."""
    with SharedTable() as table:
        with pytest.raises((PicklingError, AttributeError), match=r"pickle|local object"):
            table.merge("a", 1, lambda old, new: old + new)
        assert table.merge("a", 1, operator.add) == 1


@pytest.mark.parametrize(
    ("key", "value", "combine"),
    [
        ("a", 2, work.make_lock),
        ("a", work.BecomesLock(), work.take_second),
        ("b", work.BecomesLock(), operator.add),
        (work.BecomesLock(), 2, operator.add),
    ],
    ids=["combined", "second value", "first value", "key"],
)
def test_takes_in_nothing_that_it_could_not_hand_out(
    key: Hashable, value: object, combine: Callable[[Any, Any], Any]
) -> None:
    """The entry is as before, and so is the whole table."""
    with SharedTable() as table:
        table.merge("a", 1, operator.add)
        with pytest.raises(TypeError, match="cannot pickle"):
            table.merge(key, value, combine)

        assert table.snapshot() == {"a": 1}
        assert table.merge("a", 2, operator.add) == 3


def test_hides_what_a_manager_would_let_anybody_do() -> None:
    """Only the two methods go through the proxy."""
    with SharedTable() as table, pytest.raises((AttributeError, RemoteError)):
        table._table._callmethod("__class__")


def test_after_close_nothing_answers() -> None:
    """The table is gone, and says so."""
    with SharedTable() as table:
        table.merge("a", 1, operator.add)

    with pytest.raises((OSError, EOFError)):
        table.merge("a", 1, operator.add)
    with pytest.raises((OSError, EOFError)):
        table.snapshot()
    table.close()


def test_only_the_owner_can_close_it() -> None:
    """What travels has the table, and not its manager."""
    with SharedTable() as table:
        assert list(table.__getstate__()) == ["_table"]


def test_refuses_a_start_method_that_is_none() -> None:
    """Refused at the call, naming it."""
    with pytest.raises(ValueError, match="teleport"):
        SharedTable(start_method="teleport")


def test_broken_changes_a_copy() -> None:
    """`share_through_manager_broken`: right for a dict, and lost in a manager's."""
    own: dict[str, list[int]] = {}
    add_to(own, "numbers", 1)
    assert own == {"numbers": [1]}

    with multiprocessing.get_context("spawn").Manager() as manager:
        shared = manager.dict()
        add_to(shared, "numbers", 1)
        assert dict(shared) == {"numbers": []}
