"""submit_and_collect: pairs as they finish, bounds, errors in their futures; refusal."""

import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from contextlib import closing
from math import isqrt

import pytest
import work_in_workers as work
from executors import NotingPool, process_pool
from hypothesis import given
from hypothesis import strategies as st

from examples.futures.submit_and_collect import submit_and_collect
from examples.futures.submit_and_collect_broken import submit_all

pytestmark = pytest.mark.usefixtures("nothing_left")
MakeExecutor = Callable[[int], Executor]


def test_each_item_comes_with_its_outcome(make_executor: MakeExecutor) -> None:
    """In every executor, errors included."""
    with make_executor(2) as executor:
        pairs = list(submit_and_collect(executor, isqrt, [4, -1, 9, 16], max_pending=2))

        outcomes = {item: done.exception() or done.result() for item, done in pairs}
    assert all(done.done() for _, done in pairs)
    assert {item: outcomes[item] for item in (4, 9, 16)} == {4: 2, 9: 3, 16: 4}
    assert isinstance(outcomes[-1], ValueError)


def test_whichever_is_ready_first_comes_first() -> None:
    """The first item waits until the third was collected."""
    third_collected = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            assert third_collected.wait(10)
        return item

    order = []
    with ThreadPoolExecutor(2) as executor:
        for item, done in submit_and_collect(executor, call, range(3)):
            order.append(done.result())
            assert item == done.result()
            if item == 2:
                third_collected.set()

    assert order == [1, 2, 0]


def test_calls_run_at_the_same_time() -> None:
    """Each waits for all the others."""
    everyone = threading.Barrier(4)
    with ThreadPoolExecutor(4) as executor:
        pairs = submit_and_collect(executor, lambda _: everyone.wait(10), range(4))
        assert sorted(done.result() for _, done in pairs) == [0, 1, 2, 3]


def test_an_endless_input_is_read_no_further_than_asked(make_executor: MakeExecutor) -> None:
    """Three pairs and two more items are taken."""
    taken: list[int] = []
    items = (taken.append(number) or number for number in itertools.count())
    with (
        make_executor(2) as executor,
        closing(submit_and_collect(executor, isqrt, items, max_pending=3)) as pairs,
    ):
        assert taken == []
        for _ in range(3):
            item, done = next(pairs)
            assert done.result() == isqrt(item)
        assert len(taken) == 5


@given(st.lists(st.integers()), st.integers(1, 9), st.integers(1, 4))
def test_nothing_is_lost_and_nothing_doubled(
    items: list[int], max_pending: int, workers: int
) -> None:
    """Whatever the items, equal ones included."""
    with ThreadPoolExecutor(workers) as executor:
        pairs = submit_and_collect(executor, str, items, max_pending=max_pending)
        found = [(item, done.result()) for item, done in pairs]

    assert sorted(found) == sorted((item, str(item)) for item in items)


@pytest.mark.parametrize("error", [LookupError, SystemExit, StopIteration, GeneratorExit])
def test_an_error_waits_in_its_future(error: type[BaseException]) -> None:
    """The others go on, and asking for the result raises it."""

    def call(item: int) -> int:
        if item == 1:
            raise error
        return item

    with ThreadPoolExecutor(1) as executor:
        outcomes = dict(submit_and_collect(executor, call, range(3)))

    assert (outcomes[0].result(), outcomes[2].result()) == (0, 2)
    with pytest.raises(error):
        outcomes[1].result()


def test_a_process_that_dies_is_told(start_method: str) -> None:
    """By the future of its item."""
    with process_pool(1, start_method) as executor:
        [(item, done)] = submit_and_collect(executor, work.end_process, ["a"])

    assert item == "a"
    assert isinstance(done.exception(), BrokenExecutor)


def test_closing_it_cancels_what_has_not_begun() -> None:
    """The one worker is busy with the second item until the last is cancelled."""
    begun: list[int] = []
    second_runs, last_cancelled = threading.Event(), threading.Event()

    def call(item: int) -> None:
        begun.append(item)
        if item == 1:
            second_runs.set()
            assert last_cancelled.wait(10)

    with NotingPool(1) as executor:
        pairs = submit_and_collect(executor, call, range(5))
        next(pairs)
        assert second_runs.wait(10)
        executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
        pairs.close()
        assert [call.done() for call in executor.given] == [True] * 5

    assert begun == [0, 1]


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

    pairs = submit_and_collect(executor, call, items())

    assert {item: done.cancelled() for item, done in pairs} == {0: False, 1: True, 2: True}


def test_items_that_fail_end_it() -> None:
    """The third item cannot be had: the calls begun are waited for, and the error goes out."""

    def items() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("no more")

    with NotingPool(2) as executor:
        with pytest.raises(OSError, match="no more"):
            list(submit_and_collect(executor, isqrt, items()))
        assert [call.done() for call in executor.given] == [True, True]


def test_an_executor_that_was_shut_down_refuses() -> None:
    """Its error goes out."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        next(submit_and_collect(executor, isqrt, [1]))


def test_no_result_is_kept() -> None:
    """Once the caller lets go of a pair, its result is gone."""

    class Result:
        pass

    with ThreadPoolExecutor(1) as executor:
        pairs = submit_and_collect(executor, lambda _: Result(), range(3), max_pending=1)
        pair = next(pairs)
        gone = weakref.ref(pair[1].result())
        del pair
        gc.collect()
        assert gone() is None
        pairs.close()


@pytest.mark.parametrize("max_pending", [0, -1])
def test_refuses_a_bound_below_one(max_pending: int) -> None:
    """Refused at the call, not at the first pair."""
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match=f"1 or more, got {max_pending}"),
    ):
        submit_and_collect(executor, str, [], max_pending=max_pending)


def test_refuses_what_is_no_number_or_no_input() -> None:
    """Refused at the call."""
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(TypeError):
            submit_and_collect(executor, str, [], max_pending="3")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            submit_and_collect(executor, str, 5)  # type: ignore[arg-type]


def test_broken_one_loses_every_error() -> None:
    """All calls fail, all are done, and nobody is told."""
    with ThreadPoolExecutor(1) as executor:
        assert submit_all(executor, isqrt, [-1, -2]) == 2
