"""Broken on purpose: `value +=` takes the lock twice, and another process may come between."""

import multiprocessing


class SharedCounter:
    """Keep a whole number, as long as only one process changes it."""

    def __init__(self, value=0, *, start_method="spawn"):
        self._number = multiprocessing.get_context(start_method).Value("q", value)

    @property
    def value(self):
        """The number now."""
        return self._number.value

    def add(self, amount=1):
        """Add to the number: a read under the lock, an addition, a write under the lock."""
        self._number.value += amount
