"""Let locked methods call one another, and callers group them.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager

__all__ = ["Ledger"]


class Ledger:
    """Keep balances that many threads move amounts between.

    Use it as a pattern for an object whose methods, each one atomic, are
    built from one another, and whose callers join several calls to one
    step. If neither is so, a plain lock is enough and shows more mistakes.
    The lock keeps other threads out, not the methods of this thread: while
    a change is half done, do not call code that may look at the ledger.

    Examples:
        >>> ledger = Ledger({"till": 80, "safe": 0})
        >>> with ledger.held():
        ...     ledger.transfer(ledger.balance("till"), source="till", target="safe")
        >>> ledger.balance("safe")
        80

    Source:
        [RLock objects](https://docs.python.org/3/library/threading.html#rlock-objects)
    """

    def __init__(self, balances: Mapping[str, int]) -> None:
        """Open the accounts.

        Args:
            balances: What each account holds at first, 0 or more.

        Raises:
            ValueError: If a balance is below 0.
        """
        self._lock = threading.RLock()
        self._balances = dict(balances)
        for account, balance in self._balances.items():
            if balance < 0:
                raise ValueError(f"{account!r} must hold 0 or more, got {balance}")

    @contextmanager
    def held(self) -> Generator[None, None, None]:
        """Keep every other thread out for the length of a `with` block."""
        with self._lock:
            yield

    def balance(self, account: str) -> int:
        """Say what an account holds.

        Args:
            account: Name of the account.

        Returns:
            Its balance now. Another thread may change it before you use it,
            unless the ledger is `held`.

        Raises:
            KeyError: If there is no such account.
        """
        with self._lock:
            return self._balances[account]

    def post(self, account: str, amount: int) -> int:
        """Add to an account.

        Args:
            account: Name of the account.
            amount: What to add; below 0 it takes away.

        Returns:
            What the account holds now.

        Raises:
            KeyError: If there is no such account.
            ValueError: If it would hold less than 0. Nothing was changed.
        """
        with self._lock:
            balance = self.balance(account) + amount  # takes the lock again
            if balance < 0:
                raise ValueError(f"{account!r} would hold {balance}, must hold 0 or more")
            self._balances[account] = balance
            return balance

    def transfer(self, amount: int, *, source: str, target: str) -> None:
        """Move an amount from one account to another, as one step.

        Args:
            amount: How much, 0 or more.
            source: Name of the account that gives.
            target: Name of the account that takes.

        Raises:
            KeyError: If an account does not exist. Nothing was moved.
            ValueError: If `amount` is below 0 or `source` holds less.
                Nothing was moved.
        """
        if amount < 0:
            raise ValueError(f"amount must be 0 or more, got {amount}")
        with self._lock:
            self.balance(target)  # refuses an unknown target before anything moves
            self.post(source, -amount)
            self.post(target, amount)
