"""Wait until a value that other threads change is as wanted.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["WatchedValue"]

Value = TypeVar("Value")


class WatchedValue(Generic[Value]):
    """A value that threads change, and on which others wait for a condition.

    Use it when a thread must wait for more than a yes: a count that reaches
    zero, a state that is either ready or failed, a version newer than mine.

    Do not use it to hand over items (`queue.Queue`), for a yes that is set once
    (`threading.Event`), or where no change may be missed: a waiting thread sees
    the value as it is when it wakes, not every value it had meanwhile.

    Args:
        value: The value to begin with. Replace it by `set` or `update`;
            a change inside a mutable value wakes nobody.

    Examples:
        >>> running = WatchedValue(2)
        >>> def work() -> None:
        ...     running.update(lambda count: count - 1)
        >>> threads = [threading.Thread(target=work) for _ in range(2)]
        >>> for thread in threads:
        ...     thread.start()
        >>> running.wait_for(lambda count: count == 0, timeout_s=10)
        0
        >>> for thread in threads:
        ...     thread.join()

    Source:
        [Condition objects](https://docs.python.org/3/library/threading.html#condition-objects),
        Python 3.15; C. A. R. Hoare, Monitors, CACM 17:10, 1974.
    """

    def __init__(self, value: Value) -> None:
        """Begin with `value`."""
        self._value = value
        self._changed = threading.Condition()

    def get(self) -> Value:
        """Return the value as it is now."""
        with self._changed:
            return self._value

    def set(self, value: Value) -> None:
        """Replace the value and wake every waiting thread to look at it."""
        self.update(lambda _: value)

    def update(self, change: Callable[[Value], Value]) -> Value:
        """Replace the value by `change(value)`, atomically, and return the new one.

        Raises:
            Exception: Whatever `change` raises. The value is as before then.
        """
        with self._changed:
            self._value = change(self._value)
            self._changed.notify_all()
            return self._value

    def wait_for(
        self, predicate: Callable[[Value], object], *, timeout_s: float | None = None
    ) -> Value:
        """Block the calling thread until `predicate(value)` is true.

        Args:
            predicate: Asked at once, and again when a change wakes this thread,
                under the lock: it must not wait, nor change the value.
            timeout_s: Seconds to wait, 0 or more, or `None` for no limit.

        Returns:
            The value for which the predicate was true.

        Raises:
            ValueError: If `timeout_s` is below 0.
            TimeoutError: If the time is up. It names the value as it was then.
            Exception: Whatever `predicate` raises.
        """
        if timeout_s is not None and not timeout_s >= 0:  # so written, it refuses NaN too
            raise ValueError(f"timeout_s must be 0 or more, got {timeout_s}")
        limit_s = None if timeout_s is None else min(timeout_s, threading.TIMEOUT_MAX)
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self._value), limit_s):
                raise TimeoutError(f"value still {self._value!r} after {timeout_s} s")
            return self._value
