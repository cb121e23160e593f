"""Both servers: `mkdocs serve` runs blocks on the spot, `python -m measured serve` beside it.

Either stays up whatever blocks do, and shows what was edited.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from tests.measured.conftest import Site

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")


class Server:
    """A running server.

    Attributes:
        site: The site that it serves.
        process: The server.
        log: What it wrote so far.
    """

    def __init__(self, site: Site, wait_until: Callable[..., None], *command: str) -> None:
        """Start the server on a free port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.site, self.wait_until, self.log = site, wait_until, ""
        self.url = f"http://127.0.0.1:{port}/"
        address = ("--dev-addr", f"127.0.0.1:{port}")
        self.process: subprocess.Popen[str] = site.start(*command, *address)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line

    def page(self, name: str = "index") -> str:
        """Fetch a page; an empty text if the server does not answer yet."""
        try:
            with urllib.request.urlopen(f"{self.url}{name}.html", timeout=5) as answer:  # noqa: S310 - our own
                return answer.read().decode()
        except OSError:
            return ""

    def wait_for(self, text: str, page: str = "index") -> None:
        """Wait until a page shows a text."""

        def there() -> bool:
            assert self.process.poll() is None, f"the server ended:\n{self.log}"
            return text in self.page(page)

        self.wait_until(there, f"{text!r} on {page}", 30)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Press Ctrl-C, or send another signal, and give the exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(15)
        finally:
            self.close()

    def close(self) -> None:
        """End the server, whatever it does, and what it started."""
        if self.process.poll() is None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            for process in (*family, self.process):
                process.kill()
        self.process.wait()
        self._reader.join(15)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def serve(wait_until: Callable[..., None]) -> Iterator[Callable[..., Server]]:
    """Give a function that serves a site until the test ends, with MkDocs unless told."""
    servers = []

    def start(site: Site, *command: str) -> Server:
        servers.append(Server(site, wait_until, *(command or ("mkdocs", "serve"))))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_the_server_survives_its_blocks_and_shows_edits(
    site: Site, serve: Callable[..., Server]
) -> None:
    """Three blocks fail, each in its way; then a block, a module and prose are edited."""
    site.write("lib/own.py", "VALUE = 'as it was'\n")
    site.add("fails", "raise ValueError(1)")
    site.add("exits", "import sys\nsys.exit(3)")
    site.add("hangs", "import time\ntime.sleep(600)", timeout="0.3")
    site.add("imports", "import own\nprint('module', own.VALUE)", page="other", counted=True)
    site.add("prints", "print('block', 'one')", page="other", counted=True)

    server = serve(site)
    server.wait_for("raised ValueError")
    for text in ("ended with exit code 3", "was still running after 0.3 s"):
        assert text in server.page()
    server.wait_for("module as it was", "other")
    assert site.runs() == {"imports": 1, "prints": 1}

    site.edit("docs/other.md", "print('block', 'one')", "print('block', 'two')")
    server.wait_for("block two", "other")
    assert site.runs() == {"prints": 1}

    site.write("lib/own.py", "VALUE = 'edited'\n")
    server.wait_for("module edited", "other")
    assert site.runs() == {"imports": 1}

    site.edit("docs/other.md", "# Page other", "# Page renamed")
    server.wait_for("Page renamed", "other")
    assert site.runs() == {}

    site.edit("docs/index.md", "raise ValueError(1)", "print('mended', 'now')")
    server.wait_for("mended now")
    assert "raised ValueError" not in server.page()

    server.end()
    assert "Traceback" not in server.log.replace(
        'Traceback (most recent call last):\n  File "block', ""
    )


def test_ctrl_c_ends_the_server_in_the_middle_of_a_block(
    site: Site, serve: Callable[..., Server], wait_until: Callable[..., None]
) -> None:
    """It does not wait for the block's time limit, and no process is left."""
    pids = site.folder / "runs.txt"
    code = "import os, time\nprint(os.getpid(), file=open(os.environ['COUNT_RUNS'], 'a'))\n"
    site.add("waits", code + "time.sleep(600)", timeout="600")

    server = serve(site)
    wait_until(lambda: pids.exists() and pids.read_text().strip(), "the block")
    family = [server.process.pid, *map(int, pids.read_text().split())]
    children = [one.pid for one in psutil.Process(server.process.pid).children(recursive=True)]
    server.end()

    left = [pid for pid in {*family, *children} if psutil.pid_exists(pid)]
    assert left == []


def test_a_block_that_fails_is_told_at_each_rebuild(
    site: Site, serve: Callable[..., Server]
) -> None:
    """Until it is mended, every rebuild says so: the last lines of the terminal are true."""
    site.add("fails", "raise ValueError(1)", counted=True)
    server = serve(site)
    server.wait_for("raised ValueError")

    for turn in range(2):
        site.edit(
            "docs/index.md",
            f"# Page index{' again' * turn}",
            f"# Page index{' again' * (turn + 1)}",
        )
        server.wait_for("Page index" + " again" * (turn + 1))

    server.end()
    assert server.log.count("block 'fails' raised ValueError") == 3, server.log


MEASURED = ("measured", "serve", "--")
QUICK = """
import measured.sampling
from measured import compare

measured.sampling.SHORTEST_SAMPLE_S = measured.sampling.SHORTEST_GUESS_S = 0.001
compare("Twins", one=lambda: sum(range(1000)), other=lambda: sum(range(1000)))
"""


def test_pages_are_up_before_anything_is_measured(site: Site, serve: Callable[..., Server]) -> None:
    """The block waits until the page was seen without its result; then the page shows it."""
    seen = site.folder / "seen"
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)"
    )
    site.add("waits", f"{waits}\nprint('the', 'result')")
    site.add("fails", "raise ValueError(1)")
    site.add("measures", QUICK, timing="on")

    server = serve(site, *MEASURED)
    server.wait_for("Not measured yet")
    assert "the result" not in server.page()
    seen.touch()
    server.wait_for("the result")
    server.wait_for("raised ValueError")
    server.wait_for("15 pairs")

    assert "Not measured yet" not in server.page()


def test_an_edit_is_served_at_once_and_its_block_measured(
    site: Site, serve: Callable[..., Server]
) -> None:
    """The page shows the new code although its result is still to come."""
    site.add("prints", "print('as', 'it was')")
    server = serve(site, *MEASURED)
    server.wait_for("as it was")

    site.edit("docs/index.md", "print('as', 'it was')", "print('it is', 'edited')")
    server.wait_for("Not measured yet")
    server.wait_for("it is edited")


def test_pages_refresh_at_most_every_ten_seconds(site: Site, serve: Callable[..., Server]) -> None:
    """However many rounds arrive meanwhile, and however slow the machine is."""
    site.add("measures", QUICK, timing="on")

    start = time.monotonic()
    server = serve(site, *MEASURED)
    server.wait_for("15 pairs")
    # The page may arrive before the line of the log.
    server.wait_until(lambda: server.log.count("Documentation built") > 1, "a refresh in the log")

    refreshes = server.log.count("Documentation built") - 1
    assert server.log.count("measured: ") == 15
    assert 1 <= refreshes <= (time.monotonic() - start) / 10


def test_a_refresh_leaves_the_reader_at_the_text_in_view(
    site: Site, serve: Callable[..., Server], browser: Browser
) -> None:
    """A long output arrives above it, so that the page has to be scrolled further."""
    seen = site.folder / "seen"
    prose = "".join(f"\nThought number {number}.\n" for number in range(60))
    site.edit("mkdocs.yml", "{name: mkdocs}", "{name: mkdocs, highlightjs: false}")
    site.write("docs/index.md", f"# Long\n{prose}")
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)"
    )
    site.add("waits", f"{waits}\nprint('one line\\n' * 100)", source="none")
    with (site.folder / "docs" / "index.md").open("a", encoding="utf-8") as file:
        file.write(f"\n## In view\n{prose}")
    place = "document.querySelector('#in-view').getBoundingClientRect().top"

    server = serve(site, *MEASURED)
    server.wait_for("Not measured yet")
    page = browser.new_page()
    page.goto(server.url)
    page.evaluate(f"scrollTo({{top: scrollY + {place} - 5, behavior: 'instant'}})")
    before, scrolled = page.evaluate(f"[{place}, scrollY]")
    assert scrolled > 1000
    seen.touch()
    page.wait_for_selector("text=one line", state="attached")
    page.wait_for_function(f"Math.abs({place} - {before}) <= 3")

    assert page.evaluate("scrollY") > scrolled + 1000
    page.close()


def test_what_python_compiles_is_no_edit(site: Site, serve: Callable[..., Server]) -> None:
    """All is compiled before the first block, not one file after another while MkDocs watches."""
    site.write("lib/imported.py", "")
    code = "import os, imported; print(os.path.getmtime(imported.__cached__) < {now})"
    site.add("imports", code.format(now="os.stat('.').st_ctime"))
    server = serve(site, *MEASURED)
    server.wait_for(">True")


def test_a_figure_to_come_can_be_linked_to(site: Site, serve: Callable[..., Server]) -> None:
    """No rebuild warns of a link to what is not measured yet."""
    seen = site.folder / "seen"
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)"
    )
    site.add("to-come", f"{waits}\n{QUICK}", timing="on")
    with (site.folder / "docs" / "index.md").open("a", encoding="utf-8") as file:
        file.write("\n[The figure](#to-come)\n")
    site.edit("mkdocs.yml", "watch: [lib]", "watch: [lib]\nvalidation: {anchors: warn}")
    server = serve(site, *MEASURED)
    server.wait_for("Not measured yet")
    assert 'id="to-come"' in server.page()
    seen.touch()
    server.wait_for("pairs")
    server.end()
    assert "WARNING" not in server.log


def test_what_is_to_come_has_an_id_for_each_python(
    site: Site, pretend_python: Callable[..., Path]
) -> None:
    """A build that another process measures for: ids are unique on the page."""
    other = pretend_python(site.folder / "other", "CPython 3.99.0")
    site.add("everywhere", "print(1)", pythons="all")
    found = site.build(MEASURED_DEFERRED="1", MEASURED_PYTHONS=str(other))
    ids = re.findall(r'class="measured-waiting" id="([^"]+)"', found.section("everywhere"))
    assert len(ids) > 1, found.log
    assert len(set(ids)) == len(ids)
    assert ids[0] == "everywhere"


def test_mkdocs_starts_before_anything_else_is_imported() -> None:
    """What measuring and rendering need would only delay the first page."""
    code = "import measured.__main__, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    late = {"markdown", "markdown_exec", "mkdocs", "rich", "measured.site", "measured.timing"}
    assert late.isdisjoint(done.stdout.split())


def test_a_failure_of_an_earlier_server_is_forgotten(
    site: Site, serve: Callable[..., Server]
) -> None:
    """The block that failed waits at its second run: until then its page says nothing of it."""
    again = site.folder / "again"
    waits = f"import pathlib, time\nwhile pathlib.Path({str(again)!r}).exists(): time.sleep(0.01)"
    site.add("fails", f"{waits}\nraise ValueError(1)")
    server = serve(site, *MEASURED)
    server.wait_for("raised ValueError")
    server.end()

    again.touch()
    server = serve(site, *MEASURED)
    server.wait_for("Not measured yet")
    again.unlink()
    server.wait_for("raised ValueError")


def test_an_address_that_is_taken_ends_it(site: Site) -> None:
    """With the exit code of MkDocs, which builds before it asks for the address."""
    site.add("prints", "print(1)")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = site.run(*MEASURED, "--dev-addr", f"127.0.0.1:{port}")

    assert run.code == 1
    assert "Address already in use" in run.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both_processes_in_the_middle_of_a_block(
    site: Site,
    serve: Callable[..., Server],
    wait_until: Callable[..., None],
    number: signal.Signals,
) -> None:
    """No process is left: not the server, not the one that measures, not the block."""
    pids = site.folder / "runs.txt"
    code = "import os, time\nprint(os.getpid(), file=open(os.environ['COUNT_RUNS'], 'a'))\n"
    site.add("waits", code + "time.sleep(600)", timeout="600")

    server = serve(site, *MEASURED)
    wait_until(lambda: pids.exists() and pids.read_text().strip(), "the block")
    children = [one.pid for one in psutil.Process(server.process.pid).children(recursive=True)]
    assert len(children) >= 2, "MkDocs and the block"
    server.end(number)

    assert [pid for pid in children if psutil.pid_exists(pid)] == []
