"""Repeat work in a thread on a steady beat, and stop at once when told.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import math
import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

__all__ = ["PeriodicWorker"]


class PeriodicWorker:
    """Call `work()` in a thread of its own, at once and then on every beat.

    Use it for a heartbeat, a flush, a look at a folder. Beats are counted
    from the start, so they do not drift. Calls never overlap: beats that
    pass during a long call are left out. Stopping ends the wait for the next
    beat at once, and lets a call that has begun come to its end.

    Start it with `with`, once; the end of the block stops it. If a call
    fails, the worker ends, and the error is raised there.

    Examples:
        >>> beats, three = [], threading.Event()
        >>> def work():
        ...     beats.append("beat")
        ...     if len(beats) == 3:
        ...         three.set()
        >>> with PeriodicWorker(work, period_s=0.001):
        ...     three.wait(10)
        True

    Source:
        [Event objects](https://docs.python.org/3/library/threading.html#event-objects)
    """

    def __init__(
        self, work: Callable[[], object], *, period_s: float, name: str = "periodic-worker"
    ) -> None:
        """Say what to do and how often; nothing runs yet.

        Args:
            work: What to call. What it returns is dropped.
            period_s: Seconds from beat to beat; 0 calls without a pause.
            name: Name of the thread.

        Raises:
            ValueError: If `period_s` is below 0, or above
                `threading.TIMEOUT_MAX`.
        """
        if not 0 <= period_s <= threading.TIMEOUT_MAX:
            bounds = f"0 to {threading.TIMEOUT_MAX:g}"
            raise ValueError(f"period_s must be {bounds}, got {period_s}")
        self._work, self._period_s = work, period_s
        self._told_to_stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name)

    @property
    def running(self) -> bool:
        """Whether the thread runs. If not, inside the `with` block, the work failed."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop. If the block failed as well, its error goes on, with a note of the work's."""
        self._end()
        if error is None and self._error is not None:
            raise self._error
        if error is not None and self._error is not None and error is not self._error:
            error.add_note(f"The periodic work failed too: {self._error!r}")

    def stop(self) -> None:
        """Tell the worker to stop, and wait until its thread has ended.

        It may be called again, from any thread, and from the work itself:
        there it does not wait.

        Raises:
            BaseException: What the work raised.
        """
        self._end()
        if self._error is not None:
            raise self._error

    def _end(self) -> None:
        self._told_to_stop.set()
        started = self._thread.ident is not None
        if started and threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        start, beat = monotonic(), 0
        try:
            while not self._told_to_stop.is_set():
                self._work()
                beat = next_beat(beat, monotonic() - start, self._period_s)
                self._told_to_stop.wait(max(0.0, start + beat * self._period_s - monotonic()))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that stops the worker
            self._error = error


def next_beat(last: int, since_start_s: float, period_s: float) -> int:
    """Return the number of the first beat that is after the last one and not yet past."""
    passed = math.ceil(since_start_s / period_s) if period_s else 0
    return max(last + 1, passed)
