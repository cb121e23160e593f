"""Count from many threads and lose no update.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
import threading

__all__ = ["GuardedCounter"]


class GuardedCounter:
    """Keep a whole number that many threads may change.

    Use it for progress, totals and numbers that must not repeat. Every
    access takes the same lock, and holds it from the read to the write, so
    the change is atomic for every user of this object. Not for a signal
    handler: it may run while its own thread holds the lock, and would wait
    for itself.

    Examples:
        >>> counter = GuardedCounter()
        >>> threads = [threading.Thread(target=counter.add) for _ in range(3)]
        >>> for thread in threads:
        ...     thread.start()
        >>> for thread in threads:
        ...     thread.join()
        >>> counter.value
        3
        >>> counter.add(-2)
        1

    Source:
        [Lock objects](https://docs.python.org/3/library/threading.html#lock-objects)
    """

    def __init__(self, value: int = 0) -> None:
        """Start from a number.

        Args:
            value: The number to start from.

        Raises:
            TypeError: If `value` is not a whole number.
        """
        self._lock = threading.Lock()
        self._value = operator.index(value)

    @property
    def value(self) -> int:
        """The number now. Another thread may have changed it by the time you look."""
        with self._lock:
            return self._value

    def add(self, amount: int = 1) -> int:
        """Add to the number, and say what became of it.

        Args:
            amount: What to add; below zero it takes away.

        Returns:
            The number right after this addition. With an amount above zero,
            and nobody taking away, no two callers get the same one.

        Raises:
            TypeError: If `amount` is not a whole number. Nothing was added.
        """
        step = operator.index(amount)  # may call code of the caller's: not under the lock
        with self._lock:
            self._value += step
            return self._value
