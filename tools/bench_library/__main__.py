"""Measure the functions of the handbook beside the libraries that one would install instead.

Each series runs in a process of its own. A round measures each peer right after ours, or right
before it, and a ratio is of such a pair. What can be counted is counted a few times, and the worst
is told. All of it is kept, so that a run can be stopped and goes on from there; what changed is
measured anew. What came of it is written where the pages of the handbook show it.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from findings import SUMMARY, Findings, Table, worst

from measured import interpreters, machine
from measured.blocks import Block, key_of
from measured.machine import Interpreter
from measured.progress import Report, progress_of
from measured.runner import Job, run
from measured.runs import Run
from measured.store import Store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATHS = [HERE, ROOT / "src"]
LOCK = HERE / "requirements.lock"
KEPT = ROOT / ".measured" / "library"
RECORDS = ROOT / "docs" / "assets" / "records"
MODULES = ("asyncio_ways", "thread_ways", "process_ways", "other_ways")
LIMITS_S = {"memory": 900.0, "cost": 300.0, "crash": 45.0}
LIMIT_S = 120.0
ENOUGH = 6
TIMED = ("cost", "overlap")

SOURCE = """\
from {module} import TASKS
from series import measure

if __name__ == "__main__":
    measure(TASKS["{task}"], {place}, "{measure}")
"""
CATALOGUE = """\
from {module} import TASKS
from series import tell

tell(TASKS)
"""


@dataclass(frozen=True)
class Series:
    """One thing to measure of one way.

    Attributes:
        module: Where its task is.
        task: The name of the task.
        place: Which way of it.
        measure: What is measured.
    """

    module: str
    task: str
    place: int
    measure: str

    @property
    def block(self) -> Block:
        """The script that measures it."""
        limit_s = LIMITS_S.get(self.measure, LIMIT_S)
        return Block(
            "", 0, f"{self.task}, {self.measure}", SOURCE.format(**asdict(self)), timeout_s=limit_s
        )


class Bench:
    """Runs series on an interpreter that has the peers, and keeps what came of them."""

    def __init__(self, python: Interpreter) -> None:
        """Open what is kept."""
        self.python, self.store = python, Store(KEPT / "store")
        self.lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()

    def key(self, series: Series) -> str:
        """Name a series by all that it depends on."""
        return key_of(series.block, self.python, machine.describe_machine(), self.lock, PATHS)

    def known(self, series: tuple[Series, ...]) -> list[Run]:
        """Read what is kept of a series, or of a pair: each run has a record for each of them."""
        return self.store.load(self.key(series[-1]))

    def take(self, series: Series) -> Run:
        """Measure a series once more, and keep nothing."""
        block = series.block
        return run(Job(block.source, self.python, PATHS, block.timeout_s))

    def keep(self, series: tuple[Series, ...], done: Run) -> None:
        """Keep one more run, all of a pair at once."""
        self.store.append(self.key(series[-1]), done)

    def catalogue(self, module: str) -> list[dict[str, Any]]:
        """Ask a module for its tasks; none if it cannot be imported, which is said."""
        done = run(Job(CATALOGUE.format(module=module), self.python, PATHS))
        if done.failure:
            print(f"{module} {done.failure}\n{done.errors}", file=sys.stderr)
        return [{**record, "module": module} for record in done.records]


def found(done: Run) -> dict[str, Any]:
    """Return what a run found; a way that hangs was found to hang."""
    if done.records:
        return done.records[0]
    return {"error": "hangs" if done.failure_name == "timeout" else str(done.failure)}


def alone(task: dict[str, Any]) -> list[Series]:
    """List what is measured of each way of a task by itself."""
    return [
        Series(task["module"], task["name"], place, measure)
        for place in range(len(task["ways"]))
        for measure in task["measures"]
        if measure != "cost"
    ]


def pairs(task: dict[str, Any]) -> list[tuple[Series, Series]]:
    """List the pairs of a task: ours, and another way beside it."""
    ours, *others = (
        Series(task["module"], task["name"], place, "cost") for place in range(len(task["ways"]))
    )
    return [(ours, other) for other in others]


def take(bench: Bench, series: tuple[Series, ...], number: int, progress: Report) -> None:
    """Measure a pair back to back, or one series; then keep it."""
    name = series[-1].block.name
    progress.begins(name)
    taken = {one: bench.take(one) for one in series[:: -1 if number % 2 else 1]}
    records = [found(taken[one]) for one in series]
    bench.keep(series, replace(taken[series[-1]], records=records))
    progress.done(name)


def take_all(bench: Bench, tasks: list[dict[str, Any]], rounds: int, counts: int) -> None:
    """Measure what is not known yet, in turn: a round of all, and another one; memory last."""
    every = [pair for task in tasks for pair in pairs(task)]
    every += [(one,) for task in tasks for one in alone(task)]
    turns = [
        (number, series)
        for number in range(rounds)
        for series in every
        if len(bench.known(series)) <= number < times(series[0], rounds, counts)
    ]
    turns.sort(key=lambda turn: turn[1][0].measure == "memory")
    with progress_of(len(turns)) as progress:
        for number, series in turns:
            take(bench, series, number, progress)


def times(series: Series, rounds: int, counts: int) -> int:
    """Tell how often a series is taken."""
    if series.measure in TIMED:
        return rounds
    return min(counts, rounds, 1 if series.measure == "memory" else counts)


def findings_of(bench: Bench, task: dict[str, Any]) -> Findings:
    """Gather what is known of a task."""
    findings = Findings(task["title"], task["items"], task["ways"], task["ours"])
    for place, pair in enumerate(pairs(task), 1):
        known = bench.known(pair)
        findings.costs[place] = [(first, own) for first, own in (run.records for run in known)]
        findings.day = max([findings.day, *(run.started[:10] for run in known)])
    for one in alone(task):
        if known := bench.known((one,)):
            seen = worst(record for run in known for record in run.records)
            findings.counted.setdefault(one.place, {})[one.measure] = seen
            findings.day = max([findings.day, *(run.started[:10] for run in known)])
    return findings


def plate(bench: Bench, every: list[Findings]) -> str:
    """Say in one line on what, when and beside what this was measured."""
    where = machine.describe_machine()
    ways = [pairs_of_way for findings in every for pairs_of_way in findings.costs.values()]
    both = [one for pairs_of_way in ways for pair in pairs_of_way for one in pair]
    told = [one["pressure"] for one in both if one.get("pressure") is not None]
    facts = (
        bench.python.name,
        where.processor,
        f"{where.cores} cores",
        where.system,
        f"pairs: {min(map(len, ways))}",
        *(f"{findings.items:,} calls each" for findings in every if len(every) == 1),
        f"CPU pressure {statistics.median(told):.2f}" if told else "CPU pressure not told",
        max(findings.day for findings in every),
    )
    return " · ".join(facts)


def write(bench: Bench, name: str, every: list[Findings], tables: list[Table]) -> None:
    """Write a record."""
    text = json.dumps({"plate": plate(bench, every), "tables": tables}, indent=1) + "\n"
    (RECORDS / f"{name}.json").write_text(text, encoding="utf-8")


def write_all(bench: Bench, tasks: list[dict[str, Any]]) -> None:
    """Write the records of all that was measured: of each task, and the summary."""
    known = []
    for task in tasks:
        findings = findings_of(bench, task)
        if findings.cheapest(alike=False) is not None:
            known.append(findings)
            write(bench, f"library_{task['name']}", [findings], findings.tables())
    rows = [findings.summary() for findings in known]
    write(bench, "library", known, [{"heads": SUMMARY, "rows": rows}])
    for row in rows:
        print("\n".join(f"{head}: {cell}" for head, cell in zip(SUMMARY, row, strict=True)), "\n")


def python_with_peers() -> Interpreter:
    """Make the environment of the peers, if it is not as the lock file asks; return its Python."""
    folder = KEPT / "environment"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = folder / "made-from", f"{sys.version}\n{LOCK.read_text(encoding='utf-8')}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        print("installing the peers, once", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*install, "--require-hashes", "--requirement", LOCK], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    asked = interpreters.ask(str(python))
    if asked is None:
        sys.exit("the environment of the peers does not start")
    return asked


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="bench-library", description=__doc__.partition("\n")[0])
    add = top.add_argument
    add(
        "--rounds", type=int, default=7, help=f"7 unless told; fewer than {ENOUGH} give no interval"
    )
    add("--only", nargs="+", metavar="TASK", help="tasks, or the beginnings of their names")
    add("--counts", type=int, default=3, help="how often to count what can be counted; 3")
    return top


def chosen(tasks: list[dict[str, Any]], only: list[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the tasks that were asked for."""
    for task in tasks:
        if only is None or any(task["name"].startswith(one) for one in only):
            yield task


def main() -> int:
    """Run the command line; return the exit code."""
    asked = parser().parse_args()
    bench = Bench(python_with_peers())
    catalogues = [bench.catalogue(module) for module in MODULES]
    every = [task for catalogue in catalogues for task in catalogue]
    tasks = list(chosen(every, asked.only))
    if not tasks:
        names = ", ".join(task["name"] for task in every)
        sys.exit(f"--only names none of: {names}")
    try:
        take_all(bench, tasks, asked.rounds, asked.counts)
    except KeyboardInterrupt:
        return 130
    write_all(bench, every)
    return 0 if all(catalogues) else 1


if __name__ == "__main__":
    sys.exit(main())
