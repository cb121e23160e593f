"""`python -m measured`: run the blocks of a site, serve it, show or draw a figure."""

import argparse
import json
import logging
import math
import sys
import time
from pathlib import Path

from rich.console import Console

from measured import export, fences, pages, serving, terminal
from measured.blocks import FenceError
from measured.site import Site
from measured.store import StoreError

ROUNDS = 15
"""Rounds of every measuring block: the interval is then from the 4th to the 12th of the pairs."""


def positive(text: str) -> int:
    """Read a number of rounds.

    Raises:
        ValueError: If it is not 1 or more.
    """
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def duration(text: str) -> float:
    """Read a duration, as 90s, 10m or 2h.

    Raises:
        ValueError: If it is none.
    """
    sizes = {"s": 1, "m": 60, "h": 3600}
    if text[-1:] not in sizes:
        raise ValueError(text)
    return float(text[:-1]) * sizes[text[-1]]


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="python -m measured", description=__doc__)
    top.add_argument(
        "--config", type=Path, default=Path("mkdocs.yml"), help="the site's configuration"
    )
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run what is missing, up to a number of rounds")
    run.add_argument(
        "--rounds",
        type=positive,
        default=ROUNDS,
        help=f"rounds of each figure, {ROUNDS} unless told",
    )
    run.add_argument(
        "--only", default="", metavar="PATH", help="pages whose path begins so, as threads/"
    )
    run.add_argument(
        "--budget",
        type=duration,
        default=math.inf,
        metavar="TIME",
        help="begin no further round after so long, as 90s or 10m; the next run goes on from there",
    )
    show = commands.add_parser("show", help="print what is known of blocks")
    show.add_argument(
        "names", nargs="*", metavar="BLOCK", help="ids of blocks; all figures if none is given"
    )
    serve = commands.add_parser("serve", help="serve the site at once, and measure beside it")
    serve.add_argument("arguments", nargs="*", help="further arguments of mkdocs serve, after --")
    draw = commands.add_parser("draw", help="write the figure of a block as an SVG file")
    draw.add_argument("name", metavar="BLOCK", help="the block's id")
    draw.add_argument("file", type=Path, metavar="FILE", help="the file to write")
    write = commands.add_parser("export", help="write all that was measured as one JSON document")
    write.add_argument("file", type=Path, metavar="FILE", help="the file to write")
    diff = commands.add_parser("diff", help="set two such documents side by side")
    diff.add_argument("ours", type=Path, metavar="OURS")
    diff.add_argument("theirs", type=Path, metavar="THEIRS")
    return top


def run_blocks(site: Site, rounds: int, only: str, budget_s: float) -> int:
    """Run what is missing; return the number of blocks that failed."""
    end = time.monotonic() + budget_s
    blocks = [block for block in site.blocks() if block.page.startswith(only)]
    if not blocks:
        print(f"no page with a block begins with {only!r}", file=sys.stderr)
        return 1
    site.schedule.run_missing(blocks, rounds, lambda: time.monotonic() < end)
    failures = 0
    for block in blocks:
        for _, runs in site.schedule.results(block):
            if runs and (failure := runs[-1].surprise(block.fails)):
                failures += 1
                print(f"{block} {failure}\n{pages.last_lines(runs[-1].errors)}", file=sys.stderr)
    return failures


def show_blocks(site: Site, names: list[str]) -> int:
    """Print what is known of blocks; return the number of names that no block has."""
    console = Console()
    blocks = list(site.blocks())
    unknown = set(names) - {block.name for block in blocks}
    for name in sorted(unknown):
        print(f"no block {name!r}", file=sys.stderr)
    for block in blocks:
        if block.name in names or (not names and block.timing):
            for task, runs in site.schedule.results(block):
                terminal.show_task(console, task, runs, site)
    return len(unknown)


def draw_block(site: Site, name: str, file: Path) -> int:
    """Write a block's figure to a file; return 1 if there is none."""
    for block in site.blocks():
        for task, runs in site.schedule.results(block):
            if block.name == name and runs:
                svg = pages.card_of(runs, task.interpreter, site.schedule.machine)
                file.write_text(svg, encoding="utf-8")
                return 0
    print(f"no block {name!r} was measured", file=sys.stderr)
    return 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    asked = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mkdocs").setLevel(logging.INFO)
    try:
        if asked.command == "diff":
            return 1 if terminal.show_differences(asked.ours, asked.theirs) else 0
        site = fences.load_site(asked.config)
        if asked.command == "run":
            failures = run_blocks(site, asked.rounds, asked.only, asked.budget)
        elif asked.command == "serve":
            failures = serving.serve(site, asked.config, asked.arguments, ROUNDS)
        elif asked.command == "export":
            text = json.dumps(export.export(site), indent=1)
            asked.file.write_text(text + "\n", encoding="utf-8")
            failures = 0
        elif asked.command == "draw":
            failures = draw_block(site, asked.name, asked.file)
        else:
            failures = show_blocks(site, asked.names)
    except (StoreError, FenceError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was measured is kept", file=sys.stderr)
        return 130
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
