"""Show results in a terminal: a block, its figures, two builds side by side."""

import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from measured import export, pages
from measured.runs import Run
from measured.schedule import Task
from measured.site import Site
from measured.verdict import Decision, arms_of, estimate, judge_claims

__all__ = ["show_differences", "show_task"]


def show_differences(ours: Path, theirs: Path) -> int:
    """Print the claims of two documents side by side; return how many verdicts differ."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in (ours, theirs)]
    for path, document in zip((ours, theirs), documents, strict=True):
        if document.get("schema") != export.SCHEMA:
            raise ValueError(f"{path.name} is not of the form {export.SCHEMA}")
    heads = [
        f"{name}, {one['made'][:10]}"
        for name, one in zip(("ours", "theirs"), documents, strict=True)
    ]
    table, differing = Table("claim", *heads), 0
    for text, *found in export.differences(*documents):
        verdicts = [one["verdict"] if one else "not there" for one in found]
        medians = [f" ({one['estimate']['median']:.3g})" if one else "" for one in found]
        differs = verdicts[0] != verdicts[1]
        differing += differs
        cells = (verdict + median for verdict, median in zip(verdicts, medians, strict=True))
        table.add_row(escape(text), *cells, style="bold" if differs else "")
    Console().print(table)
    Console().print(f"{differing} of {table.row_count} verdicts differ", highlight=False)
    return differing


def show_task(console: Console, task: Task, runs: list[Run], site: Site) -> None:
    """Print one block on one interpreter."""
    console.rule(f"{task.block.name} · {task.interpreter.name}")
    if not runs:
        console.print("not measured yet")
        return
    if runs[-1].output:
        console.print(runs[-1].output.rstrip(), markup=False, highlight=False)
    for record in runs[-1].records:
        if record["kind"] == "comparison":
            show_comparison(console, task, runs, record["title"], site)


def show_comparison(console: Console, task: Task, runs: list[Run], title: str, site: Site) -> None:
    """Print the table and the verdicts of one comparison."""
    rounds = arms_of(runs, title)
    baseline = next(iter(rounds[0]))
    heads = ("arm", "time of a call", f"{baseline} / arm")
    table = Table(*heads, title=f"{escape(title)} ({len(rounds)} pairs)")
    for arm in rounds[0]:
        time = estimate([arms[arm] for arms in rounds])
        ratio = estimate([arms[baseline] / arms[arm] for arms in rounds])
        table.add_row(arm, pages.interval(time), pages.number(ratio))
    console.print(table)
    colours = {Decision.HOLDS: "green", Decision.FAILS: "red", Decision.OPEN: "yellow"}
    for judged in judge_claims(runs, title, task.interpreter, site.schedule.machine):
        decision, reason = judged.verdict.decision, judged.verdict.reason
        console.print(
            f"{decision.value}{': ' * bool(reason)}{reason}", style=colours[decision], end="  "
        )
        console.print(judged.claim.text, markup=False)
