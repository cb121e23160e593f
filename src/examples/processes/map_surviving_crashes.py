"""Map a function over processes, so that a call that dies or hangs costs only its item.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import os
import pickle
import signal
import traceback
from collections.abc import Callable, Generator, Iterable
from itertools import islice, starmap
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from threading import TIMEOUT_MAX, Thread
from time import monotonic
from typing import Any

__all__ = ["map_surviving_crashes"]

SIGNALS = {-number: number.name for number in signal.Signals}  # by the exit code that they cause


def map_surviving_crashes(  # noqa: C901, PLR0913 - what it promises takes as much
    call: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    max_workers: int,
    time_limit_s: float | None = None,
    retries: int = 0,
    start_method: str = "spawn",
) -> list[Any]:
    """Return what came of `call(item)` for every item, each in a process of its own.

    Use it for calls that may crash, hang or be killed for their memory: C
    extensions, foreign files, models. Do not use it for small calls: each pays for
    the start of a process. Do not ask for retries of what must not begin twice.

    Order: that of `items`. Back-pressure: none; all items are read and pickled before
    the first call, and all outcomes are kept. Failure: an outcome, which no other item
    notices. Cancellation: at its time limit the process group of a worker gets SIGTERM
    and, one second later, SIGKILL; on Windows the worker is killed. Cleanup: when an
    item is done, its worker has ended, and on POSIX all that it started; what left the
    group, as a daemon does, is not reached. If this process dies, so do the groups of
    its workers; on Windows each goes on to the end of its call. Not seen is a worker that
    is frozen amid an answer too large for a pipe: it is waited for, whatever the limit.

    Args:
        call: Work on one item: a function of a module, not a lambda. The script that
            starts it needs a main guard.
        items: One argument per call.
        max_workers: Ceiling on calls at once, 1 or more.
        time_limit_s: Seconds for each try, the start of its process included, more
            than 0; `None` for no limit.
        retries: How often an item is tried again, in a new process, after one died or
            hung; 0 or more. What a call raised is not tried again.
        start_method: `"spawn"` works everywhere; `"forkserver"` starts sooner, where
            the platform has it. Do not take `"fork"` while other threads run.

    Returns:
        For each item one of three: what the call returned; the exception that it
        raised, with the worker's traceback as a note; or a `ChildProcessError` or
        `TimeoutError` that names the item by its number, from 0 on, the former with
        the signal or exit code that ended the worker. An answer that cannot be sent,
        or loaded here, is an error too.

    Raises:
        ValueError: If a limit is too low, or the platform lacks the start method.
        TypeError: If `max_workers` or `retries` is not a whole number. Python also
            raises it, `AttributeError` or `pickle.PicklingError`, if `call` or an item
            cannot be pickled. No process was started.
        OSError: If a process or a pipe cannot be made. The workers have been ended.
        KeyboardInterrupt: If it comes, when the workers have been ended as at a time
            limit. Ctrl-C reaches no worker but one that is just starting: that may
            print a traceback of its own.

    Examples:
        >>> from os import _exit  # ends a process as a crash would
        >>> for outcome in map_surviving_crashes(_exit, [3, "x"], max_workers=2):
        ...     print(repr(outcome))
        ChildProcessError('item 0: worker ended: exit code 3; EOFError()')
        TypeError("'str' object cannot be interpreted as an integer")

    Source:
        [multiprocessing](https://docs.python.org/3/library/multiprocessing.html) in the
        Python documentation.
    """
    if range(max_workers).stop < 1 or range(retries).stop < 0:  # refuses what is not whole, too
        raise ValueError(f"max_workers must be >= 1, retries >= 0, got {max_workers} and {retries}")
    if time_limit_s is not None and not time_limit_s > 0:  # so written, it refuses NaN
        raise ValueError(f"time_limit_s must be more than 0, got {time_limit_s}")
    context: Any = get_context(start_method)
    done: dict[int, Any] = {}

    def attend(number: int, message: bytes) -> Generator[Connection, None, Any]:
        for _ in range(retries + 1):
            pipe, far_end = context.Pipe()
            process = context.Process(target=_work, args=(far_end,))
            process.start()
            far_end.close()
            due = monotonic() + (time_limit_s or TIMEOUT_MAX)
            try:
                while monotonic() < due:
                    if pipe.poll():
                        if answer := pipe.recv_bytes():
                            done[number] = pickle.loads(answer)  # noqa: S301 - from our own worker
                            return process.join(1)  # it may have something to flush
                        pipe.send_bytes(message)  # the worker has started
                    yield pipe
                done[number] = TimeoutError(f"item {number}: no result in {time_limit_s} s")
            except (Exception, SystemExit) as error:  # noqa: BLE001 - it died, or cannot be loaded
                process.join(1)
                end = SIGNALS.get(process.exitcode, f"exit code {process.exitcode}")
                done[number] = ChildProcessError(f"item {number}: worker ended: {end}; {error!r}")
            finally:
                for name in ("SIGTERM", "SIGKILL"):
                    try:
                        os.killpg(process.pid, getattr(signal, name))
                    except (OSError, AttributeError):  # it has no group yet; Windows has none
                        process.kill()
                    process.join(1)

    jobs = starmap(attend, enumerate([pickle.dumps((call, item)) for item in items]))
    running, waiting = list[Any](), dict[Any, Connection]()
    try:
        while running := [*waiting, *islice(jobs, max_workers - len(waiting))]:
            waiting = {job: pipe for job in running if (pipe := next(job, None))}
            wait(list(waiting.values()), 0.1 * (len(waiting) == len(running)))
    finally:
        any(job.close() for job in running)  # closes all, for none returns anything
    return [done[number] for number in sorted(done)]


def _work(pipe: Connection) -> None:
    getattr(os, "setpgrp", int)()  # Windows has neither groups
    getattr(os, "register_at_fork", dict)(after_in_child=pipe.close)  # nor fork
    Thread(target=lambda: parent_process().join() or os.killpg(0, 9), daemon=True).start()  # type: ignore[func-returns-value, union-attr]
    pipe.send_bytes(b"")
    try:
        call, item = pickle.loads(pipe.recv_bytes())  # noqa: S301 - from our own parent
        answer = pickle.dumps(call(item))
    except BaseException as error:  # noqa: BLE001 - an outcome
        try:
            error.add_note(traceback.format_exc())
            answer = pickle.dumps(pickle.loads(pickle.dumps(error)))  # noqa: S301 - our own
        except Exception:  # noqa: BLE001 - it cannot be made again from what was pickled
            answer = pickle.dumps(RuntimeError(repr(error)))
    pipe.send_bytes(answer)
