"""The journal of one run: which items were pulled and taken, which calls began and ended.

It is a file, for the calls of some ways are made by other processes. A line is written at once.
"""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PULLED, TAKEN, BEGUN, ENDED = "ptbe"
FILE = Path("journal").resolve()
"""In the folder of its own that the run has, which its workers share."""
SETTLED_S, LOOK_S = 0.5, 0.05
PATIENCE_S = 60.0


@cache
def opened() -> int:
    """Open the journal once in each process."""
    return os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(mark: str) -> None:
    """Write one line."""
    os.write(opened(), f"{mark} {os.getpid()}\n".encode())


def pulling(items: Iterable[int]) -> Iterator[int]:
    """Note each item that is pulled."""
    for item in items:
        note(PULLED)
        yield item


@dataclass(frozen=True)
class Seen:
    """What a journal tells.

    Attributes:
        pulled: Items pulled.
        taken: Results handed over.
        begun: Calls begun.
        running: Calls that have not ended, in processes that live.
        most_running: How many ran at once at most.
        most_ahead: How many items were pulled ahead of results taken, at most.
        most_waiting: How many items were pulled ahead of calls that have ended, at most.
    """

    pulled: int
    taken: int
    begun: int
    running: int
    most_running: int
    most_ahead: int
    most_waiting: int


def read() -> Seen:
    """Read the journal."""
    opened()
    counts = dict.fromkeys((PULLED, TAKEN, BEGUN, ENDED), 0)
    by_process: dict[int, int] = {}
    running = ahead = waiting = 0
    for line in FILE.read_text(encoding="ascii").splitlines():
        mark, process = line.split()
        counts[mark] += 1
        if mark in {BEGUN, ENDED}:
            by_process[int(process)] = by_process.get(int(process), 0) + (mark == BEGUN or -1)
        running = max(running, counts[BEGUN] - counts[ENDED])
        ahead = max(ahead, counts[PULLED] - counts[TAKEN])
        waiting = max(waiting, counts[PULLED] - counts[ENDED])
    alive = sum(count for process, count in by_process.items() if is_alive(process))
    return Seen(counts[PULLED], counts[TAKEN], counts[BEGUN], alive, running, ahead, waiting)


def is_alive(process: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    import psutil  # noqa: PLC0415 - workers that import this module need not

    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def is_settled(sizes: list[int]) -> bool:
    """Look at the journal again, and tell whether nothing was written for a while."""
    sizes.append(os.fstat(opened()).st_size)
    looks = round(SETTLED_S / LOOK_S)
    return len(sizes) > PATIENCE_S / LOOK_S or len(set(sizes[-looks:])) == 1 <= len(sizes) - looks


def settle() -> Seen:
    """Wait until nothing is written any more, and read."""
    sizes: list[int] = []
    while not is_settled(sizes):
        time.sleep(LOOK_S)
    return read()
