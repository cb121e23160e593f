"""Small sites of the engine's tests, really built in a process of their own."""

import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import IO, Any

import psutil
import pytest

from measured.control import COMPUTING, COPIES, WAITING
from measured.fences import load_site
from measured.machine import describe_interpreter
from measured.runs import Run
from measured.schedule import CONTROL
from measured.store import Store

CONFIG = """\
site_name: Small
use_directory_urls: false
theme: {name: mkdocs}
watch: [lib]
plugins:
  - markdown-exec: {ansi: "off", languages: [python]}
markdown_extensions:
  - pymdownx.superfences
  - pymdownx.tabbed: {alternate_style: true}
  - pymdownx.snippets: {base_path: [lib], check_paths: true}
  - measured.fences: {paths: [lib]}
"""
COUNT = 'import os; print({name!r}, file=open(os.environ["COUNT_RUNS"], "a"))'
LIMIT_S = 60
LEVEL = re.compile(r"^(?=(?:ERROR|WARNING|INFO) +-  |measured: |Aborted with )", re.MULTILINE)


@dataclass(frozen=True)
class Build:
    """What came of one build.

    Attributes:
        code: Its exit code.
        log: All that it wrote to the terminal.
        folder: The folder of the built site.
    """

    code: int
    log: str
    folder: Path

    def html(self, page: str = "index") -> str:
        """Give the content of a page, without the theme around it."""
        text = (self.folder / f"{page}.html").read_text(encoding="utf-8")
        _, _, rest = text.partition('role="main">')
        return rest.rpartition("<footer")[0]

    def section(self, name: str, page: str = "index") -> str:
        """Give the HTML below the heading of one block."""
        _, found, rest = self.html(page).partition(f'<h2 id="on-{name}">')
        assert found, f"no section {name} on {page}"
        return rest.partition("</h2>")[2].partition("<h2 ")[0]

    def text(self, page: str = "index") -> str:
        """Give the text of a page, with tags and styles parsed off."""
        return html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", self.html(page)))

    def shown(self, name: str, page: str = "index") -> str:
        """Give the text of one block's section, with tags parsed off."""
        return html.unescape(re.sub(r"<[^>]+>", "", self.section(name, page)))

    def outputs(self, name: str, page: str = "index") -> list[str]:
        """Give what a block printed, as often as its section shows an output."""
        pattern = r'<pre class="measured-output[^"]*"><code>(.*?)</code></pre>'
        found = re.findall(pattern, self.section(name, page), re.DOTALL)
        return [html.unescape(one) for one in found]

    def output(self, name: str, page: str = "index") -> str:
        """Give what a block printed, shown once."""
        outputs = self.outputs(name, page)
        assert len(outputs) == 1, f"{name}: {outputs}"
        return outputs[0]

    def notice(self, name: str, page: str = "index") -> str:
        """Give the text of the failure notice in a block's section; empty if there is none."""
        _, found, rest = self.section(name, page).partition('class="admonition failure')
        return html.unescape(re.sub(r"<[^>]+>", "", rest.partition(">")[2])) if found else ""

    @property
    def entries(self) -> list[str]:
        """What was logged, each entry with the lines that belong to it."""
        return LEVEL.split(self.log)

    @property
    def errors(self) -> list[str]:
        """Errors and warnings that were logged: what a strict build counts."""
        return [entry for entry in self.entries if entry.startswith(("ERROR", "WARNING"))]

    def error_of(self, name: str) -> str:
        """Give the one error about a block."""
        about = [entry for entry in self.errors if f"block '{name}'" in entry]
        assert len(about) == 1, f"{name}: {about}\n{self.log}"
        return about[0]


class Site:
    """A small site in a folder.

    Attributes:
        folder: The folder; `lib` in it holds what blocks import.
        store: The folder of the results.
        runs_file: The file to which counted blocks append.
    """

    def __init__(self, folder: Path) -> None:
        """Begin a site without pages."""
        self.folder = folder
        self.store = folder / ".measured"
        self.runs_file = folder / "runs.txt"
        for name in ("docs", "lib", "temporary"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if not (folder / "mkdocs.yml").exists():
            self.write("mkdocs.yml", CONFIG)

    def write(self, path: str, text: str) -> Path:
        """Write a file of the site."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        return file

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file of the site, which must be there."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def add(
        self, name: str, code: str, page: str = "index", *, counted: bool = False, **options: str
    ) -> None:
        """Append a section with one executed block to a page.

        Args:
            name: Its heading and its id.
            code: The script.
            page: The page, which is made if there is none.
            counted: Whether each run is counted, outside the block's folder.
            options: Further options of the fence.
        """
        path = self.folder / "docs" / f"{page}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = "" if path.exists() else f"# Page {page}\n"
        lines = [COUNT.format(name=name)] * counted + [dedent(code).strip()]
        given = {"exec": "on", "id": name} | options
        written = " ".join(f'{option}="{value}"' for option, value in given.items())
        body = "\n".join(lines)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{head}\n## On {name}\n\n```python {written}\n{body}\n```\n")

    def runs(self) -> Counter[str]:
        """Count how often each counted block ran since this was asked last."""
        if not self.runs_file.exists():
            return Counter()
        names = self.runs_file.read_text(encoding="utf-8").split("\n")
        self.runs_file.unlink()
        return Counter(filter(None, names))

    def kept(self) -> list[Path]:
        """List the results in the store, without those of the control."""
        control = str(self.control())
        return sorted(one for one in self.store.rglob("*.json") if control not in str(one))

    def control(self) -> Path:
        """Give the folder of the control's results."""
        schedule = load_site(self.folder / "mkdocs.yml").schedule
        [task] = schedule.tasks(CONTROL)
        return schedule.store.folder / task.key[:2] / task.key

    def keep_control(self, rounds: int = 15, pressure: float = 0.0) -> None:
        """Store rounds of the control, so that no verdict depends on this machine's quiet.

        Args:
            rounds: How many.
            pressure: What the pressure was.
        """
        same = {"calls": 1, "wall_s": 0.2, "cpu_s": 0.2, "pressure": pressure}
        copies = {"1": same, "2": same}
        arms = {COMPUTING: {"first": same, "second": same}, COPIES: copies}
        arms[WAITING] = dict.fromkeys(("first", "second"), same | {"cpu_s": 0.0})
        records: list[dict[str, Any]] = [
            {"kind": "comparison", "title": title, "arms": taken, "printed": 0}
            for title, taken in arms.items()
        ]
        folder, started = self.control(), datetime.now(UTC).isoformat(timespec="seconds")
        store = Store(folder.parents[1])
        for _ in range(rounds):
            store.append(folder.name, Run(records=records, started=started))

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment of a build."""
        temporary = str(self.folder / "temporary")
        own = {"NO_MKDOCS_2_WARNING": "1", "COUNT_RUNS": str(self.runs_file), "NO_COLOR": "1"}
        return {**os.environ, **own, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary), **more}

    def start(
        self, *command: str, output: IO[str] | int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        """Start `python -m ...` in the site's folder."""
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )

    def run(self, *command: str, **environment: str) -> Build:
        """Run `python -m ...` to its end."""
        return self.finish(self.start(*command, **environment))

    def finish(self, process: subprocess.Popen[str], limit_s: float = LIMIT_S) -> Build:
        """Wait for what was started, and end it if it takes too long."""
        try:
            log, _ = process.communicate(timeout=limit_s)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        return Build(process.returncode, log or "", self.folder / "site")

    def build(self, *options: str, **environment: str) -> Build:
        """Run `mkdocs build` to its end."""
        return self.run("mkdocs", "build", *options, **environment)

    def copy(self, folder: Path) -> "Site":
        """Copy the site with what its store holds."""
        shutil.copytree(self.folder, folder)
        return Site(folder)


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Site]:
    """Give a function that begins a small site, whose control found a quiet machine."""

    def make() -> Site:
        site = Site(tmp_path_factory.mktemp("small", numbered=True) / "site-of-a-test")
        site.keep_control()
        return site

    return make


@pytest.fixture(scope="session")
def build_type() -> type[Build]:
    """Give the type of a build, for what was built in another way."""
    return Build


def write_python(path: Path, name: str, code: str = "") -> Path:
    """Write a program that says it is some Python.

    Args:
        path: The program.
        name: What it says it is, as "CPython 3.99.0".
        code: Lines of a shell; after them it runs a block with the Python of the tests.
    """
    version = tuple(map(int, name.split()[1].split(".")))
    free = "free-threaded" in name
    told = replace(
        describe_interpreter(), name=name, version=version, gil=not free, executable=str(path)
    )
    answer, python = shlex.quote(json.dumps(asdict(told))), shlex.quote(sys.executable)
    lines = [
        "#!/bin/sh",
        f'if [ "$1" = -I ]; then printf "%s" {answer}; exit; fi',
        code,
        f'exec {python} "$@"',
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def pretend_python() -> Callable[..., Path]:
    """Give a function that writes a program that says it is some Python."""
    if sys.platform == "win32":
        pytest.skip("a script is no program on Windows")
    return write_python


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    """Begin a small site."""
    return make_site()


def wait_until(condition: Callable[[], object], what: str, limit_s: float = 30) -> None:
    """Look again and again until a condition is true."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s} s in vain for {what}"
        time.sleep(0.002)


@pytest.fixture(scope="session", name="wait_until")
def give_wait_until() -> Callable[..., None]:
    """Give a function that waits for a condition, with a limit."""
    return wait_until


def runs_still(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="session", name="runs_still")
def give_runs_still() -> Callable[[int], bool]:
    """Give a function that tells whether a process runs."""
    return runs_still


@pytest.fixture(scope="session")
def machine_paths() -> Callable[[str], list[str]]:
    """Give a function that lists the paths of this machine in a text."""
    paths = {sys.prefix, sys.base_prefix, str(Path.home()), tempfile.gettempdir(), sys.executable}
    paths |= {str(Path(__file__).resolve().parents[2])}
    return lambda text: [path for path in sorted(paths) if path in text]
