"""The figures of a bench: costs, ratios, and how ours stands to its limits."""

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from costs import Cost
from rich.table import Table
from sites import (
    BLOCK,
    BLOCK_S,
    BUILDS,
    COLD,
    FIRST,
    FIRST_HANDBOOK,
    FIRSTS,
    OFF,
    OURS,
    PLAIN,
    PROSE,
    REBUILD,
    RENDER,
    SERVED,
    SERVED_BLOCK,
    WAYS,
)

from measured.estimates import Estimate, estimate

WALL, CPU = "wall_s", "cpu_s"


@dataclass
class Costs:
    """What every round cost.

    Attributes:
        taken: For each kind and way, one cost of each round.
    """

    taken: dict[tuple[str, str], list[Cost]] = field(default_factory=dict)

    def add(self, kind: str, way: str, cost: Cost) -> None:
        """Keep the cost of one more round."""
        self.taken.setdefault((kind, way), []).append(cost)

    def seconds(self, kind: str, way: str, clock: str = WALL) -> list[float]:
        """List what a kind took by a clock of `Cost`, once for each round."""
        return [getattr(cost, clock) for cost in self.taken.get((kind, way), [])]

    def kinds(self, wanted: Iterable[str]) -> list[str]:
        """List those of some kinds that were taken."""
        return [one for one in wanted if any(one == kind for kind, _ in self.taken)]


@dataclass(frozen=True, slots=True)
class Target:
    """A limit of ours: `factor` times what another way takes, and `added_s`.

    Attributes:
        text: What it says.
        kind: What is limited.
        factor: How many times the other way.
        added_s: Seconds on top.
        way: The other way.
        clock: The clock of `Cost`.
    """

    text: str
    kind: str
    factor: float
    added_s: float = 0.0
    way: str = OFF
    clock: str = WALL


def targets_of(blocks: int) -> tuple[Target, ...]:
    """List what ours is to reach on a site of so many blocks."""
    cold_s = 1.3 * blocks * BLOCK_S
    return (
        Target("rebuild: at most 1.25 times the floor", REBUILD, 1.25),
        Target("prose edit: at most 1.25 times the floor", PROSE, 1.25),
        Target("block edit, served: at most the floor plus that block", SERVED_BLOCK, 1.0, BLOCK_S),
        Target("block edit, built anew: likewise", BLOCK, 1.0, BLOCK_S),
        Target("cold build: at most 1.3 times its blocks plus the floor", COLD, 1.0, cold_s),
        Target("first page of make serve, empty store: at most 1.2 times the floor", FIRST, 1.2),
        Target("the same of this handbook", FIRST_HANDBOOK, 1.2),
        Target("blocks rendered, CPU: at most as markdown-exec", RENDER, 1.0, 0.0, PLAIN, CPU),
    )


def ratio_of(over: Sequence[float], under: Sequence[float]) -> Estimate | None:
    """Estimate the ratio of two things, from the ratio in each round; None if one was left out."""
    if not over or not under:
        return None
    return estimate([one / other for one, other in zip(over, under, strict=True)])


def figure(value: Estimate | None) -> str:
    """Write a ratio with its interval, where there are rounds enough for one."""
    if value is None:
        return "-"
    if value.low is None or value.high is None:
        return f"{value.median:.2f}"
    return f"{value.median:.2f} ({value.low:.2f} to {value.high:.2f})"


def median_of(values: Sequence[float]) -> str:
    """Write the median of some seconds."""
    return f"{statistics.median(values):.2f} s" if values else "-"


def table_of(costs: Costs, kinds: Sequence[str], clock: str, title: str) -> Table:
    """Show what some kinds took in every way by a clock of `Cost`, and the ratios."""
    table = Table("", *WAYS, "ours / off", "markdown-exec / ours", title=title)
    for kind in kinds:
        off, plain, ours = (costs.seconds(kind, way, clock) for way in WAYS)
        medians = map(median_of, (off, plain, ours))
        table.add_row(kind, *medians, figure(ratio_of(ours, off)), figure(ratio_of(plain, ours)))
    return table


def table_of_targets(costs: Costs, blocks: int) -> Table:
    """Show how ours stands to each limit; a target is reached if the median ratio is at most 1."""
    table = Table("target", "ours", "limit", "ours / limit", "reached", title="Targets")
    for target in targets_of(blocks):
        ours = costs.seconds(target.kind, OURS, target.clock)
        others = costs.seconds(target.kind, target.way, target.clock)
        limits = [target.factor * other_s + target.added_s for other_s in others]
        ratio = ratio_of(ours, limits)
        if ratio is not None:
            reached = "yes" if ratio.median <= 1 else "no"
            table.add_row(target.text, median_of(ours), median_of(limits), figure(ratio), reached)
    return table


def tables_of(costs: Costs, blocks: int) -> list[Table]:
    """Show all that was measured on a site of so many blocks."""
    walls, cpus = costs.kinds((*BUILDS, *FIRSTS, *SERVED)), costs.kinds((*BUILDS, RENDER))
    tables = [table_of(costs, walls, WALL, "Wall time: medians of all rounds")]
    if os.name != "nt":  # where nobody counts the CPU time of children
        tables.append(table_of(costs, cpus, CPU, "CPU time of mkdocs and all it started"))
    tables.append(table_of_targets(costs, blocks))
    return [table for table in tables if table.row_count]
