"""Count from many processes and lose no update.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import operator

__all__ = ["SharedCounter"]

SMALLEST, LARGEST = -(2**63), 2**63 - 1


class SharedCounter:
    """Keep a whole number in memory that several processes share.

    Use it for progress, totals, and numbers that must not repeat. If each
    process can return its own count, let it, and add up what a map returns.

    Hand the counter over when a process starts: as an argument of `Process`, or
    of a pool's initializer. It cannot travel later, in a task or a queue.
    A process that is killed while it adds leaves the lock held for ever.

    Examples:
        >>> counter = SharedCounter()
        >>> counter.add(2)
        2
        >>> counter.value
        2

    Source:
        [Shared ctypes objects](https://docs.python.org/3/library/multiprocessing.html#shared-ctypes-objects)
        in the Python documentation.
    """

    def __init__(self, value: int = 0, *, start_method: str = "spawn") -> None:
        """Start from a number.

        Args:
            value: The number to start from, of 64 bits.
            start_method: How the processes start that will share it. One made for
                fork serves forked processes only; the others serve all.

        Raises:
            ValueError: If the platform lacks the start method.
            TypeError: If `value` is not a whole number.
            OverflowError: If it has more than 64 bits.
        """
        context = multiprocessing.get_context(start_method)
        self._number = context.Value("q", _of_64_bits(operator.index(value)))

    @property
    def value(self) -> int:
        """The number now. Another process may have changed it by the time you look."""
        with self._number.get_lock():
            number: int = self._number.value
        return number

    def add(self, amount: int = 1) -> int:
        """Add to the number, and say what became of it.

        Args:
            amount: What to add; below zero it takes away.

        Returns:
            The number right after this addition. With an amount above zero,
            and nobody taking away, no two callers get the same one.

        Raises:
            TypeError: If `amount` is not a whole number. Nothing was added.
            OverflowError: If the sum has more than 64 bits. Nothing was added.
        """
        step = operator.index(amount)
        with self._number.get_lock():  # one lock over the read and the write
            number = _of_64_bits(self._number.value + step)
            self._number.value = number
        return number


def _of_64_bits(number: int) -> int:
    if not SMALLEST <= number <= LARGEST:  # shared memory would keep the lowest 64 bits, in silence
        raise OverflowError(f"the counter holds {SMALLEST} to {LARGEST}, got {number}")
    return number
