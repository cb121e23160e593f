"""The calls that threads and processes make, each on one number."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from journal import BEGUN, ENDED, note

WAIT_S = 0.05
CHILD = Path("child").resolve()
CHILD_S = 20
FAILING = 50
"""The item whose call fails or dies."""


def give_back(item: int) -> int:
    """Do nothing."""
    return item


def forget(item: int) -> None:
    """Do nothing, and return nothing that takes memory."""


def wait(item: int) -> int:
    """Wait."""
    time.sleep(WAIT_S)
    return item


def noted(item: int) -> int:
    """Wait a little, and note it."""
    note(BEGUN)
    try:
        time.sleep(0.001)
        return item
    finally:
        note(ENDED)


def fail(item: int) -> int:
    """Do the same, and fail on one item."""
    noted(item)
    if item == FAILING:
        raise ValueError(item)
    return item


def last_first(item: int) -> int:
    """Wait on the first item only."""
    if item == 0:
        time.sleep(0.3)
    return item


def who(_: int) -> int:
    """Tell which process this is."""
    return os.getpid()


def leave_child(item: int) -> int:
    """Start a program that runs on, write down which, and die."""
    child = subprocess.Popen([sys.executable, "-S", "-c", f"import time; time.sleep({CHILD_S})"])
    CHILD.write_text(str(child.pid), encoding="ascii")
    return crash(FAILING + 0 * item)


def crash(item: int) -> int:
    """Die of a signal on one item."""
    if item == FAILING:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return item
