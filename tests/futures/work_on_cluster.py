"""What workers of a cluster import and run."""

import os
import signal
import time
from pathlib import Path


def square_and_die_once(task: tuple[int, str]) -> int:
    """Square a number; the first to get 7 kills its worker."""
    number, marks = task
    if number == 7:
        try:
            (Path(marks) / "died").touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def go_on(folder: str) -> None:
    """Say that the call has begun, and when it is let go, that it has ended."""
    marks = Path(folder)
    (marks / "begun").touch()
    while not (marks / "go").exists():
        time.sleep(0.01)
    (marks / "ended").touch()
