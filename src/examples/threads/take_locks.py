"""Take several locks at once, without deadlock.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

__all__ = ["take_locks"]


class _Lock(Protocol):
    def acquire(self, *, timeout: float = ...) -> bool: ...
    def release(self) -> None: ...


_this_thread = threading.local()


def take_locks(*locks: _Lock, timeout_s: float | None = None) -> AbstractContextManager[None]:
    """Hold all `locks` for a `with` block, taken in one order by every thread.

    Use it when one step changes several objects that have a lock each: both
    accounts of a transfer. Threads that take these locks through this function
    alone cannot deadlock on them, in whatever order they name them.

    Do not use it where one lock over everything will do, nor for locks shared
    by processes: the order is that of `id()`, which is unique and fixed for
    objects alive in one process and means nothing in another.

    Args:
        locks: Lock, RLock or Semaphore objects of `threading`. One that is named
            twice is taken once.
        timeout_s: Seconds for taking all of them together, 0 or more, or
            `None` to wait as long as it takes.

    Returns:
        A context manager for one `with` statement. The locks are released in
        reverse when the block ends, however it ends.

    Raises:
        ValueError: If `timeout_s` is below 0.
        TimeoutError: If the locks were not all free in time. It names how many
            were held by then; those have been released.
        RuntimeError: On entering, if this thread is inside another
            `take_locks` block: name all locks in one call.

    Examples:
        >>> ours, theirs = threading.Lock(), threading.Lock()
        >>> with take_locks(ours, theirs):
        ...     print(ours.locked(), theirs.locked())
        True True
        >>> ours.locked() or theirs.locked()
        False

    Source:
        [Lock objects](https://docs.python.org/3/library/threading.html#lock-objects)
        and [id](https://docs.python.org/3/builtins/functions.html#id), Python
        3.15; an order of resources rules out condition 4, the ring, of E. G. Coffman,
        M. J. Elphick, A. Shoshani, System Deadlocks, Computing Surveys 3:2, 1971.
    """
    if timeout_s is not None and not timeout_s >= 0:  # so written, it refuses NaN too
        raise ValueError(f"timeout_s must be 0 or more, got {timeout_s}")
    by_id = {id(lock): lock for lock in locks}
    return _hold([by_id[key] for key in sorted(by_id)], timeout_s)


@contextmanager
def _hold(ordered: list[_Lock], timeout_s: float | None) -> Generator[None, None, None]:
    if getattr(_this_thread, "blocks", 0):
        raise RuntimeError("take_locks does not nest: name all locks in one call")
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    with ExitStack() as held:
        _this_thread.blocks = 1
        held.callback(setattr, _this_thread, "blocks", 0)
        for count, lock in enumerate(ordered):
            if deadline is None:
                taken = lock.acquire()
            else:
                left = min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
                taken = lock.acquire(timeout=left)
            if not taken:
                raise TimeoutError(f"held {count} of {len(ordered)} locks after {timeout_s} s")
            held.callback(lock.release)
        yield
