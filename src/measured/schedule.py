"""Run the blocks whose results are missing.

Ordinary blocks run side by side. Measuring ones run alone, one round of each in turn: rounds
that follow one another at once see the same disturbance.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from measured import interpreters
from measured.blocks import Block, key_of
from measured.machine import Interpreter, Machine, describe_machine
from measured.runner import Job, Run, end_all, run
from measured.store import Store

__all__ = ["Schedule", "Task"]


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


@dataclass
class Schedule:
    """The blocks of a site, what is known of them, and what is left to run.

    Attributes:
        store: Where results are kept.
        paths: Folders from which blocks import.
        lock: Digest of the lock file.
        machine: This machine.
        failed: The failed run of each task, by its key: kept for this build only.
    """

    store: Store
    paths: Sequence[Path]
    lock: str
    machine: Machine = field(default_factory=describe_machine)
    failed: dict[str, Run] = field(default_factory=dict)

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
        """Return what is known of a task: its rounds, or the failure of this build, or nothing."""
        if task.key in self.failed:
            return [self.failed[task.key]]
        return self.store.load(task.key)

    def run_missing(self, blocks: Iterable[Block], rounds: int = 1) -> None:
        """Run what is not known: ordinary blocks once, measuring ones up to `rounds` times.

        Args:
            blocks: The blocks of the site.
            rounds: How many rounds every measuring block should have.
        """
        tasks = {task.key: task for block in blocks for task in self.tasks(block)}.values()
        wanted = {task.key: rounds if task.block.timing else 1 for task in tasks}

        def left(task: Task) -> int:
            return 0 if task.key in self.failed else wanted[task.key] - len(self.known(task))

        if not any(left(task) > 0 for task in tasks):
            return
        from measured.progress import progress_of  # noqa: PLC0415 - most builds run nothing

        with progress_of(sum(max(0, left(task)) for task in tasks)) as progress:
            with self.store.lock():  # another build may have run some while this one waited
                ordinary = [task for task in tasks if not task.block.timing and left(task) > 0]

                def work(task: Task) -> None:
                    progress.begins(str(task.block))
                    self._run_once(task)

                for task in side_by_side(work, ordinary, self.machine.cores):
                    progress.done(str(task.block))
            measuring = [task for task in tasks if task.block.timing]
            for number in range(rounds):
                for task in measuring:
                    with self.store.lock():
                        if left(task) >= rounds - number:
                            progress.begins(str(task.block))
                            self._run_once(task)
                            progress.done(str(task.block))

    def _run_once(self, task: Task) -> None:
        """Run a task and keep what came of it; a failed run is kept for this build only."""
        number = len(self.store.load(task.key))
        block = task.block
        result = run(Job(block.source, task.interpreter, self.paths, block.timeout_s, number))
        if result.surprise(block.fails):
            self.failed[task.key] = result
        else:
            self.store.append(task.key, result)


def side_by_side(work: Callable[[Task], None], tasks: Sequence[Task], width: int) -> Iterator[Task]:
    """Work on tasks in `width` threads and yield each when it is done."""
    with ThreadPoolExecutor(width, thread_name_prefix="measured-run") as pool:
        running = {pool.submit(work, task): task for task in tasks}
        try:
            for future in as_completed(running):
                future.result()
                yield running[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
