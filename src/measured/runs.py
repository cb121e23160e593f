"""What came of running a block, as data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from measured.sampling import Sample

__all__ = ["TIMED", "Run", "begun_near", "rounds_of", "trouble_of"]

TIMED = ("comparison", "sweep", "cost")
"""Kinds of records that hold the samples of one round."""

NEAR = timedelta(minutes=10)
"""How far apart two runs may begin for the one to tell how the machine was during the other."""


@dataclass(slots=True)
class Run:
    """What came of running a block.

    Attributes:
        failure: Why it failed, in words for a reader, or None.
        failure_name: The failure as `fails="..."` on a fence names it, or None.
        output: What it printed.
        errors: What it wrote to standard error.
        records: What it measured, in the order measured.
        wall_s: Seconds from its start to its end.
        cpu_s: CPU seconds, its own and its children's, or None if it could not say.
        peak_kib: The most memory it had at once, in KiB, or None if it could not say.
        load: Load average of the machine when it started, or None where nobody counts.
        started: When it started, in UTC; an empty string if it could not.
    """

    failure: str | None = None
    failure_name: str | None = None
    output: str = ""
    errors: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float | None = None
    peak_kib: int | None = None
    load: float | None = None
    started: str = ""

    def surprise(self, fails: str) -> str:
        """Say how this run is not what its fence promises; an empty string if it is.

        Args:
            fails: The failure that the fence promises, or an empty string.
        """
        if not fails:
            return self.failure or ""
        if self.failure is None:
            return f"succeeded, and was meant to fail with {fails}"
        if self.failure_name != fails:
            return f"{self.failure}, and was meant to fail with {fails}"
        return ""


def rounds_of(runs: Sequence[Run], title: str) -> list[dict[str, Sample]]:
    """List for each round the sample of each arm of a comparison, a sweep or a cost.

    Raises:
        ValueError: If a round has two of that title: their samples would be taken for one figure's.
    """
    found = [
        [one["arms"] for one in run.records if one["kind"] in TIMED and one["title"] == title]
        for run in runs
    ]
    if any(len(figures) > 1 for figures in found):
        raise ValueError(f"has two figures with the title {title!r}")
    return [
        {name: Sample(**arm) for name, arm in arms.items()} for figures in found for arms in figures
    ]


def begun_near(runs: Iterable[Run], moments: Iterable[str]) -> list[Run]:
    """List the runs that began within ten minutes of one of some moments.

    Args:
        runs: Runs that could begin.
        moments: Moments as `Run.started` tells them.
    """
    begins = [datetime.fromisoformat(moment) for moment in moments]
    return [
        run
        for run in runs
        if any(abs(datetime.fromisoformat(run.started) - begin) <= NEAR for begin in begins)
    ]


def trouble_of(runs: Sequence[Run], failures: Sequence[Run], fails: str) -> str:
    """Say what is wrong with a block; an empty string if nothing is.

    Args:
        runs: Its good runs, or the failed one if there are none.
        failures: Its failed runs, oldest first.
        fails: The failure that the fence promises, or an empty string.
    """
    if not failures:
        return ""
    last = failures[-1].surprise(fails)
    if runs[-1].surprise(fails) or not failures[-1].started:
        return last
    return (
        f"is flaky: it failed in {len(failures)} of {len(runs) + len(failures)} runs; "
        f"the last of these {last}"
    )
