"""Producers for child processes: they put into a queue, and end well or badly."""

import os
import signal
import struct
import sys
import time
from typing import Any

from work_in_children import Unloadable

LARGE = 1_000_000  # bytes, more than any pipe holds


def put_numbers(queue: Any, name: str, count: int, size: int = 0) -> None:  # noqa: ANN401 - a queue
    """Put so many messages, each of so many bytes."""
    for number in range(count):
        queue.put((name, number, bytes(size)))


def put_and(queue: Any, act: str, event: Any = None) -> None:  # noqa: ANN401 - a queue, an event
    """Put one message, which arrives, and end as told."""
    if act == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    queue.put("put")
    queue.close()
    queue.join_thread()  # written
    if event is not None:
        event.wait(60)
    if act == "raise":
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it ends now
        raise LookupError
    if act == "exit":
        sys.exit(3)
    if act == "_exit":
        os._exit(7)
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    while act in {"go on", "ignore"}:
        time.sleep(60)


def put_and_tell(queue: Any, told: Any) -> None:  # noqa: ANN401 - a queue, a semaphore
    """Put one message, tell when it is written, and go on."""
    queue.put("put")
    queue.close()
    queue.join_thread()
    told.release()
    time.sleep(60)


def cut_off(queue: Any, code: int, written: Any, die: Any) -> None:  # noqa: ANN401 - queue, events
    """Write the beginning of a message, as a queue's thread does, and die; 0 is an exit code."""
    queue._wlock.acquire()
    os.write(queue._writer.fileno(), struct.pack("!i", 1_000) + b"begun")
    written.set()
    die.wait(60)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def put_after(queue: Any, event: Any) -> None:  # noqa: ANN401 - a queue, an event
    """Put a message when told, or never get to write it."""
    event.wait(60)
    queue.put("after")


def put_unloadable(queue: Any, kind: type[Exception]) -> None:  # noqa: ANN401 - a queue
    """Put a message that cannot be loaded, then one that no pipe holds."""
    queue.put(Unloadable(kind))
    queue.put(bytes(LARGE))


def meet_and_put(queue: Any, barrier: Any) -> None:  # noqa: ANN401 - a queue, a barrier
    """Meet the others before and after a large message."""
    barrier.wait(30)
    queue.put(bytes(LARGE))
    barrier.wait(30)


def put_and_wait_for_it(queue: Any, count: int) -> None:  # noqa: ANN401 - a JoinableQueue
    """Put, and wait until all of it is said to be done."""
    for number in range(count):
        queue.put(number)
    queue.join()


class Held:
    """Something that can be referred to weakly."""


def put_held(queue: Any) -> None:  # noqa: ANN401 - a queue
    """Put one."""
    queue.put(Held())
