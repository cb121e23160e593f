"""The tables of a task: what each way costs beside ours, and what it does, as was found out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from measured.estimates import Estimate, estimate

SUMMARY = (
    "Task",
    "Ours",
    "The cheapest that does as much",
    "The cheapest of all",
    "Which lacks",
)
"""The heads of the rows of `Findings.summary`."""

HELD_BACK = 1_000
"""A way that pulls fewer of five thousand inputs ahead of an idle consumer holds its input back."""

MILLISECOND = 1e-3

Record = dict[str, Any]
Table = dict[str, object]


@dataclass
class Findings:
    """What was found out about one task.

    Attributes:
        title: The task, as a reader calls it.
        items: How many calls a cost was measured on.
        ways: The ways; ours is the first.
        ours: Whether each is ours.
        costs: For each way but the first, pairs of records: the first way's, and its own.
        counted: For each way, what was counted, by what it is.
        day: The last on which some of it was measured.
    """

    title: str
    items: int
    ways: Sequence[str]
    ours: Sequence[bool]
    costs: dict[int, list[tuple[Record, Record]]] = field(default_factory=dict)
    counted: dict[int, dict[str, Record]] = field(default_factory=dict)
    day: str = ""

    def ratio(self, place: int, clock: str) -> Estimate | None:
        """Estimate a way's cost over ours by a clock; None if it cannot be done."""
        ratios = [
            own[clock] / first[clock]
            for first, own in self.costs.get(place, [])
            if "error" not in own and first[clock] > 0
        ]
        return estimate(ratios) if ratios else None

    def cpu_s(self, place: int) -> Estimate | None:
        """Estimate the CPU seconds of an item."""
        pairs = self.costs.get(place or 1, [])
        found = [pair[place > 0]["cpu_s"] for pair in pairs if "error" not in pair[place > 0]]
        return estimate(found) if found else None

    def guarantees(self, place: int) -> set[str]:
        """List what a way was seen to guarantee."""
        found = self.counted.get(place, {})
        kept = set()
        if found.get("order", {}).get("in_order"):
            kept.add("in order")
        if found.get("ahead", {}).get("ahead", HELD_BACK) < HELD_BACK:
            kept.add("input held back")
        failure = found.get("failure", {})
        if failure.get("how") == "an outcome":
            kept.add("goes on after failures")
        if is_over(failure):
            kept.add("nothing runs after a failure")
        leaving = found.get("leaving", {})
        if is_over(leaving) and leaving["begun"] < HELD_BACK:
            kept.add("nothing runs after leaving")
        apart, child = found.get("apart", {}), found.get("child", {})
        if apart and apart.get("processes") == apart.get("of"):
            kept.add("a process for each item")
        if child.get("left") is False:
            kept.add("what a call started is ended")
        crash = found.get("crash", {})
        if crash and "error" not in crash:
            kept.add("a dead worker is noticed")
        if crash and crash.get("good") == crash.get("of"):
            kept.add("a crash costs one item")
        return kept

    def cheapest(self, *, alike: bool) -> int | None:
        """Find the cheapest peer; None if there is none.

        Args:
            alike: Whether it must do all that ours was seen to do.
        """
        if alike and not self.counted:
            return None
        wanted = self.guarantees(0) if alike else set()
        found = [
            (ratio.median, place)
            for place, ours in enumerate(self.ours)
            if not ours
            and wanted <= self.guarantees(place)
            and (ratio := self.ratio(place, "cpu_s")) is not None
        ]
        return min(found)[1] if found else None

    def summary(self) -> list[str]:
        """Say in one row which peer does as much and which is the cheapest, and what these cost."""
        row = [self.title, self.ways[0]]
        for alike in (True, False):
            place = self.cheapest(alike=alike)
            if place is not None:
                row.append(f"{self.ways[place]}: {figure(self.ratio(place, 'cpu_s'))}")
            else:
                row.append("none was seen" if self.counted else "not looked at")
        cheapest = self.cheapest(alike=False)
        row.append("-" if cheapest is None or not self.counted else self.lacks(cheapest))
        return row

    def table_of_costs(self) -> Table:
        """Show what an item costs, the cheapest first."""
        known = [place for place in range(len(self.ways)) if self.cpu_s(place)]
        known.sort(key=lambda place: one.median if (one := self.ratio(place, "cpu_s")) else 1)
        heads = ["Way", "CPU time of an item", f"CPU time, {self.ways[0]} = 1", "On the clock"]
        rows = [
            [
                self.ways[place],
                micro(self.cpu_s(place)),
                figure(self.ratio(place, "cpu_s")) if place else "1",
                figure(self.ratio(place, "wall_s")) if place else "1",
            ]
            for place in known
        ]
        if self.counted:
            heads.append("Lacks")
            rows = [[*row, self.lacks(place)] for row, place in zip(rows, known, strict=True)]
        return {"heads": heads, "rows": rows}

    def lacks(self, place: int) -> str:
        """Say which of our guarantees a way was seen to lack."""
        if not place:
            return "-"
        lacking = sorted(self.guarantees(0) - self.guarantees(place))
        return ", ".join(lacking) or "nothing"

    def table_of_counts(self) -> Table | None:
        """Show what was counted; None if nothing was."""
        columns = [one for one in COLUMNS if any(one in found for found in self.counted.values())]
        if not columns:
            return None
        return {
            "heads": ("Way", *(COLUMNS[one][0] for one in columns)),
            "rows": [
                (
                    way,
                    *(
                        told(self.counted.get(place, {}).get(one), COLUMNS[one][1])
                        for one in columns
                    ),
                )
                for place, way in enumerate(self.ways)
            ],
        }

    def tables(self) -> list[Table]:
        """Show all of it."""
        counts = self.table_of_counts()
        return [self.table_of_costs(), *([counts] if counts else [])]


def worst(found: Iterable[Record]) -> Record:
    """Choose what a way was seen to do at its worst; of overlaps, the middle."""
    every = list(found)
    if failed := [one for one in every if "error" in one]:
        return failed[0]
    if "overlap" in every[0]:
        return {"overlap": estimate([one["overlap"] for one in every])}

    def badness(one: Record) -> float:
        ran = one.get("running", 0) + one.get("afterwards", 0)
        return float(ran or one.get("ahead", 0) or one.get("left", 0) or -one.get("good", 0))

    return max(every, key=badness)


def is_over(found: Record) -> bool:
    """Tell whether no call ran when the map had ended, and none began afterwards."""
    return bool(found) and "error" not in found and not found["running"] + found["afterwards"]


def told(found: Record | None, words: str) -> str:
    """Write what was found."""
    if found is None:
        return "-"
    if "error" in found:
        return str(found["error"])
    values = {
        **found,
        "in_order": "yes" if found.get("in_order") else "no",
        "raised": found.get("raised") or "not raised",
        "left": "runs on" if found.get("left") else "is ended",
        "overlap": figure(found.get("overlap")),
        "rest": "".join(
            f", {found[name]:,} {told_as}"
            for name, told_as in (("running", "running"), ("afterwards", "later"))
            if found.get(name)
        ),
    }
    return words.format(**values)


COLUMNS = {
    "order": ("In order", "{in_order}"),
    "ahead": ("Pulled ahead", "{ahead:,}"),
    "failure": ("A call fails", "{how}; {begun:,} begun{rest}"),
    "leaving": ("Is left", "{begun:,} begun{rest}"),
    "crash": ("A worker dies", "{raised}; {good:,} of {of:,} others there"),
    "apart": ("Processes", "{processes} for {of} items"),
    "child": ("What a dead worker had started", "{left}"),
    "overlap": ("Overlap of waits", "{overlap}"),
    "memory": ("A million items", "{grown_mb:.1f} MB"),
}
"""What was counted: the head of its column, and how it is written."""


def figure(value: Estimate | None) -> str:
    """Write a ratio with its interval, where there are rounds enough for one."""
    if value is None:
        return "-"
    if value.low is None or value.high is None:
        return f"{value.median:.2f}"
    return f"{value.median:.2f} ({value.low:.2f} to {value.high:.2f})"


def micro(value: Estimate | None) -> str:
    """Write seconds as microseconds, or milliseconds where these are many."""
    if value is None:
        return "-"
    if value.median < MILLISECOND:
        return f"{value.median * 1e6:.1f} µs"
    return f"{value.median * 1e3:.1f} ms"
