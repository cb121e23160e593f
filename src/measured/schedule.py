"""Run the blocks whose results are missing.

Ordinary blocks run side by side. Measuring ones run alone, one round of each in turn: rounds
that follow one another at once see the same disturbance.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from measured import control, interpreters
from measured.blocks import Block, key_of
from measured.machine import Interpreter, Machine, describe_machine
from measured.runs import Run, begun_near
from measured.store import Store

__all__ = ["CONTROL", "MOST_FAILURES", "Schedule", "Task"]

CONTROL = Block("", 0, "control", control.SOURCE, timing=True)
"""The build's own measuring block: a round of it in each round of the others."""

MOST_FAILURES = 3
"""How often a block that has succeeded may fail in one build before the build gives it up."""


@dataclass(frozen=True, slots=True)
class Task:
    """A block on an interpreter.

    Attributes:
        block: What to run.
        interpreter: What runs it.
        key: The name of its result.
    """

    block: Block
    interpreter: Interpreter
    key: str

    def __str__(self) -> str:
        """Name the block as a message does, with the interpreter if it is one of several."""
        return f"{self.block}{f' on {self.interpreter.name}' * self.block.everywhere}"


@dataclass
class Schedule:
    """The blocks of a site, what is known of them, and what is left to run.

    Attributes:
        store: Where results are kept.
        paths: Folders from which blocks import.
        lock: Digest of the lock file.
        machine: This machine.
        failed: The failed run with which this build gave a task up, by the task's key.
        stumbles: How often a task that had succeeded failed in this build, by its key.
        shared: Whether all failures go through the store: one process measures for another.
    """

    store: Store
    paths: Sequence[Path]
    lock: str
    machine: Machine = field(default_factory=describe_machine)
    failed: dict[str, Run] = field(default_factory=dict)
    stumbles: Counter[str] = field(default_factory=Counter)
    shared: bool = False

    def tasks(self, block: Block) -> list[Task]:
        """List what a block stands for: itself on one interpreter, or on every one found."""
        own = interpreters.own_interpreter()
        chosen = interpreters.find_interpreters() if block.everywhere else [own]
        return [
            Task(block, one, key_of(block, one, self.machine, self.lock, self.paths))
            for one in chosen
        ]

    def results(self, block: Block) -> list[tuple[Task, list[Run]]]:
        """Return what is known of a block, on each of its interpreters."""
        return [(task, self.known(task)) for task in self.tasks(block)]

    def known(self, task: Task) -> list[Run]:
        """Return what is known of a task: its rounds, or its failure, or nothing."""
        runs = self.store.load(task.key)
        if not runs and (self.shared or task.key in self.failed):
            return self.failures(task)[-1:]
        return runs

    def failures(self, task: Task) -> list[Run]:
        """Return the failed runs of a task, oldest first: those kept, and that of this build."""
        kept, last = self.store.failures(task.key), self.failed.get(task.key)
        return kept if last is None or last in kept else [*kept, last]

    def run_missing(
        self,
        blocks: Iterable[Block],
        rounds: int = 1,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Run what is not known: ordinary blocks once, measuring ones up to `rounds` times.

        Args:
            blocks: The blocks of the site.
            rounds: How many rounds every measuring block should have.
            go_on: Called after each run. Once it is false, no measuring block begins.
        """
        wanted: dict[str, int] = {}

        def left(task: Task) -> int:
            runs = wanted.get(task.key, rounds if task.block.timing else 1)
            return 0 if task.key in self.failed else runs - len(self.store.load(task.key))

        every = {task.key: task for block in blocks for task in self.tasks(block)}.values()
        tasks = [task for task in every if left(task) > 0]
        if not tasks:
            return
        if rounds > 1:
            most = max(left(task) if task.block.timing else 0 for task in tasks)
            [task] = self.tasks(CONTROL)
            kept = self.store.load(task.key)
            recent = begun_near(kept, [datetime.now(UTC).isoformat()])
            wanted[task.key] = len(kept) + min(most, rounds - len(recent))
            tasks = [task] * (left(task) > 0) + tasks
        # Imported late, so that a build that runs nothing is quick.
        from measured.progress import progress_of  # noqa: PLC0415
        from measured.runner import side_by_side  # noqa: PLC0415

        with progress_of(sum(map(left, tasks))) as progress:
            with self.store.lock():  # another build may have run some while this one waited
                ordinary = [task for task in tasks if not task.block.timing and left(task) > 0]
                going = True

                def work(task: Task) -> None:
                    progress.begins(str(task))
                    self._run_once(task)

                for task in side_by_side(work, ordinary, self.machine.cores):
                    progress.done(str(task))
                    going = go_on()
            measuring = [task for task in tasks if task.block.timing and going]
            for number in range(rounds + MOST_FAILURES - 1):  # a round that failed is made again
                measuring = [task for task in measuring if left(task) > 0]
                for task in measuring:
                    with self.store.lock():
                        before = left(task)
                        if before >= max(1, rounds - number):
                            progress.begins(str(task))
                            self._run_once(task)
                            progress.done(str(task), left(task) - before + 1)
                            if not go_on():
                                return

    def _run_once(self, task: Task) -> None:
        """Run a task and keep what came of it.

        A failed run is kept beside the rounds of a block that has succeeded; else for this build
        only. One that could not even begin says nothing of the block.
        """
        from measured.runner import Job, run  # noqa: PLC0415 - likewise

        number = len(self.store.load(task.key))
        block = task.block
        if not number:
            self.store.forget_failures(task.key)
        result = run(Job(block.source, task.interpreter, self.paths, block.timeout_s, number))
        if not result.surprise(block.fails):
            self.store.append(task.key, result)
            return
        flaky = number > 0 and bool(result.started)
        self.stumbles[task.key] += flaky
        if not flaky or self.stumbles[task.key] == MOST_FAILURES:
            self.failed[task.key] = result
        if flaky or (self.shared and not number):
            self.store.append_failure(task.key, result)
