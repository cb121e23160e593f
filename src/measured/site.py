"""The pages of one build, and what stands on them for each block."""

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from measured import interpreters, pages
from measured.blocks import Block, nearest
from measured.errors import FenceError, StoreError
from measured.gates import Conditions, conditions_of
from measured.machine import Interpreter, load_average
from measured.runs import TIMED, Run, begun_near, trouble_of
from measured.schedule import CONTROL, Schedule, Task
from measured.serving import ROUNDS
from measured.verdict import Decision, Judged, Setting, judge_claims

__all__ = ["Site"]

log = logging.getLogger("mkdocs.plugins.measured")

VIEWS = "build, blocks, claims, gates, figure NAME, record NAME"
VIEW = re.compile(
    r"^\[\[measured (?P<view>build|blocks|claims|gates|figure|record)(?: (?P<name>[\w-]+))?\]\]$"
)


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
    def controls(self) -> list[Run]:
        """The rounds of the build's control, those of earlier builds included."""
        [(_, runs)] = self.schedule.results(CONTROL)
        return [run for run in runs if run.started]

    def conditions(self) -> Conditions:
        """Tell what the newest rounds of the control say of the machine."""
        return conditions_of(self.controls[-ROUNDS:])

    def setting(self, interpreter: Interpreter, runs: Sequence[Run]) -> Setting:
        """Say on what, and in what state of the machine, an interpreter ran a block's rounds.

        Only rounds of the control that were taken beside them tell that.
        """
        machine, moments = self.schedule.machine, [run.started for run in runs if run.started]
        beside = begun_near(self.controls, moments)
        return Setting(interpreter, machine, conditions_of(beside))

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
        # Ids are unique on the page.
        named = replace(block, name=f"{block.name}-on-{place}") if place else block
        if not runs:
            return pages.waiting_notice(named)
        failures, notice = self.schedule.failures(task), ""
        if trouble := trouble_of(runs, failures, block.fails):
            errors = pages.last_lines(failures[-1].errors)
            self.tell(f"{task} {trouble}\n{errors}".rstrip())
            if runs[-1].surprise(block.fails):
                return pages.failure_notice(block, runs[-1], trouble)
            notice = pages.message_notice(f"Block '{block.name}' {trouble}", errors)
        if block.fails:
            return notice + pages.lesson(runs[-1])
        if not runs[-1].records:
            return notice + show(runs[-1].output)
        from measured import figures  # noqa: PLC0415 - most blocks draw none

        try:
            shown = figures.result_of(named, runs, self.setting(interpreter, runs), show)
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
        if not titles:
            return []
        setting = self.setting(interpreter, runs)
        return [one for title in titles for one in judge_claims(runs, title, setting)]

    def record(self, name: str) -> dict[str, Any]:
        """Read what a command measured for longer than a build can.

        Raises:
            FenceError: If there is no such record.
        """
        file = self.docs / "assets" / "records" / f"{name}.json"
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except OSError:
            raise FenceError(f"no record {name!r} below assets/records") from None
        return found

    def view(self, line: str, page: str) -> tuple[str, bool]:
        """Return what stands for a line `[[measured VIEW]]`.

        The views are those of `VIEWS`.

        Args:
            line: The line.
            page: The page on which it stands.

        Returns:
            HTML or Markdown, and whether it is HTML.

        Raises:
            FenceError: If the line is none of these, if there is no block of that name, or if a
                claim of the site cannot be decided.
        """
        match = VIEW.match(line)
        if not match:
            raise FenceError(f"{line} is none of: {VIEWS}")
        name = match["name"] or ""
        if match["view"] == "record":
            return pages.record_tables(self.record(name)), False
        blocks = self.every_block
        if match["view"] == "figure":
            chosen = [block for block in blocks if block.name == name]
            if not chosen:
                names = [block.name for block in blocks]
                raise FenceError(f"no block {name!r}{nearest(name or '', names)}")
            return self.render(chosen[0]), True
        known: list[pages.Row] = [
            (
                block,
                task.interpreter,
                runs,
                trouble_of(runs, self.schedule.failures(task), block.fails),
            )
            for block in blocks
            for task, runs in self.results(block)
            if runs
        ]
        try:
            judged = [
                (block, one)
                for block, interpreter, runs, _ in known
                for one in self.judged(runs, interpreter)
            ]
        except ValueError as error:  # a claim that cannot be decided; its own page names the block
            raise FenceError(str(error)) from error
        if match["view"] == "claims":
            return pages.claims_table(judged, page), False
        if match["view"] == "gates":
            build = pages.gates_of_build(self.conditions())
            return f"{build}\n\n{pages.gates_of_claims(judged, page)}", False
        if match["view"] == "blocks":
            return pages.blocks_table(known, page), False
        facts = pages.build_facts(
            self.schedule.machine, known, load_average(), datetime.now(UTC), commit_of(self.docs)
        )
        return facts, False


def commit_of(folder: Path) -> str:
    """Name the commit that a folder is checked out at; an empty string if it is not."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(folder), "rev-parse", "--short=12", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - git, of PATH
    return answer.stdout.strip()
