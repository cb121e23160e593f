"""Tell how far a pass over blocks is: a bar on a terminal, else one line per block."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Report", "progress_of"]

RECENT = 13  # the pace of the last dozen runs: measuring blocks take longer than the others


class Report(Protocol):
    """Tells how far a pass is."""

    def begins(self, block: str) -> None:
        """Say that a block begins."""

    def done(self, block: str, more: int = 0) -> None:
        """Say that a block is done, and by how many runs there are more to come than thought."""


@contextmanager
def progress_of(total: int) -> Iterator[Report]:
    """Show progress on standard error: a bar on a terminal, else one line per block."""
    if not sys.stderr.isatty():
        yield Lines(total)
        return
    from rich import progress as rich  # noqa: PLC0415 - only a terminal shows it
    from rich.console import Console  # noqa: PLC0415 - likewise

    columns = (
        rich.TextColumn("measuring"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeRemainingColumn(),
        rich.TextColumn("{task.description}"),
    )
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield Bar(shown, total)


class Bar:
    """A progress bar: blocks done of all, time left, what runs now."""

    def __init__(self, progress: "Progress", total: int) -> None:
        """Show a bar of `total` runs."""
        self._progress, self._total = progress, total
        self._id = progress.add_task("", total=total)
        self._running: list[str] = []

    def begins(self, block: str) -> None:
        """Name what runs now."""
        self._running.append(block)
        self._name_running(advance=0)

    def done(self, block: str, more: int = 0) -> None:
        """Count one run."""
        self._running.remove(block)
        self._total += more
        self._name_running(advance=1)

    def _name_running(self, *, advance: int) -> None:
        names = ", ".join(self._running)
        self._progress.update(
            self._id, total=self._total, advance=advance, description=names, refresh=True
        )


class Lines:
    """One line for each run, for a log."""

    def __init__(self, total: int) -> None:
        """Count up to `total` runs."""
        self._total, self._count = total, 0
        self._ends = deque([time.monotonic()], maxlen=RECENT)

    def begins(self, block: str) -> None:
        """Say nothing: the line comes when it is done."""

    def done(self, block: str, more: int = 0) -> None:
        """Write the line of one run."""
        self._count += 1
        self._total += more
        self._ends.append(time.monotonic())
        pace = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        left = pace * (self._total - self._count)
        print(  # noqa: T201 - progress
            f"measured: {self._count} of {self._total}, {block}, about {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )
