"""Broken on purpose: a counter that loses updates, for others may come between its read and its write."""

__all__ = ["UnguardedCounter"]


class UnguardedCounter:
    """Keep a whole number, as long as only one thread changes it."""

    def __init__(self, value: int = 0) -> None:
        self._value = value

    @property
    def value(self) -> int:
        """The number now."""
        return self._value

    @value.setter
    def value(self, value: int) -> None:
        self._value = value

    def add(self, amount: int = 1) -> int:
        """Add to the number: one line, but a read, an addition and a write."""
        self.value += amount
        return self.value
