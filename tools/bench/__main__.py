"""Measure what running its blocks costs a site: by markdown-exec, by ours, and not at all.

One generated site is built in three ways, each time by a fresh `mkdocs build`: its blocks shown
and not run (the floor), run by markdown-exec as it comes, run by `measured.fences`. Its pages are
rendered with blocks that do nothing, and served with an empty store, as this handbook is. A round
takes each of these in each way once, the ways in alternating order; a ratio is of two of one round.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from costs import Cost, build, first_page, render, serve_edit, server
from rich.console import Console
from rich.progress import Progress
from sites import (
    BLOCK_S,
    BUILDS,
    FIRST,
    FIRST_HANDBOOK,
    KINDS,
    NOTHING,
    PLAIN,
    REBUILD,
    RENDER,
    SERVED,
    SERVED_PROSE,
    WAYS,
    Copy,
    Handbook,
)
from tables import Costs, tables_of

from measured import machine


@dataclass(frozen=True, slots=True)
class Part:
    """What is measured of some copies.

    Attributes:
        kinds: What of it.
        copies: A site, once for each way.
        measure: Measures one kind of one copy.
        warm_up: A kind that is measured first, and not kept.
    """

    kinds: Sequence[str]
    copies: Sequence[Any]
    measure: Callable[[Any, str], Cost]
    warm_up: str


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="bench", description=__doc__.partition("\n")[0])
    add = top.add_argument
    add("--rounds", type=int, default=5, help="how many; 5 unless told, 6 or more give intervals")
    add("--pages", type=int, default=30, help="how many, with two blocks each; 30 unless told")
    add(
        "--work",
        choices=("wait", "compute"),
        default="wait",
        help=f"what a block does for {BLOCK_S} s",
    )
    add("--without", choices=WAYS, nargs="+", default=(), help="ways to leave out")
    add("--only", choices=KINDS, nargs="+", default=KINDS, help="what to take; all unless told")
    add("--quick", action="store_true", help="one round of six pages, and nothing served")
    return top


def parts_of(asked: argparse.Namespace, folder: Path, stack: ExitStack) -> Iterator[Part]:
    """Yield what is measured one after the other; servers stay up until `stack` ends."""
    ways = [way for way in WAYS if way not in asked.without]
    copies = [Copy(way, folder / way, asked.pages, asked.work) for way in ways]
    idle = [Copy(way, folder / "idle" / way, asked.pages, NOTHING) for way in ways]
    handbooks = [Handbook(way, folder / "handbook" / way) for way in ways if way != PLAIN]
    sites: list[Copy | Handbook] = [*copies, *idle, *handbooks]
    for site in sites:
        site.write()
    yield Part(BUILDS, copies, build, REBUILD)
    yield Part((RENDER,), idle, render, RENDER)
    if os.name != "nt":  # where a server that is ended leaves the one that it started
        # markdown-exec shows no page before it has run every block: that is its cold build.
        others = [copy for copy in copies if copy.way != PLAIN]
        yield Part((FIRST,), others, first_page, FIRST)
        yield Part((FIRST_HANDBOOK,), handbooks, first_page, FIRST_HANDBOOK)
    if set(SERVED) & set(asked.only):
        ports = {copy.way: stack.enter_context(server(copy)) for copy in copies}

        def edit(copy: Copy, kind: str) -> Cost:
            return serve_edit(copy, kind, ports[copy.way])

        yield Part(SERVED, copies, edit, SERVED_PROSE)


def take(costs: Costs, part: Part, rounds: int, progress: Progress) -> None:
    """Take all rounds of a part, the ways in alternating order."""
    steps = len(part.copies) * (1 + rounds * len(part.kinds))
    task = progress.add_task("", total=steps)
    for copy in part.copies:
        progress.update(task, advance=1, description=f"warm-up, {copy.way}")
        part.measure(copy, part.warm_up)
    for number in range(rounds):
        for kind in part.kinds:
            for copy in part.copies[:: -1 if number % 2 else 1]:
                progress.update(task, advance=1, description=f"{kind}, {copy.way}")
                costs.add(kind, copy.way, part.measure(copy, kind))


def take_all(asked: argparse.Namespace, folder: Path) -> Costs:
    """Take the rounds of all that was asked for."""
    costs = Costs()
    with Progress(console=Console(stderr=True), transient=True) as progress, ExitStack() as stack:
        for part in parts_of(asked, folder, stack):
            kinds = [kind for kind in part.kinds if kind in asked.only]
            if kinds:
                take(costs, replace(part, kinds=kinds), asked.rounds, progress)
    return costs


def load_now() -> str:
    """Write the load average."""
    load = machine.load_average()
    return "not told" if load is None else f"{load:.1f}"


def report(costs: Costs, asked: argparse.Namespace, load: str) -> None:
    """Print where and what was measured, the costs, and the targets."""
    here, blocks = machine.describe_machine(), 2 * asked.pages
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(
        f"{machine.describe_interpreter().name}, {here.processor}, {here.cores} cores usable",
        f"{asked.pages} pages; {blocks} blocks that {asked.work} for {BLOCK_S} s each",
        f"rounds: {asked.rounds}; load average: {load} before, {load_now()} after",
        sep="\n",
        highlight=False,
    )
    for table in tables_of(costs, blocks):
        console.print(table)


def main() -> int:
    """Run the command line; return the exit code."""
    asked = parser().parse_args()
    if asked.quick:
        asked.rounds, asked.pages, asked.only = 1, 6, (*BUILDS, RENDER)
    load = load_now()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            costs = take_all(asked, Path(folder))
        except (RuntimeError, TimeoutError) as error:
            print(str(error).replace(folder, ""), file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    report(costs, asked, load)
    return 0


if __name__ == "__main__":
    sys.exit(main())
