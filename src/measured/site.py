"""The pages of one build, and what stands on them for each block."""

import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from measured import interpreters, pages
from measured.blocks import Block, FenceError, nearest
from measured.machine import Interpreter, load_average
from measured.runs import Run
from measured.schedule import Schedule, Task
from measured.store import StoreError
from measured.verdict import Decision, Judged, judge_claims

__all__ = ["DEFERRED", "Site"]

log = logging.getLogger("mkdocs.plugins.measured")

DEFERRED = "MEASURED_DEFERRED"
"""Environment variable: if set, this build runs nothing, because another process measures."""

VIEW = re.compile(r"^\[\[measured (?P<view>build|claims|figure)(?: (?P<name>[\w-]+))?\]\]$")


@dataclass
class Site:
    """The blocks of one build, and what they gave.

    Attributes:
        docs: The folder of the pages.
        schedule: Runs what is missing.
        blocks: Yields the blocks of every page.
        passed: Whether the first pass over all pages was made.
        told: What was logged once and need not be again.
    """

    docs: Path
    schedule: Schedule
    blocks: Callable[[], Iterable[Block]]
    passed: bool = False
    told: set[str] = field(default_factory=set)

    def check_names(self) -> None:
        """Log every id that two blocks of the site share."""
        first: dict[str, Block] = {}
        for block in self.blocks():
            other = first.setdefault(block.name, block)
            if other is not block and not block.name.startswith("block-"):
                self.tell(f"{block} has the id of {other}: an id names one block of the site")

    def results(self, block: Block) -> list[tuple[Task, list[Run]]]:
        """Return a block's results; at the first one missing on this site, run all that is missing.

        Raises:
            StoreError: If the store cannot be written.
        """
        results = self.schedule.results(block)
        if self.schedule.shared or all(runs for _, runs in results):
            return results
        if not self.passed:
            self.passed = True
            self.schedule.run_missing(self.blocks())
        self.schedule.run_missing([block])  # a block that no page shows: another one wrote it
        return self.schedule.results(block)

    def tell(self, message: str) -> None:
        """Log an error once: `mkdocs --strict` counts it, `--quiet` shows it."""
        if message not in self.told:
            self.told.add(message)
            log.error(message)

    def render(self, block: Block, show: Callable[[str], str] = pages.output_of) -> str:
        """Return what stands on the page for a block's result.

        Args:
            block: The block.
            show: Makes HTML of printed text.

        Returns:
            HTML.
        """
        try:
            results = self.results(block)
        except StoreError as error:
            self.tell(str(error))
            return pages.message_notice("This block was not run", str(error))
        parts = []
        for task, runs in results:
            if block.everywhere:
                parts.append(f'<p class="measured-python">{escape(task.interpreter.name)}</p>')
            if not runs:
                parts.append(pages.waiting_notice())
            elif surprise := runs[-1].surprise(block.fails):
                self.tell(f"{block} {surprise}\n{pages.last_lines(runs[-1].errors)}".rstrip())
                parts.append(pages.failure_notice(block, runs[-1], surprise))
            elif block.fails:
                parts.append(pages.lesson(runs[-1]))
            else:
                where = task.interpreter, self.schedule.machine
                try:
                    parts.append(pages.result_of(block, runs, *where, show))
                    self.check_claims(block, runs, task.interpreter)
                except ValueError as error:
                    self.tell(f"{block} {error}")
                    parts.append(pages.message_notice("This claim cannot be decided", str(error)))
        if block.everywhere and (absent := interpreters.absent_versions()):
            names = ", ".join(absent)
            parts.append(f'<p class="measured-python">Not on this machine: Python {names}</p>')
        return "".join(parts)

    def check_claims(self, block: Block, runs: Sequence[Run], interpreter: Interpreter) -> None:
        """Log every claim of a block that does not hold."""
        for judged in self.judged(runs, interpreter):
            if judged.verdict.decision is Decision.FAILS:
                self.tell(f"{block} claims what does not hold here: {judged.claim.text}")

    def judged(self, runs: Sequence[Run], interpreter: Interpreter) -> list[Judged]:
        """Decide every claim of a block.

        Raises:
            ValueError: If a claim needs something that is not known.
        """
        titles = [record["title"] for record in runs[-1].records if record["kind"] == "comparison"]
        where = interpreter, self.schedule.machine
        return [one for title in titles for one in judge_claims(runs, title, *where)]

    def view(self, line: str, page: str) -> tuple[str, bool]:
        """Return what stands for a line `[[measured VIEW]]`: build, claims, or figure NAME.

        Args:
            line: The line.
            page: The page on which it stands.

        Returns:
            HTML or Markdown, and whether it is HTML.

        Raises:
            FenceError: If the line is none of these, or there is no block of that name.
        """
        match = VIEW.match(line)
        if not match:
            raise FenceError(f"{line} is none of: build, claims, figure NAME")
        blocks, name = list(self.blocks()), match["name"]
        if match["view"] == "figure":
            chosen = [block for block in blocks if block.name == name]
            if not chosen:
                names = [block.name for block in blocks]
                raise FenceError(f"no block {name!r}{nearest(name or '', names)}")
            return self.render(chosen[0]), True
        known: list[pages.Row] = [
            (block, task.interpreter, runs)
            for block in blocks
            for task, runs in self.results(block)
            if runs
        ]
        if match["view"] == "claims":
            every = (
                (block, judged)
                for block, interpreter, runs in known
                for judged in self.judged(runs, interpreter)
            )
            return pages.claims_table(every, page), False
        facts = pages.build_facts(
            self.schedule.machine, known, load_average(), datetime.now(UTC), commit_of(self.docs)
        )
        return f"{facts}\n\n{pages.build_table(known, page)}", False


def commit_of(folder: Path) -> str:
    """Name the commit that a folder is checked out at; an empty string if it is not."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(folder), "rev-parse", "--short=12", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - git, of PATH
    return answer.stdout.strip()
