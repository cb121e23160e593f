"""Take all messages of processes from their queue, and join each without a hang.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import pickle
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from threading import Thread
from typing import Any, TypeVar

__all__ = ["drain_and_join"]

Message = TypeVar("Message")


def drain_and_join(
    processes: Iterable[BaseProcess],
    queue: "Queue[Message]",
    *,
    timeout_s: float | None = None,
    grace_s: float = 5.0,
) -> Iterator[Message]:
    """Iterate over what processes put into a queue, until all have ended and it is empty.

    Use it in place of `join` for processes that put into a `multiprocessing.Queue`: such
    a process does not end before what it has put fits into a pipe or is read. Do not use
    it for one result per item: a pool does that. A new program is better off with a pipe
    for each process: no lock is shared, so one that dies holds up nobody.

    Order: messages of one process in its order, those of several mixed. Back-pressure:
    the pipe's, and that of the queue's `maxsize`. Memory: one message at a time here; what
    a process has put beyond the pipe is in its own memory. Failure: the first process
    that ends with an exit code other than 0 ends the others; what has arrived whole is
    yielded, then the error is raised. Cancellation: if you stop early, or a message
    cannot be loaded, all are ended. Cleanup: whatever happens, all processes have ended
    and are joined, and one watching thread with its pipe is gone.

    A process that ends by `os._exit(0)` looks like success, whatever it had not written
    yet is lost, and if it was amid a message, others that share the queue wait for ever
    for its lock: `timeout_s` ends that.

    Args:
        processes: Those that put into the queue, all of them, started. Nobody else joins
            them meanwhile.
        queue: A `multiprocessing.Queue` or `JoinableQueue`, which nobody else reads. It
            is of no more use afterwards.
        timeout_s: Seconds from this call in which all processes must have ended, above
            0, and at most 2,000,000, which is 23 days; the time that you take for
            messages counts. `None` sets no limit.
        grace_s: Seconds that a process has to end after it was asked to, in the same
            bounds. Then it is killed.

    Returns:
        An iterator. Nothing happens before the first `next`.

    Raises:
        ValueError: If a process has not been started, or a number is out of its bounds.
        TypeError: If `queue` is another kind of queue.
        ChildProcessError: If a process ends with an exit code other than 0, or amid a
            message.
        TimeoutError: If not all have ended in time.
        Exception: What loading a message raises.

    Examples:
        >>> import multiprocessing
        >>> context = multiprocessing.get_context("spawn")
        >>> queue = context.Queue()
        >>> processes = [context.Process(target=queue.put, args=(n,)) for n in (1, 2)]
        >>> for process in processes:
        ...     process.start()
        >>> sorted(drain_and_join(processes, queue))
        [1, 2]

    Source:
        [Joining processes that use queues](https://docs.python.org/3/library/multiprocessing.html#programming-guidelines)
        in the Python documentation.
    """
    for name, seconds in (("timeout_s", timeout_s), ("grace_s", grace_s)):
        if seconds is not None and not 0 < seconds <= 2_000_000:  # noqa: PLR2004 - poll(2) takes little more
            raise ValueError(f"{name} must be above 0, and at most 2000000, got {seconds}")
    if not isinstance(queue, Queue):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"queue must be a multiprocessing.Queue, got {queue!r}")
    todo = list(processes)
    for process in todo:
        if process.pid is None:
            raise ValueError(f"processes must be started, got {process}")
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    return _drain(todo, queue, deadline, grace_s)


def _drain(todo: list[Any], queue: Any, deadline: float | None, grace_s: float) -> Iterator[Any]:  # noqa: ANN401 - as it is looked into
    reader, writer, slots = queue._reader, queue._writer, queue._sem  # noqa: SLF001 - none is public
    ours, theirs = multiprocessing.Pipe()
    failures: list[Exception] = []

    def watch() -> None:
        failures.extend(_join(todo, theirs, deadline))
        for process in todo:
            process.terminate()
        for process in todo:
            process.join(grace_s)
            process.kill()
            process.join()
        writer.close()  # the last copy: now a message that was cut off has an end
        theirs.close()

    watcher = Thread(target=watch, name="drain_and_join")
    watcher.start()
    try:
        while True:
            wait([reader, ours])
            if not wait([reader], 0):  # asked again: all have ended, and it is empty
                break
            try:
                received = [reader.recv_bytes()]
            except EOFError:
                break
            except OSError:
                failures.append(ChildProcessError("a process ended amid a message"))
                break
            slots.release()
            yield pickle.loads(received.pop())  # noqa: S301 - our own, and not kept here
    finally:
        ours.close()  # tells the watcher to end what still runs
        watcher.join()
    if failures:
        raise failures.pop(0)  # an error that this frame held would hold this frame


def _join(todo: list[Any], stop: Any, deadline: float | None) -> Iterator[Exception]:  # noqa: ANN401 - one end of a pipe
    """Join processes as they end, and leave the others in the list when something went wrong."""
    while todo:
        left = None if deadline is None else max(0, deadline - time.monotonic())
        ready = wait([stop, *(process.sentinel for process in todo)], left)
        ended = [process for process in todo if process.sentinel in ready]
        for process in ended:
            process.join()
            todo.remove(process)
            if process.exitcode != 0:
                yield ChildProcessError(f"{process.name} ended with exit code {process.exitcode}")
        if not ready:
            names = ", ".join(process.name for process in todo)
            yield TimeoutError(f"not ended in time: {names}")
        if stop in ready or not ready or any(process.exitcode for process in ended):
            return
