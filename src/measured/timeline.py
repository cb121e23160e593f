"""Record who ran what, and when, across threads, tasks and processes.

Runs inside blocks: standard library only. All lanes share one clock: `time.perf_counter` reads
the same clock in every process of a machine.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from measured import records

__all__ = ["Lanes", "timeline"]

P = ParamSpec("P")
R = TypeVar("R")


def lane_name() -> str:
    """Name what runs now: the task, else the thread, and the process if it is a child."""
    thread = threading.current_thread()
    name = "main" if thread is threading.main_thread() else thread.name
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - documented, does not raise
        task = asyncio.current_task()
        name = task.get_name() if task is not None else name
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        process: str = multiprocessing.current_process().name
        name = process if name == "main" else f"{process} {name}"
    return name


class Lanes:
    """The spans of one timeline. It can be sent to another process.

    Attributes:
        title: What the timeline shows.
    """

    def __init__(self, title: str, path: str) -> None:
        """Keep what every lane needs to know.

        Args:
            title: What the timeline shows.
            path: The file to which every process appends its spans.
        """
        self.title = title
        self._path = path

    def span(self, label: str, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `call` and record when it ran.

        Args:
            label: What the lane does meanwhile, as `"wait"`, `"compute"` or `"hold"`.
            call: What to call.
            args: Positional arguments of the call.
            kwargs: Keyword arguments of the call.

        Returns:
            What the call returned.
        """
        with self.during(label):
            return call(*args, **kwargs)

    @contextmanager
    def during(self, label: str) -> Iterator[None]:
        """Record when the body of the `with` statement ran.

        Args:
            label: What the lane does meanwhile.
        """
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(label, start, time.perf_counter())

    def mark(self, label: str) -> None:
        """Record an instant.

        Args:
            label: What happened.
        """
        now = time.perf_counter()
        self.add(label, now, now)

    def add(self, label: str, start: float, end: float) -> None:
        """Record a span that the caller has timed itself.

        Recording lets go of the GIL, since it writes to a file. A loop that is to show who holds
        the GIL keeps its times in a list, and adds them once it has ended.

        Args:
            label: What the lane did meanwhile.
            start: When it began, as `time.perf_counter` told it.
            end: When it ended, likewise.

        Raises:
            ValueError: If the end is before the start.
        """
        if end < start:
            raise ValueError(f"{label!r} ends before it starts: {end} s, {start} s")
        line = json.dumps([lane_name(), label, start, end]) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:  # one write: lines of several processes do not mix
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


@contextmanager
def timeline(title: str) -> Iterator[Lanes]:
    """Record spans of threads, tasks and processes, as one picture.

    Args:
        title: What the picture shows.

    Yields:
        The lanes; `span`, `during`, `mark` and `add` record into the lane of whoever calls them.
    """
    descriptor, path = tempfile.mkstemp(suffix=".spans")
    os.close(descriptor)
    start = time.perf_counter()
    try:
        yield Lanes(title, path)
        with open(path, encoding="utf-8") as file:
            spans = [json.loads(line) for line in file]
    finally:
        os.unlink(path)  # noqa: PTH108 - likewise
    spans = sorted(
        ([lane, label, a - start, b - start] for lane, label, a, b in spans), key=lambda s: s[2]
    )
    if records.under_a_build():
        records.emit({"kind": "timeline", "title": title, "spans": spans})
        return
    print(title)  # noqa: T201 - by hand
    for lane, label, since, until in spans:
        print(f"  {lane:<20} {label:<12} {since:8.4f} s to {until:8.4f} s")  # noqa: T201 - by hand
