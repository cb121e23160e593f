"""Broken on purpose: a locked method calls another that takes the same plain lock, and waits for itself."""

import threading

__all__ = ["Ledger"]


class Ledger:
    """Keep balances, until somebody calls `transfer`."""

    def __init__(self, balances):
        self._lock = threading.Lock()  # should be: threading.RLock
        self._balances = dict(balances)

    def balance(self, account):
        with self._lock:
            return self._balances[account]

    def post(self, account, amount):
        with self._lock:
            self._balances[account] += amount

    def transfer(self, amount, *, source, target):
        with self._lock:
            self.post(source, -amount)  # never comes back
            self.post(target, amount)
