"""What the command line does with the blocks of a site, save to serve it."""

import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console

from measured import export, fences, figures, pages, terminal
from measured.interpreters import absent_builds
from measured.runs import trouble_of
from measured.schedule import CONTROL
from measured.serving import ROUNDS
from measured.site import Site

__all__ = ["follow"]


def follow(asked: argparse.Namespace) -> int:
    """Do what was asked for; return how much of it failed."""
    if asked.command == "diff":
        return terminal.show_differences(asked.ours, asked.theirs)
    site = fences.load_site(asked.config)
    if asked.command == "run":
        return run_blocks(site, asked.rounds, asked.only, asked.budget)
    if asked.command == "draw":
        return draw_block(site, asked.name, asked.file)
    if asked.command == "show":
        return show_blocks(site, asked.names)
    text = json.dumps(export.export(site), indent=1)
    asked.file.write_text(text + "\n", encoding="utf-8")
    return 0


def run_blocks(site: Site, rounds: int, only: str, budget_s: float) -> int:
    """Run what is missing; return the number of blocks that failed."""
    end = time.monotonic() + budget_s
    blocks = [block for block in site.blocks() if block.page.startswith(only)]
    if not blocks:
        print(f"no page with a block begins with {only!r}", file=sys.stderr)
        return 1
    before = [known for block in (CONTROL, *blocks) for known in site.schedule.results(block)]
    site.schedule.run_missing(blocks, rounds, lambda: time.monotonic() < end)
    if any(block.timing for block in blocks):
        terminal.show_budget(Console(), site, before, ROUNDS)
    failures = 0
    for block in (CONTROL, *blocks):
        for task, runs in site.schedule.results(block):
            failed = site.schedule.failures(task)
            if runs and (trouble := trouble_of(runs, failed, block.fails)):
                failures += 1
                print(f"{task} {trouble}\n{pages.last_lines(failed[-1].errors)}", file=sys.stderr)
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
            if block.everywhere and (absent := absent_builds()):
                console.print(f"not on this machine: {absent}", highlight=False)
    return len(unknown)


def draw_block(site: Site, name: str, file: Path) -> int:
    """Write a block's figure to a file; return 1 if there is none."""
    for block in site.blocks():
        for task, runs in site.schedule.results(block):
            if block.name == name and runs:
                svg = figures.card_of(runs, site.setting(task.interpreter, runs))
                file.write_text(svg, encoding="utf-8")
                return 0
    print(f"no block {name!r} was measured", file=sys.stderr)
    return 1
