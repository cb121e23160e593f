"""Work for the workers of any executor: it imports little, for every worker does it again."""

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def end_process(_: object) -> None:
    """End the process that runs this."""
    os._exit(3)


def wait_for(barrier: Any) -> int:  # noqa: ANN401 - a barrier or a proxy of one
    """Meet the others."""
    place: int = barrier.wait(30)
    return place


def end_process_when(path: Path) -> None:
    """End the process that runs this as soon as there is such a file."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os._exit(3)


def send_half(path: Path) -> bytes:
    """Let this process send half of its result, write its number down, and wait for ever."""

    def send(connection: Connection, message: bytes) -> None:
        half = bytes(message)[: len(message) // 2]
        assert os.write(connection.fileno(), half) == len(half)
        sign_and_wait(path)

    Connection._send = send  # type: ignore[attr-defined]
    return bytes(100)


def sign_and_wait(path: Path) -> None:
    """Write this process's number down, then wait for ever, deaf to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    new = path.with_suffix(".new")
    new.write_text(str(os.getpid()), encoding="utf-8")
    new.rename(path)
    while True:
        signal.pause()
