"""Measure what running its blocks costs a build: by markdown-exec, by ours, and not at all.

One generated site is built in three ways, each time by a fresh `mkdocs build`: its blocks shown
and not run (the floor), run by markdown-exec as it comes, run by `measured.fences`. A round takes
each build in each way once, the ways in alternating order; a ratio is of two builds of one round.
After each build the edited page is read: an edit that does not show is an error, not a short time.
"""

import argparse
import http.client
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from measured import machine
from measured.verdict import Estimate, estimate

OFF, PLAIN, OURS = WAYS = ("off", "markdown-exec", "ours")
COLD, REBUILD, PROSE, BLOCK, MODULE = BUILDS = (
    "cold build",
    "rebuild",
    "prose edit",
    "block edit",
    "module edit",
)
SERVED_PROSE, SERVED_BLOCK = SERVED = ("prose edit, served", "block edit, served")
BLOCK_S = 0.2
POLL_S = 0.02
PATIENCE_S = 120.0  # for a server to come up, and for an edit to be served

CONFIGURATION = """\
site_name: Bench
theme:
  name: material
  variant: classic
  font: false
plugins:
  - search{plugin}
markdown_extensions:
  - pymdownx.highlight
  - pymdownx.superfences{extension}
"""
PLUGIN = """
  - markdown-exec:
      ansi: "off"
      languages: [python]"""
EXTENSION = """
  - measured.fences"""

MODULE_TEXT = '''\
"""Work for the blocks of half the pages."""

import time


def work(seconds: float) -> int:
    """Take some seconds; the number tells which edit of this module ran."""
    {body}
    return {edit}
'''
BODIES = {
    "wait": "time.sleep(seconds)",
    "compute": """end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass""",
}
FENCE = """\
```python{options}
from topics.{module} import work

print("page {page}, {place} block:", work({seconds}) + {edit})
```
"""
OPTIONS = ' exec="on" id="page-{page}-{place}" source="above"'
SENTENCE = (
    "A thread waits while another computes, and the lock between them is held no longer than the "
    "queue needs it, so that each result reaches its caller in the order of the calls."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a build took.

    Attributes:
        wall_s: Seconds from its start to its end; when served, from the save to the changed page.
        cpu_s: CPU seconds of mkdocs and all that it started; 0 where they were not counted.
    """

    wall_s: float
    cpu_s: float = 0.0


@dataclass
class Copy:
    """The site, built in one way.

    Attributes:
        way: How its blocks are treated.
        folder: Where it lies.
        pages: How many pages it has, two blocks on each.
        work: What its blocks do: wait or compute.
        prose: Number of the last edit of prose.
        block: Number of the last edit of a block.
        module: Number of the last edit of the module.
    """

    way: str
    folder: Path
    pages: int
    work: str
    prose: int = 0
    block: int = 0
    module: int = 0

    @property
    def edited(self) -> int:
        """The page that is edited: in the middle, and of the half that imports `odd`."""
        return self.pages // 4 * 2 + 1

    def write(self) -> None:
        """Write the whole site."""
        (self.folder / "docs").mkdir(parents=True)
        (self.folder / "src" / "topics").mkdir(parents=True)
        text = CONFIGURATION.format(
            plugin="" if self.way == OFF else PLUGIN,
            extension=EXTENSION if self.way == OURS else "",
        )
        save(self.folder / "mkdocs.yml", text)
        save(self.folder / "src" / "topics" / "__init__.py", "")
        save(self.folder / "docs" / "index.md", "# Bench\n")
        for name in ("even", "odd"):
            self.write_module(name)
        for page in range(1, self.pages + 1):
            self.write_page(page)

    def write_module(self, name: str) -> None:
        """Write the module that half of the pages import."""
        text = MODULE_TEXT.format(body=BODIES[self.work], edit=1000 * self.module)
        save(self.folder / "src" / "topics" / f"{name}.py", text)

    def write_page(self, page: int) -> None:
        """Write one page; only the edited one changes with the edits."""
        edited = page == self.edited
        parts = [f"# Page {page}", f"This is edit {self.prose * edited} of the prose."]
        for place in ("first", "second"):
            parts += [f"## The {place} block", f"{SENTENCE} {SENTENCE}", SENTENCE]
            fence = FENCE.format(
                options=OPTIONS.format(page=page, place=place) if self.way != OFF else "",
                page=page,
                place=place,
                module="odd" if page % 2 else "even",
                seconds=BLOCK_S,
                edit=self.block * (edited and place == "first"),
            )
            parts.append(fence)
        save(self.folder / "docs" / f"page_{page}.md", "\n\n".join(parts))

    def edit(self, build: str) -> None:
        """Change what a build is about."""
        if build == COLD:
            for name in ("site", ".measured"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        elif build in {PROSE, SERVED_PROSE}:
            self.prose += 1
            self.write_page(self.edited)
        elif build in {BLOCK, SERVED_BLOCK}:
            self.block += 1
            self.write_page(self.edited)
        elif build == MODULE:
            self.module += 1
            self.write_module("odd")

    def is_shown(self, html: str) -> bool:
        """Tell whether a page shows every edit so far, and where blocks run what came of it."""
        text = re.sub(r"<[^>]*>", "", html)
        wanted = [f"This is edit {self.prose} of the prose.", f"work({BLOCK_S}) + {self.block})"]
        if self.way != OFF:
            answer = 1000 * self.module + self.block
            wanted.append(f"page {self.edited}, first block: {answer}")
        return all(part in text for part in wanted)


def save(path: Path, text: str) -> None:
    """Write a file."""
    path.write_text(text, encoding="utf-8")


def command(*arguments: str) -> list[str]:
    """Return the command line of mkdocs."""
    return [sys.executable, "-m", "mkdocs", *arguments]


def environment(copy: Copy) -> dict[str, str]:
    """Return the environment of mkdocs: plain markdown-exec imports what mkdocs can import."""
    return {**os.environ, "PYTHONPATH": str(copy.folder / "src"), "NO_MKDOCS_2_WARNING": "1"}


def build(copy: Copy, kind: str) -> Cost:
    """Change what `kind` is about, build the site in a fresh process, and look at the page.

    Raises:
        RuntimeError: If the build fails, or the page does not show what it should.
    """
    copy.edit(kind)
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        command("build", "--strict"),
        cwd=copy.folder,
        env=environment(copy),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    wall_s, after = time.perf_counter() - start, os.times()
    if done.returncode:
        *_, last = ["", *done.stdout.splitlines()]
        raise RuntimeError(f"{kind}, {copy.way}: mkdocs ended with {done.returncode}: {last}")
    page = copy.folder / "site" / f"page_{copy.edited}" / "index.html"
    if not copy.is_shown(page.read_text(encoding="utf-8")):
        raise RuntimeError(f"{kind}, {copy.way}: the built page does not show the edits")
    user_s = after.children_user - before.children_user
    return Cost(wall_s, user_s + after.children_system - before.children_system)


@contextmanager
def server(copy: Copy) -> Iterator[int]:
    """Serve a copy, and yield the port once the page is there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        command("serve", "--dev-addr", f"127.0.0.1:{port}"),
        cwd=copy.folder,
        env=environment(copy),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_served(copy, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_until_served(copy: Copy, port: int) -> None:
    """Ask for the edited page until it shows every edit.

    Raises:
        TimeoutError: If it does not in `PATIENCE_S` seconds.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("GET", f"/page_{copy.edited}/")
            if copy.is_shown(connection.getresponse().read().decode()):
                return
        except (OSError, http.client.HTTPException):  # not up yet
            pass
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise TimeoutError(f"{copy.way}: the served page does not show the edits")


def serve_edit(copy: Copy, kind: str, port: int) -> Cost:
    """Edit a page under `mkdocs serve`, and wait until it is served."""
    copy.edit(kind)
    start = time.perf_counter()
    wait_until_served(copy, port)
    return Cost(time.perf_counter() - start)


class Bench:
    """Takes the rounds, and keeps what they cost.

    Attributes:
        copies: The site, once for each way.
        costs: For each build and way, one cost of each round.
    """

    def __init__(self, copies: Sequence[Copy]) -> None:
        """Take no round yet."""
        self.copies = copies
        self.costs: dict[tuple[str, str], list[Cost]] = {}
        self._taken = 0

    def take(
        self, kinds: Sequence[str], measure: Callable[[Copy, str], Cost], say: Callable[[str], None]
    ) -> None:
        """Take one round: each kind of build, of each copy, in the other order than last time."""
        self._taken += 1
        for kind in kinds:
            for copy in self.copies[:: 1 if self._taken % 2 else -1]:
                say(f"{kind}, {copy.way}")
                self.costs.setdefault((kind, copy.way), []).append(measure(copy, kind))

    def seconds(self, kind: str, way: str, clock: str = "wall_s") -> list[float]:
        """List what a build took by a clock of `Cost`, once for each round."""
        return [getattr(cost, clock) for cost in self.costs.get((kind, way), [])]

    def kinds(self) -> list[str]:
        """List the builds that were taken."""
        return list(dict.fromkeys(kind for kind, _ in self.costs))

    def ratio(self, kind: str, over: str, under: str, clock: str) -> Estimate | None:
        """Estimate how much more one way takes than another, from the pairs of each round."""
        return ratio_of(self.seconds(kind, over, clock), self.seconds(kind, under, clock))

    def limits(self, kind: str, factor: float, added_s: float) -> list[float]:
        """List what a build may take in each round: `factor` times the floor, and `added_s`."""
        return [factor * floor_s + added_s for floor_s in self.seconds(kind, OFF)]


def ratio_of(over: Sequence[float], under: Sequence[float]) -> Estimate | None:
    """Estimate the ratio of two things, from the ratio in each round; None if one was left out."""
    if not over or not under:
        return None
    return estimate([one / other for one, other in zip(over, under, strict=True)])


def figure(value: Estimate | None) -> str:
    """Write a ratio with its interval, where there are rounds enough for one."""
    if value is None:
        return "-"
    if value.low is None or value.high is None:
        return f"{value.median:.2f}"
    return f"{value.median:.2f} ({value.low:.2f} to {value.high:.2f})"


def median_of(values: Sequence[float]) -> str:
    """Write the median of some seconds."""
    return f"{statistics.median(values):.2f} s" if values else "-"


def table_of(bench: Bench, kinds: Sequence[str], clock: str, title: str) -> Table:
    """Show what builds took in every way by a clock of `Cost`, and the ratios."""
    table = Table("", *WAYS, "ours / off", "markdown-exec / ours", title=title)
    for kind in kinds:
        table.add_row(
            kind,
            *(median_of(bench.seconds(kind, way, clock)) for way in WAYS),
            figure(bench.ratio(kind, OURS, OFF, clock)),
            figure(bench.ratio(kind, PLAIN, OURS, clock)),
        )
    return table


def table_of_targets(bench: Bench, blocks: int) -> Table:
    """Show how ours stands to each limit; a target is reached if the median ratio is at most 1."""
    blocks_s = blocks * BLOCK_S
    targets = (
        ("rebuild: at most 1.25 times the floor", REBUILD, 1.25, 0.0),
        ("prose edit: at most 1.25 times the floor", PROSE, 1.25, 0.0),
        ("block edit, served: at most the floor plus that block", SERVED_BLOCK, 1.0, BLOCK_S),
        ("block edit, built anew: likewise", BLOCK, 1.0, BLOCK_S),
        ("cold build: at most 1.3 times its blocks plus the floor", COLD, 1.0, 1.3 * blocks_s),
    )
    table = Table("target", "ours", "limit", "ours / limit", "reached", title="Targets")
    for text, kind, factor, added_s in targets:
        ours, limits = bench.seconds(kind, OURS), bench.limits(kind, factor, added_s)
        ratio = ratio_of(ours, limits)
        if ratio is not None:
            reached = "yes" if ratio.median <= 1 else "no"
            table.add_row(text, median_of(ours), median_of(limits), figure(ratio), reached)
    return table


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = top.add_argument
    add("--rounds", type=int, default=5, help="how many; 5 unless told, 6 or more give intervals")
    add("--pages", type=int, default=30, help="how many, with two blocks each; 30 unless told")
    add("--work", choices=BODIES, default="wait", help=f"what a block does for {BLOCK_S} s")
    add("--without", choices=WAYS, nargs="+", default=(), help="ways to leave out")
    add(
        "--builds",
        choices=BUILDS,
        nargs="+",
        default=BUILDS,
        help="builds to take; all unless told",
    )
    add("--no-serve", action="store_true", help="take no edits under mkdocs serve")
    add("--quick", action="store_true", help="one round of six pages, and no mkdocs serve")
    return top


def take_rounds(bench: Bench, rounds: int, builds: Sequence[str], served: Sequence[str]) -> None:
    """Take all rounds: of fresh builds, then of edits under servers that stay up."""
    with Progress(console=Console(stderr=True), transient=True) as progress, ExitStack() as stack:
        steps = len(bench.copies) * (1 + rounds * (len(builds) + len(served)))
        task = progress.add_task("", total=steps)

        def say(text: str) -> None:
            progress.update(task, advance=1, description=text)

        for copy in bench.copies:
            say(f"warm-up, {copy.way}")
            copy.write()
            build(copy, REBUILD)
        for _ in range(rounds):
            bench.take(builds, build, say)
        ports = {copy.way: stack.enter_context(server(copy)) for copy in bench.copies if served}
        for _ in range(rounds):
            bench.take(served, lambda copy, kind: serve_edit(copy, kind, ports[copy.way]), say)


def report(bench: Bench, asked: argparse.Namespace, load: str) -> None:
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
    console.print(table_of(bench, bench.kinds(), "wall_s", "Wall time: medians of all rounds"))
    if os.name != "nt":  # where nobody counts the CPU time of children
        fresh = [kind for kind in bench.kinds() if kind not in SERVED]
        console.print(table_of(bench, fresh, "cpu_s", "CPU time of mkdocs and all it started"))
    targets = table_of_targets(bench, blocks)
    if targets.row_count:
        console.print(targets)


def load_now() -> str:
    """Write the load average."""
    load = machine.load_average()
    return "not told" if load is None else f"{load:.1f}"


def main() -> int:
    """Run the command line; return the exit code."""
    asked = parser().parse_args()
    if asked.quick:
        asked.rounds, asked.pages, asked.no_serve = 1, 6, True
    load = load_now()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ways = [way for way in WAYS if way not in asked.without]
        bench = Bench([Copy(way, Path(folder, way), asked.pages, asked.work) for way in ways])
        try:
            take_rounds(bench, asked.rounds, asked.builds, () if asked.no_serve else SERVED)
        except (RuntimeError, TimeoutError) as error:
            print(str(error).replace(folder, ""), file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    report(bench, asked, load)
    return 0


if __name__ == "__main__":
    sys.exit(main())
