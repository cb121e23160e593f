"""Show results in a terminal: a block, its figures, two builds side by side."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from measured import export
from measured.estimates import estimate
from measured.runs import TIMED, Run, rounds_of, trouble_of
from measured.schedule import Task
from measured.site import Site
from measured.verdict import Decision, judge_claims
from measured.wording import interval, number

__all__ = ["show_budget", "show_differences", "show_task"]


def show_budget(
    console: Console, site: Site, before: Sequence[tuple[Task, list[Run]]], rounds: int
) -> None:
    """Print what the measuring blocks of each page took, and what all their rounds take.

    Args:
        console: Where to print.
        site: The site.
        before: What was known of each block when this run began.
        rounds: How many rounds are all.
    """
    cores = site.schedule.machine.cores
    pages = defaultdict(list)
    for task, known in before:
        page = task.block.page.removesuffix(".md") or "the build's control"
        runs = site.schedule.known(task)
        took = sum(run.wall_s for run in runs if run not in known)
        mean = fmean(run.wall_s for run in runs) if runs else None
        if task.block.timing:
            pages[page].append((len(runs), took, mean and mean * rounds))
        else:
            name = f"ordinary blocks, {cores} side by side"
            pages[name].append((len(runs), took / cores, mean and mean / cores))
    longest_first = sorted(pages.items(), key=lambda page: -sum(full or 0 for *_, full in page[1]))
    table = Table(Column("page", no_wrap=True), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in ("blocks", "rounds", "this run", f"{rounds} rounds"):
        table.add_column(head, justify="right")
    for page, costs in longest_first:
        table.add_row(escape(page), *cells_of(costs))
    table.add_section()
    table.add_row("all", *cells_of([cost for costs in pages.values() for cost in costs]))
    console.print(table)


def cells_of(costs: Sequence[tuple[int, float, float | None]]) -> list[str]:
    """Write what blocks cost: their number, their rounds, the seconds so far and in all."""
    made = sorted(rounds for rounds, _, _ in costs)
    known = [full for *_, full in costs if full is not None]
    over = "> " * (len(known) < len(costs))  # nothing is known of a block that never ran
    return [
        str(len(costs)),
        str(made[0]) if made[0] == made[-1] else f"{made[0]} to {made[-1]}",
        f"{sum(took for _, took, _ in costs):.0f} s",
        f"{over}{sum(known):.0f} s",
    ]


def show_differences(ours: Path, theirs: Path) -> int:
    """Print the claims of two documents side by side; return how many verdicts differ."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in (ours, theirs)]
    for path, document in zip((ours, theirs), documents, strict=True):
        if document.get("schema") != export.SCHEMA:
            raise ValueError(f"{path.name} is not of the form {export.SCHEMA}")
    heads = [
        f"{name}\n{one['interpreters'][0]['name']}\n{one['machine']['processor']}, "
        f"{one['machine']['cores']} cores\n{one['made'][:10]}"
        for name, one in zip(("ours", "theirs"), documents, strict=True)
    ]
    table, differing = Table("claim", *map(escape, heads)), 0
    for text, *found in export.differences(*documents):
        verdicts = [one["verdict"] if one else "not there" for one in found]
        reasons = [f": {one['reason']}" if one and one["reason"] else "" for one in found]
        medians = [f" ({one['estimate']['median']:.3g})" if one else "" for one in found]
        differs = verdicts[0] != verdicts[1]
        differing += differs
        cells = map("".join, zip(verdicts, reasons, medians, strict=True))
        table.add_row(escape(text), *cells, style="bold" if differs else "")
    Console().print(table)
    Console().print(f"{differing} of {table.row_count} verdicts differ", highlight=False)
    return differing


def show_task(console: Console, task: Task, runs: list[Run], site: Site) -> None:
    """Print one block on one interpreter."""
    console.rule(f"{task.block.name} · {task.interpreter.name}")
    if not runs:
        console.print("not measured yet, or it failed")
        return
    if trouble := trouble_of(runs, site.schedule.failures(task), task.block.fails):
        console.print(trouble, style="red", markup=False, highlight=False)
    if runs[-1].output:
        console.print(runs[-1].output.rstrip(), markup=False, highlight=False)
    if task.block.fails and runs[-1].failure:
        console.print(f"{runs[-1].errors}(it {runs[-1].failure})", markup=False, highlight=False)
    for record in runs[-1].records:
        if record["kind"] in TIMED:
            show_comparison(console, task, runs, record["title"], site)


def show_comparison(console: Console, task: Task, runs: list[Run], title: str, site: Site) -> None:
    """Print the table and the verdicts of one comparison."""
    rounds = rounds_of(runs, title)
    baseline = next(iter(rounds[0]))
    heads = ("arm", "time of a call", f"{baseline} / arm")
    table = Table(*heads, title=f"{escape(title)} (pairs: {len(rounds)})")
    for arm in rounds[0]:
        time = estimate([arms[arm].wall_s for arms in rounds])
        ratio = estimate([arms[baseline].wall_s / arms[arm].wall_s for arms in rounds])
        table.add_row(arm, interval(time), number(ratio))
    console.print(table)
    colours = {Decision.HOLDS: "green", Decision.FAILS: "red", Decision.OPEN: "yellow"}
    for judged in judge_claims(runs, title, site.setting(task.interpreter, runs)):
        decision, reason = judged.verdict.decision, judged.verdict.reason
        console.print(
            f"{decision.value}{': ' * bool(reason)}{reason}", style=colours[decision], end="  "
        )
        console.print(judged.claim.text, markup=False)
