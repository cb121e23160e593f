"""Receive messages from several processes, and join each without a hang.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any, TypeVar

__all__ = ["receive_messages"]

Source = TypeVar("Source")
Message = TypeVar("Message")


def receive_messages(
    produce: Callable[[Source], Iterable[Message]],
    sources: Iterable[Source],
    *,
    start_method: str = "spawn",
    grace_s: float = 5.0,
) -> Iterator[Message]:
    """Iterate over `produce(source)` in a process for each source, and yield what comes.

    Use it for a few long jobs that each tell many things: progress, rows, lines.
    Do not use it for one result per item: a pool's map does that.

    Each process has a pipe of its own, so no lock is shared, and a pipe that
    nobody reads holds its process up: the reader sets the pace.

    Args:
        produce: Gives the messages of one source: a generator function of a
            module. The script that starts it needs a main guard. It cannot
            start processes of its own by `multiprocessing`.
        sources: One argument per process, read to its end before the first starts.
        start_method: `"spawn"` works everywhere; `"forkserver"` and `"fork"`
            where the platform has them.
        grace_s: Seconds that a process has to end after it was asked to, above 0,
            if you stop early or another fails. Then it is killed.

    Returns:
        An iterator. Messages of one source come in its order, those of several
        mixed. Processes start at the first `next`. They have ended when it ends,
        fails, or is closed.

    Raises:
        ValueError: If `grace_s` is not above 0, or the platform lacks the start method.
        ChildProcessError: If a process dies before it has said that it is done.
            The others are ended.
        Exception: What `produce` raised, first come; a `RuntimeError` with its text
            if it cannot be pickled. Also what pickling a source or unpickling a
            message raises. The others are ended.

    Examples:
        >>> sorted(receive_messages(range, [2, 3]))
        [0, 0, 1, 1, 2]

    Source:
        [Pipes](https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Pipe)
        and [multiprocessing.connection.wait](https://docs.python.org/3/library/multiprocessing.html#multiprocessing.connection.wait)
        in the Python documentation.
    """
    if not grace_s > 0:
        raise ValueError(f"grace_s must be above 0, got {grace_s}")
    context = multiprocessing.get_context(start_method)
    return _receive(context, produce, list(sources), grace_s)


def _receive(context: Any, produce: Any, sources: list[Any], grace_s: float) -> Iterator[Any]:  # noqa: ANN401
    open_ends: dict[Any, Any] = {}
    try:
        for source in sources:
            reader, writer = context.Pipe(duplex=False)
            with writer:  # the parent's copy: while it is open, the end is never seen
                process = context.Process(
                    target=_send_all, args=(writer, produce, source), daemon=True
                )
                process.start()
            open_ends[reader] = process
        while open_ends:
            ready: list[Any] = wait(list(open_ends))
            for reader in ready:
                process = open_ends[reader]
                try:
                    data = reader.recv_bytes()
                except (EOFError, OSError):  # at the end of the pipe, or amid a message
                    process.join()
                    died = f"{process.name} died with exit code {process.exitcode}"
                    raise ChildProcessError(died) from None
                kind, content = pickle.loads(data)  # noqa: S301 - outside: it may raise the same
                if kind == "message":
                    yield content
                elif kind == "error":
                    error: Exception = content
                    raise error
                else:
                    process.join()  # it has nothing left to send
                    del open_ends[reader]
                    reader.close()
    finally:
        for process in open_ends.values():
            process.terminate()
        for reader, process in open_ends.items():
            process.join(grace_s)
            process.kill()
            process.join()
            reader.close()


def _send_all(writer: Any, produce: Any, source: Any) -> None:  # noqa: ANN401
    with writer:
        try:
            for message in produce(source):
                writer.send(("message", message))
            writer.send(("done", None))
        except Exception as error:  # noqa: BLE001 - raised by the parent
            sendable = _sendable(error)
            sendable.add_note(traceback.format_exc())  # no traceback travels along
            with suppress(BrokenPipeError):  # the parent is gone, and nobody wants to know
                writer.send(("error", sendable))


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - as pickling may raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
