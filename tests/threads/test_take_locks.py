"""take_locks: one order, all or none, a limit, no nesting; and the deadlock that it prevents."""

import math
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads.take_locks import take_locks


class RecordedLock:
    """A lock that writes down when it is taken and released."""

    def __init__(self, log: list[tuple[str, "RecordedLock"]]) -> None:
        """Write to `log`."""
        self.log = log

    def acquire(self, *, timeout: float = -1) -> bool:
        """Always succeed."""
        assert timeout == -1
        self.log.append(("taken", self))
        return True

    def release(self) -> None:
        """Only write it down."""
        self.log.append(("released", self))


def test_takes_in_one_order_whatever_the_caller_named_first() -> None:
    """Three locks named in two orders are taken in the same order, and released in reverse."""
    log: list[tuple[str, RecordedLock]] = []
    a, b, c = (RecordedLock(log) for _ in range(3))

    with take_locks(a, b, c):
        one_way = [lock for _, lock in log]
    released = [lock for event, lock in log if event == "released"]
    log.clear()
    with take_locks(c, b, a):
        other_way = [lock for _, lock in log]

    assert one_way == other_way
    assert released == one_way[::-1]


def test_holds_all_inside_and_none_after() -> None:
    """Locks, reentrant locks and semaphores; a lock named twice is taken once."""
    lock, reentrant, semaphore = threading.Lock(), threading.RLock(), threading.Semaphore(1)

    with take_locks(lock, reentrant, semaphore, lock):
        assert lock.locked()
        assert not semaphore.acquire(blocking=False)
        assert not _other_thread_takes(reentrant)

    assert not lock.locked()
    assert semaphore.acquire(blocking=False)
    assert _other_thread_takes(reentrant)


def test_without_a_limit_a_taken_semaphore_is_waited_for() -> None:
    """A semaphore takes a negative timeout as over, so none is passed: here that would fail."""

    class FreedWhileWaitedFor(threading.Semaphore):
        def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:  # noqa: FBT001, FBT002 - the standard library's
            if blocking and timeout is None:
                self.release()
            return super().acquire(blocking, timeout)

    with take_locks(FreedWhileWaitedFor(0)):
        pass


def test_no_lock_at_all_holds_nothing() -> None:
    """An empty set of locks is a set too."""
    with take_locks():
        pass


def test_an_error_in_the_block_releases_everything_and_passes_through() -> None:
    """The next block can take the same locks."""
    a, b = threading.Lock(), threading.Lock()

    with pytest.raises(KeyError, match="lost"), take_locks(a, b):
        raise KeyError("lost")

    with take_locks(a, b, timeout_s=0):
        pass


@pytest.mark.parametrize("timeout_s", [0, 0.01])
def test_a_timeout_gives_back_what_was_taken_and_counts_it(timeout_s: float) -> None:
    """The lock that is last in order is held elsewhere: two of three are taken, and given back."""
    locks = sorted((threading.Lock() for _ in range(3)), key=id)
    locks[2].acquire()

    with (
        pytest.raises(TimeoutError, match=f"held 2 of 3 locks after {timeout_s} s"),
        take_locks(*locks, timeout_s=timeout_s),
    ):
        pytest.fail("entered without all the locks")

    assert [lock.locked() for lock in locks] == [False, False, True]
    locks[2].release()
    with take_locks(*locks, timeout_s=math.inf):  # the thread is not taken for one in a block
        pass


def test_nesting_is_refused_and_the_outer_block_goes_on() -> None:
    """A second block inside the first would take its locks in no order."""
    a, b = threading.Lock(), threading.Lock()

    with take_locks(a):
        with pytest.raises(RuntimeError, match="name all locks in one call"), take_locks(b):
            pytest.fail("entered")
        assert a.locked()
        assert not b.locked()

    with take_locks(b):
        assert not a.locked()


def test_threads_in_opposite_order_all_come_through() -> None:
    """Two threads name the locks in opposite order, again and again, and both end."""
    a, b = threading.Lock(), threading.Lock()
    inside = peak = 0

    def work(*locks: threading.Lock) -> None:
        nonlocal inside, peak
        for _ in range(500):
            with take_locks(*locks):
                inside += 1
                peak = max(peak, inside)
                inside -= 1

    threads = [threading.Thread(target=work, args=locks, daemon=True) for locks in [(a, b), (b, a)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not any(thread.is_alive() for thread in threads)
    assert peak == 1


@given(st.lists(st.lists(st.integers(0, 3), max_size=6), min_size=2, max_size=4))
def test_any_choice_of_locks_in_any_order_ends(choices: list[list[int]]) -> None:
    """Each thread names its own locks, some twice; all end and no lock stays held."""
    locks = [threading.Lock() for _ in range(4)]
    start = threading.Barrier(len(choices))

    def work(choice: list[int]) -> None:
        start.wait(10)
        for _ in range(5):
            with take_locks(*(locks[number] for number in choice)):
                assert all(locks[number].locked() for number in choice)

    threads = [threading.Thread(target=work, args=(choice,), daemon=True) for choice in choices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not any(thread.is_alive() for thread in threads)
    assert not any(lock.locked() for lock in locks)


@pytest.mark.parametrize("timeout_s", [-1, -0.001, math.nan])
def test_refuses_a_negative_limit_at_the_call(timeout_s: float) -> None:
    """Refused before `with`, naming the value."""
    with pytest.raises(ValueError, match=f"0 or more, got {timeout_s}"):
        take_locks(threading.Lock(), timeout_s=timeout_s)


def test_broken_deadlocks_every_time() -> None:
    """Both threads hold one lock and wait for the other: the child ends by its watchdog."""
    child = subprocess.run(
        [sys.executable, "-m", "examples.threads.take_locks_broken"],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert child.returncode == 1
    assert child.stdout == ""
    assert "Timeout" in child.stderr
    assert " in pay\n" in child.stderr
    assert " in collect\n" in child.stderr


def _other_thread_takes(lock: threading.RLock) -> bool:
    """Say whether a thread that is not this one can take `lock` now."""
    taken = []

    def attempt() -> None:
        taken.append(lock.acquire(blocking=False))
        if taken[0]:
            lock.release()

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join(10)
    return taken == [True]
