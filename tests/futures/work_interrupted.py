"""Scripts that Ctrl-C is to end, and the work in their workers; it imports little."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any


def say(words: str) -> None:
    """Write a line in one step: workers share the pipe."""
    os.write(1, f"{words}\n".encode())


def hang(item: Any) -> None:  # noqa: ANN401 - anything
    """Say so, and hang for ever, deaf to SIGTERM."""
    if hasattr(signal, "SIGTERM") and os.getpid() != PARENT:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(f"hangs {os.getpid()}" if not isinstance(item, int) else f"hangs {os.getpid()} {item}")
    while True:
        time.sleep(3600)


def hang_after_two(item: int) -> int:
    """Give two results, then hang."""
    if item >= 2:
        hang(item)
    return item


def send_half(item: int) -> bytes:
    """Send half of the result, and hang."""

    def send(connection: Connection, message: bytes) -> None:
        half = bytes(message)[: len(message) // 2]
        assert os.write(connection.fileno(), half) == len(half)
        hang(item)

    vars(sys.modules[Connection.__module__])["Connection"]._send = send
    return bytes(100)


def start_program(item: int) -> None:
    """Start a program that tells whether it is deaf to SIGINT, and hang."""
    script = "import signal; print(signal.getsignal(2) is signal.default_int_handler, flush=True)"
    subprocess.run([sys.executable, "-c", script], check=True)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    say(f"blocked {signal.SIGINT in blocked}")
    hang(item)


def wait_a_moment(item: int) -> int:
    """Take a while that ends."""
    say(f"waits {os.getpid()} {item}")
    time.sleep(0.3)
    say(f"waited {item}")
    return item


def built_in(call: Callable[[Any], Any], items: Any, *, max_workers: int, workers: str) -> Any:  # noqa: ANN401 - as map
    """Do it as Python 3.14 and later can, without anything of ours."""
    executor: Any = ProcessPoolExecutor(
        max_workers, get_context(workers), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    )
    with executor:
        try:
            yield from executor.map(call, items, buffersize=2 * max_workers)
        except KeyboardInterrupt:
            executor.kill_workers()
            raise


PARENT = os.getpid()
