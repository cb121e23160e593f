"""compute_while_waiting: result and order, overlap, failure, refusal."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads import compute_while_waiting_broken
from examples.threads.compute_while_waiting import compute_while_waiting


def threads_left() -> list[str]:
    """Name the threads of `compute_while_waiting` that are alive."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("waiting")]


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=5))
def test_gives_both_in_order(items: list[int], max_threads: int) -> None:
    """Whatever the items and the ceiling, the answers are those of `map`."""
    computed, answers = compute_while_waiting(lambda: 7, str, iter(items), max_threads=max_threads)

    assert computed == 7
    assert answers == list(map(str, items))


def test_computes_in_the_calling_thread() -> None:
    """And calls elsewhere."""
    computing, calling = compute_while_waiting(
        threading.get_ident, lambda _: threading.get_ident(), [0]
    )

    assert computing == threading.get_ident()
    assert calling != [threading.get_ident()]


def test_computing_begins_while_the_calls_wait() -> None:
    """Caller and five calls meet at one barrier: only if all run at once does it open."""
    everyone = threading.Barrier(6)

    compute_while_waiting(lambda: everyone.wait(10), lambda _: everyone.wait(10), range(5))


def test_more_calls_than_threads_are_all_made() -> None:
    """The computing is over long before the last call begins."""
    computed = threading.Event()
    answers = compute_while_waiting(computed.set, lambda item: item, range(20), max_threads=2)[1]

    assert answers == list(range(20))


def test_an_error_of_a_call_arrives_after_the_computing() -> None:
    """The call fails first; the computing goes on to its end."""
    failed = threading.Event()
    computed = threading.Event()

    def fail(_: int) -> None:
        failed.set()
        raise ZeroDivisionError

    def compute() -> None:
        assert failed.wait(10)
        computed.set()

    with pytest.raises(ZeroDivisionError):
        compute_while_waiting(compute, fail, [0])

    assert computed.is_set()
    assert threads_left() == []


def test_an_error_of_the_computing_drops_the_calls_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The only thread waits in the first call until the rest are dropped."""
    begun: list[int] = []
    first_begun = threading.Event()
    dropped = threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def drop_then_wait(pool: ThreadPoolExecutor, *, cancel_futures: bool) -> None:
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        dropped.set()
        shutdown(pool)

    def call(item: int) -> None:
        begun.append(item)
        first_begun.set()
        assert dropped.wait(10)

    def compute() -> None:
        assert first_begun.wait(10)
        raise LookupError("computing")

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", drop_then_wait)
    with pytest.raises(LookupError, match="computing"):
        compute_while_waiting(compute, call, range(100), max_threads=1)

    assert begun == [0]
    assert threads_left() == []


def test_of_several_failing_calls_the_first_by_the_items_is_raised() -> None:
    """The second fails before the first does."""
    second_failed = threading.Event()

    def call(item: int) -> None:
        if item == 0:
            assert second_failed.wait(10)
            raise KeyError
        second_failed.set()
        raise ValueError

    with pytest.raises(KeyError):
        compute_while_waiting(lambda: None, call, [0, 1])


@pytest.mark.parametrize("max_threads", [0, -1])
def test_refuses_a_ceiling_below_one(max_threads: int) -> None:
    """Refused at the call, before anything is computed."""
    with pytest.raises(ValueError, match=f"1 or more, got {max_threads}"):
        compute_while_waiting(pytest.fail, str, [], max_threads=max_threads)


@pytest.mark.parametrize("max_threads", [2.5, "3"])
def test_refuses_a_ceiling_that_is_no_whole_number(max_threads: object) -> None:
    """Refused at the call, before anything is computed."""
    with pytest.raises(TypeError):
        compute_while_waiting(pytest.fail, str, [], max_threads=max_threads)  # type: ignore[arg-type]


def test_broken_one_computes_when_every_call_has_ended() -> None:
    """Right results, and no overlap: all five calls are over when the computing begins."""
    ended: list[int] = []

    over, _ = compute_while_waiting_broken.compute_while_waiting(
        lambda: len(ended), ended.append, range(5)
    )

    assert over == 5
