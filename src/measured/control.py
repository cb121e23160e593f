"""Measure what a build must know of its machine: the same code twice, and copies side by side.

Runs inside a block of the build's own, in each round: standard library only. What it measures
says how far the other figures of the same rounds can be believed.
"""

import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial

from measured.machine import usable_cores
from measured.timing import compare

__all__ = ["COMPUTING", "COPIES", "SOURCE", "WAITING", "measure_control"]

COMPUTING = "Control: the same computation twice"
WAITING = "Control: the same wait twice"
COPIES = "Control: one copy of a computation, two, and one for each core"

SOURCE = "from measured.control import measure_control\n\nmeasure_control()\n"
"""The script of the block."""

MOST_COPIES = 8
COPY = "for _ in open(0):\n print(sum(range(5_000_000)), flush=True)"


def compute() -> int:
    """Compute for some hundredths of a second."""
    return sum(range(5_000_000))


def wait() -> None:
    """Wait for twenty hundredths of a second."""
    time.sleep(0.2)


class Copy:
    """An interpreter of its own that computes when it is asked."""

    def __init__(self) -> None:
        """Start it, and wait until it has computed once."""
        command = [sys.executable, "-S", "-c", COPY]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603 - this interpreter
        self.ask()
        self.answer()

    def ask(self) -> None:
        """Let it begin to compute."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe was asked for
        print(file=self.process.stdin, flush=True)

    def answer(self) -> str:
        """Wait for its result."""
        assert self.process.stdout is not None  # noqa: S101 - a pipe was asked for
        return self.process.stdout.readline()

    def end(self) -> None:
        """End it, and wait for it."""
        self.process.communicate()


def compute_in(copies: list[Copy]) -> str:
    """Let all copies compute at the same time."""
    for copy in copies:
        copy.ask()
    return min(copy.answer() for copy in copies)


def measure_control() -> None:
    """Measure the same code twice, computing and waiting, and copies side by side."""
    compare(COMPUTING, first=compute, second=compute)
    compare(WAITING, first=wait, second=wait)
    counts = sorted({1, 2, min(usable_cores(), MOST_COPIES)})
    with ExitStack() as stack:
        copies = []
        for _ in range(counts[-1]):
            copies.append(Copy())
            stack.callback(copies[-1].end)
        compare(COPIES, **{str(one): partial(compute_in, copies[:one]) for one in counts})
