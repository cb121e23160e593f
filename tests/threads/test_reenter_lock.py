"""reenter_lock: methods in methods, one step for others, refusals; a lock that waits for itself."""

import threading
from collections.abc import Callable
from types import TracebackType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads import reenter_lock_broken
from examples.threads.reenter_lock import Ledger


def in_another_thread(call: Callable[[], object]) -> object:
    """Call in a fresh thread, and return what came back."""
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    thread.join(10)
    assert answers, "the other thread did not come back"
    return answers[0]


def others_may_enter(ledger: Ledger) -> bool:
    """Try the lock from another thread, without waiting."""

    def attempt() -> bool:
        free = ledger._lock.acquire(blocking=False)
        if free:
            ledger._lock.release()
        return free

    return bool(in_another_thread(attempt))


def test_a_transfer_moves_the_amount() -> None:
    """A method that calls two others comes back, and the balances are right."""
    ledger = Ledger({"rent": 100, "food": 5})

    ledger.transfer(30, source="rent", target="food")

    assert (ledger.balance("rent"), ledger.balance("food")) == (70, 35)


def test_others_stay_out_until_the_whole_transfer_is_done() -> None:
    """Between the two halves the lock is held, however often it was taken and given back."""
    seen: list[bool] = []

    class Watched(Ledger):
        def post(self, account: str, amount: int) -> int:
            seen.append(others_may_enter(self))
            balance = super().post(account, amount)
            seen.append(others_may_enter(self))
            return balance

    ledger = Watched({"rent": 100, "food": 0})
    ledger.transfer(30, source="rent", target="food")

    assert seen == [False] * 4
    assert others_may_enter(ledger)


def test_held_joins_calls_to_one_step() -> None:
    """Nested twice, around a transfer: others get in only after the outermost end."""
    ledger = Ledger({"till": 80, "safe": 0})

    with ledger.held():
        with ledger.held():
            ledger.transfer(ledger.balance("till"), source="till", target="safe")
        assert not others_may_enter(ledger)

    assert others_may_enter(ledger)
    assert in_another_thread(lambda: ledger.balance("safe")) == 80


def test_threads_that_read_then_move_do_not_move_twice() -> None:
    """Four threads empty the till together; what was in it arrives once."""
    ledger = Ledger({"till": 80, "safe": 0})
    start = threading.Barrier(4)

    def empty_the_till() -> None:
        start.wait(10)
        with ledger.held():
            ledger.transfer(ledger.balance("till"), source="till", target="safe")

    threads = [threading.Thread(target=empty_the_till) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (ledger.balance("till"), ledger.balance("safe")) == (0, 80)


def test_an_error_gives_the_lock_back() -> None:
    """A body that fails, inside a held ledger, leaves it open to others."""
    ledger = Ledger({"rent": 100})

    with pytest.raises(ZeroDivisionError), ledger.held(), ledger.held():
        raise ZeroDivisionError

    assert others_may_enter(ledger)


@pytest.mark.parametrize(
    ("amount", "source", "target", "error", "told"),
    [
        (101, "rent", "food", ValueError, "-1"),
        (-1, "rent", "food", ValueError, "0 or more, got -1"),
        (1, "rent", "fuel", KeyError, "fuel"),
        (1, "fuel", "rent", KeyError, "fuel"),
    ],
)
def test_refuses_and_changes_nothing(
    amount: int, source: str, target: str, error: type[Exception], told: str
) -> None:
    """Too much, below zero, no such account: nothing moved, lock free."""
    ledger = Ledger({"rent": 100, "food": 0})

    with pytest.raises(error, match=told):
        ledger.transfer(amount, source=source, target=target)

    assert (ledger.balance("rent"), ledger.balance("food")) == (100, 0)
    assert others_may_enter(ledger)


def test_refuses_to_open_below_zero() -> None:
    """Refused at the call, naming account and value."""
    with pytest.raises(ValueError, match="'rent' must hold 0 or more, got -5"):
        Ledger({"rent": -5})


@given(st.lists(st.tuples(st.integers(-20, 120), st.sampled_from("abc"), st.sampled_from("abc"))))
def test_nothing_is_made_or_lost(moves: list[tuple[int, str, str]]) -> None:
    """Whatever is asked, the sum stays and no balance goes below zero."""
    ledger = Ledger({"a": 100, "b": 50, "c": 0})

    for amount, source, target in moves:
        try:
            ledger.transfer(amount, source=source, target=target)
        except ValueError:
            continue

    balances = [ledger.balance(account) for account in "abc"]
    assert sum(balances) == 150
    assert min(balances) >= 0


class Waits(Exception):  # noqa: N818 - told, not an error
    """A thread would wait here for a lock that it holds itself."""


class TellingLock:
    """A plain lock that tells, instead of waiting for the only thread there is."""

    def __init__(self) -> None:
        """Start free."""
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        """Take the lock, or tell that this would wait for ever."""
        if not self.lock.acquire(blocking=False):
            raise Waits

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        self.lock.release()


def test_broken_waits_for_itself() -> None:
    """One thread, one lock, taken twice: it would never come back."""
    ledger = reenter_lock_broken.Ledger({"rent": 100, "food": 0})
    ledger._lock = TellingLock()

    with pytest.raises(Waits):
        ledger.transfer(30, source="rent", target="food")

    ledger.post("food", 1)  # each method alone is fine
    assert ledger.balance("food") == 1
