"""Serve a site at once, and measure beside it: figures appear as they are measured.

MkDocs serves in a process of its own that runs no block. This process measures, and tells it of
what has arrived by touching a file that it watches. MkDocs starts first: what measuring needs is
imported while it builds the pages.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from measured.site import Site

__all__ = ["DEFERRED", "ROUNDS", "serve"]

DEFERRED = "MEASURED_DEFERRED"
"""Environment variable: if set, this build runs nothing, because another process measures."""

ROUNDS = 15
"""Rounds of every measuring block: the interval is then from the 4th to the 12th of the pairs."""

LEAST_PAUSE_S = 10.0  # between two refreshes of the pages
BUILD_LIMIT_S = 120.0
COMPILE_LIMIT_S = 60.0
LOOK_S = 0.5


class Server:
    """MkDocs in a process of its own; what it says is passed on, and tells when it has built."""

    def __init__(self, config_file: Path, watched: Path, arguments: Sequence[str]) -> None:
        """Start to build and to serve."""
        command = [sys.executable, "-m", "mkdocs", "serve", "--config-file", str(config_file)]
        self.process = subprocess.Popen(  # noqa: S603 - MkDocs
            [*command, "--watch", str(watched), *arguments],
            env={**os.environ, DEFERRED: "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None  # noqa: S101 - a pipe was asked for
        self._built = threading.Event()
        self._listener = threading.Thread(target=self._listen, args=(self.process.stderr,))
        self._listener.start()

    def runs(self) -> bool:
        """Tell whether it still serves."""
        return self.process.poll() is None

    def wait_built(self) -> None:
        """Wait until it has built once more than when this was asked last."""
        self._built.wait(BUILD_LIMIT_S)
        self._built.clear()

    def end(self) -> None:
        """End it, and wait for it."""
        if self.runs():
            self.process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        try:
            self.process.wait(LEAST_PAUSE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._listener.join()

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            sys.stderr.write(line)
            if "Documentation built" in line:
                self._built.set()
        self.process.wait()
        self._built.set()  # it has ended: nobody is to wait


class Refresher:
    """Refreshes the pages when something has arrived, now and then."""

    def __init__(self, server: Server, site: "Site", watched: Path) -> None:
        """Look at how the site's sources are now."""
        self._server, self._site, self._watched = server, site, watched
        self._arrived, self._last = False, time.monotonic()
        self.look()

    def look(self) -> None:
        """Remember how the site's sources are."""
        self._seen = self._edits()

    def changed(self) -> bool:
        """Tell whether a page or a module was edited since the last look."""
        return self._edits() != self._seen

    def note(self) -> bool:
        """Take note of a result; tell whether to go on with the same blocks."""
        self._arrived = True
        self.refresh()
        return self._server.runs() and not self.changed()

    def refresh(self) -> None:
        """Let the pages be built anew and wait for it, if something arrived and it is time."""
        if self._arrived and time.monotonic() - self._last >= LEAST_PAUSE_S:
            self._arrived = False
            self._watched.touch()
            self._server.wait_built()
            self._last = time.monotonic()

    def _edits(self) -> dict[Path, int]:
        folders = [self._site.docs, *self._site.schedule.paths]
        files = (path for folder in folders for path in folder.rglob("*") if path.suffix != ".pyc")
        try:
            return {path: path.stat().st_mtime_ns for path in files if path.is_file()}
        except FileNotFoundError:  # an editor's own file, gone while it was looked at
            return {}


def serve(config_file: Path, arguments: Sequence[str], rounds: int) -> int:
    """Serve until interrupted or until MkDocs ends, and measure meanwhile.

    Args:
        config_file: The site's configuration.
        arguments: Further arguments of `mkdocs serve`.
        rounds: How many rounds every measuring block gets.

    Returns:
        The exit code of MkDocs, which ended by itself: its address is taken, say.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that we end both
    with tempfile.TemporaryDirectory(prefix="measured-") as folder:
        watched = Path(folder, "arrived")
        watched.touch()
        server = Server(config_file, watched, arguments)
        try:
            server.wait_built()
            if server.runs():
                measure(config_file, server, watched, rounds)
            return server.process.wait()
        finally:
            server.end()


def measure(config_file: Path, server: Server, watched: Path, rounds: int) -> None:
    """Measure what is missing, and again what was edited, as long as the server runs."""
    from measured.fences import load_site  # noqa: PLC0415 - not before MkDocs has started

    site = load_site(config_file)
    site.schedule.shared = True
    compile_modules(site)
    refresher = Refresher(server, site, watched)
    while server.runs():
        refresher.look()
        site.schedule.run_missing(site.blocks(), rounds, refresher.note)
        while server.runs() and not refresher.changed():
            refresher.refresh()
            time.sleep(LOOK_S)


def compile_modules(site: "Site") -> None:
    """Compile what blocks import, for each interpreter that runs one.

    What Python compiles at an import is a change to MkDocs, which watches the folder: without this,
    each block that is the first to import a module would have all pages built anew.
    """
    compile_all = ["-m", "compileall", "-qq", *map(str, site.schedule.paths)]
    tasks = (task for block in site.blocks() for task in site.schedule.tasks(block))
    for interpreter in {task.interpreter for task in tasks}:
        with suppress(OSError, subprocess.TimeoutExpired):  # gone: its blocks will tell
            subprocess.run(  # noqa: S603 - the interpreter was found by name
                [interpreter.executable, *compile_all],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COMPILE_LIMIT_S,
                check=False,
            )
