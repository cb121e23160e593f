"""Put a ceiling on how many threads use a thing at once.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

__all__ = ["ConcurrencyLimit"]


class ConcurrencyLimit:
    """Hand out a fixed number of permits, each to one thread at a time.

    Use it where threads of several kinds or pools share what stands only so
    much at once: a service, a licence, memory. If all the calls come from
    one place, a pool with as many threads does the same, and needs no
    permits. Not for `async` code: waiting for a permit blocks the calling
    thread.

    A permit is given back by leaving its `with` block, and in no other way,
    so it cannot be given back twice.

    Examples:
        >>> limit = ConcurrencyLimit(1)
        >>> with limit.permit():
        ...     with limit.permit(timeout_s=0):
        ...         print("never: the only permit is taken")
        Traceback (most recent call last):
        TimeoutError: no permit of 1 came free in 0 s

    Source:
        [Semaphore objects](https://docs.python.org/3/library/threading.html#semaphore-objects)
    """

    def __init__(self, max_running: int) -> None:
        """Set the ceiling.

        Args:
            max_running: Permits there are in all, 1 or more.

        Raises:
            ValueError: If `max_running` is below 1.
        """
        if max_running < 1:
            raise ValueError(f"max_running must be 1 or more, got {max_running}")
        self._max_running = max_running
        self._permits = threading.BoundedSemaphore(max_running)

    def permit(self, *, timeout_s: float | None = None) -> AbstractContextManager[None]:
        """Hold a permit for the length of a `with` block.

        Which of several waiting threads is next is not defined. A thread
        that asks again while it holds a permit needs a second one: with a
        ceiling of 1 it waits for itself.

        Args:
            timeout_s: Seconds to wait; 0 asks once and does not wait,
                `None` waits without limit.

        Returns:
            What a `with` statement enters, once.

        Raises:
            ValueError: If `timeout_s` is below 0, or above
                `threading.TIMEOUT_MAX`.
            TimeoutError: On entering, if no permit came free in time. The
                block did not run, and no permit is held.
        """
        if timeout_s is not None and not 0 <= timeout_s <= threading.TIMEOUT_MAX:
            bounds = f"0 to {threading.TIMEOUT_MAX:g}"
            raise ValueError(f"timeout_s must be {bounds}, got {timeout_s}")
        return self._hold(timeout_s)

    @contextmanager
    def _hold(self, timeout_s: float | None) -> Generator[None, None, None]:
        if not self._permits.acquire(timeout=timeout_s):
            raise TimeoutError(f"no permit of {self._max_running} came free in {timeout_s:g} s")
        try:
            yield
        finally:
            self._permits.release()
