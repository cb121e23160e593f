"""The pages of one build, and what stands on them for each block."""

import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from measured import figures, interpreters, pages
from measured.blocks import Block, FenceError, nearest
from measured.gates import Conditions, conditions_of
from measured.machine import Interpreter, load_average
from measured.runs import TIMED, Run, trouble_of
from measured.schedule import CONTROL, Schedule, Task
from measured.store import StoreError
from measured.verdict import Decision, Judged, Setting, judge_claims

__all__ = ["Site"]

log = logging.getLogger("mkdocs.plugins.measured")

VIEW = re.compile(r"^\[\[measured (?P<view>build|claims|gates|figure)(?: (?P<name>[\w-]+))?\]\]$")


@dataclass
class Site:
    """The blocks of one build, and what they gave.

    Attributes:
        docs: The folder of the pages.
        schedule: Runs what is missing.
        blocks: Yields the blocks of every page.
        passed: Whether the first pass over all pages was made.
        told: What was logged once and need not be again.
        found: The results of the blocks that were asked for.
    """

    docs: Path
    schedule: Schedule
    blocks: Callable[[], Iterable[Block]]
    passed: bool = False
    told: set[str] = field(default_factory=set)
    found: dict[Block, list[tuple[Task, list[Run]]]] = field(default_factory=dict)

    @cached_property
    def every_block(self) -> list[Block]:
        """The blocks of every page, listed once in a build."""
        return list(self.blocks())

    def check_names(self) -> None:
        """Log every id that two blocks of the site share."""
        first: dict[str, Block] = {}
        for block in self.every_block:
            other = first.setdefault(block.name, block)
            if other is not block and not block.name.startswith("block-"):
                self.tell(f"{block} has the id of {other}: an id names one block of the site")

    def results(self, block: Block) -> list[tuple[Task, list[Run]]]:
        """Return a block's results; at the first one missing on this site, run all that is missing.

        Raises:
            StoreError: If the store cannot be written.
        """
        if block in self.found:
            return self.found[block]
        results = self.schedule.results(block)
        if not self.schedule.shared and not all(runs for _, runs in results):
            if not self.passed:
                self.passed = True
                self.schedule.run_missing(self.every_block)
            self.schedule.run_missing([block])  # a block that no page shows: another one wrote it
            results = self.schedule.results(block)
        self.found[block] = results
        return results

    @cached_property
    def conditions(self) -> Conditions:
        """What the rounds of the build's control say of the machine."""
        [(_, runs)] = self.schedule.results(CONTROL)
        return conditions_of(runs, self.schedule.machine.cores)

    def setting(self, interpreter: Interpreter) -> Setting:
        """Say on what, and in what state of the machine, an interpreter ran its rounds."""
        return Setting(interpreter, self.schedule.machine, self.conditions)

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
        cells = [
            self.render_on(place, task, runs, show) for place, (task, runs) in enumerate(results)
        ]
        if not block.everywhere:
            return "".join(cells)
        names = [task.interpreter.name for task, _ in results]
        return pages.pythons_table(zip(names, cells, strict=True), interpreters.absent_builds())

    def render_on(
        self, place: int, task: Task, runs: Sequence[Run], show: Callable[[str], str]
    ) -> str:
        """Return what stands on the page for a block's result on one interpreter.

        Args:
            place: Which of its interpreters this is, from 0.
            task: The block and the interpreter.
            runs: What is known.
            show: Makes HTML of printed text.

        Returns:
            HTML.
        """
        block, interpreter = task.block, task.interpreter
        if not runs:
            return pages.waiting_notice()
        failures, notice = self.schedule.failures(task), ""
        if trouble := trouble_of(runs, failures, block.fails):
            errors = pages.last_lines(failures[-1].errors)
            self.tell(f"{task} {trouble}\n{errors}".rstrip())
            if runs[-1].surprise(block.fails):
                return pages.failure_notice(block, runs[-1], trouble)
            notice = pages.message_notice(f"Block '{block.name}' {trouble}", errors)
        if block.fails:
            return notice + pages.lesson(runs[-1])
        # The ids of its figures are unique on the page.
        named = replace(block, name=f"{block.name}-on-{place}") if place else block
        try:
            shown = figures.result_of(named, runs, self.setting(interpreter), show)
            self.check_claims(task, runs)
        except ValueError as error:
            self.tell(f"{task} {error}")
            return pages.message_notice("This claim cannot be decided", str(error))
        return notice + shown

    def check_claims(self, task: Task, runs: Sequence[Run]) -> None:
        """Log every claim of a block that does not hold."""
        for judged in self.judged(runs, task.interpreter):
            if judged.verdict.decision is Decision.FAILS:
                self.tell(f"{task} claims what does not hold here: {judged.claim.text}")

    def judged(self, runs: Sequence[Run], interpreter: Interpreter) -> list[Judged]:
        """Decide every claim of a block.

        Raises:
            ValueError: If a claim needs something that is not known.
        """
        titles = [record["title"] for record in runs[-1].records if record["kind"] in TIMED]
        setting = self.setting(interpreter)
        return [one for title in titles for one in judge_claims(runs, title, setting)]

    def view(self, line: str, page: str) -> tuple[str, bool]:
        """Return what stands for a line `[[measured VIEW]]`: build, claims, gates, or figure NAME.

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
            raise FenceError(f"{line} is none of: build, claims, gates, figure NAME")
        blocks, name = self.every_block, match["name"]
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
        judged = [
            (block, one)
            for block, interpreter, runs in known
            for one in self.judged(runs, interpreter)
        ]
        if match["view"] == "claims":
            return pages.claims_table(judged, page), False
        if match["view"] == "gates":
            build = pages.gates_of_build(self.conditions)
            return f"{build}\n\n{pages.gates_of_claims(judged, page)}", False
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
