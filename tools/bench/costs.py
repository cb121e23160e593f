"""What one build, one start of a server, one edit or one rendering costs.

After each the page is looked at: an edit that does not show is an error, not a short time.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sites import OURS, Copy, Handbook

POLL_S = 0.01
PATIENCE_S = 120.0  # for a server to come up, and for an edit to be served
RENDERER = Path(__file__).with_name("render.py")


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took.

    Attributes:
        wall_s: Seconds from its start to its end; when served, until the page is there.
        cpu_s: CPU seconds of all that it started; 0 where they were not counted.
    """

    wall_s: float
    cpu_s: float = 0.0


def environment(copy: Copy | Handbook) -> dict[str, str]:
    """Return the environment of mkdocs: plain markdown-exec imports what mkdocs can import."""
    return {**os.environ, "PYTHONPATH": str(copy.folder / "src"), "NO_MKDOCS_2_WARNING": "1"}


def run(copy: Copy, kind: str, *arguments: str) -> str:
    """Run Python on a copy's folder, and return what it printed.

    Raises:
        RuntimeError: If it fails.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy.folder,
        env=environment(copy),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        *_, last = ["", *done.stderr.splitlines()]
        raise RuntimeError(f"{kind}, {copy.way}: ended with {done.returncode}: {last}")
    return done.stdout


def look(copy: Copy, kind: str, html: str) -> None:
    """Look at the edited page.

    Raises:
        RuntimeError: If it does not show what it should.
    """
    if not copy.is_shown(html):
        raise RuntimeError(f"{kind}, {copy.way}: the page does not show the edits")


def build(copy: Copy, kind: str) -> Cost:
    """Change what `kind` is about, and build the site in a fresh process."""
    copy.edit(kind)
    before, start = os.times(), time.perf_counter()
    run(copy, kind, "-m", "mkdocs", "build", "--strict")
    wall_s, after = time.perf_counter() - start, os.times()
    page = copy.folder / "site" / f"page_{copy.edited}" / "index.html"
    look(copy, kind, page.read_text(encoding="utf-8"))
    user_s = after.children_user - before.children_user
    return Cost(wall_s, user_s + after.children_system - before.children_system)


def render(copy: Copy, kind: str) -> Cost:
    """Render every page once, in a fresh process, and count from the first page to the last."""
    answer = json.loads(run(copy, kind, str(RENDERER), f"page_{copy.edited}.md"))
    look(copy, kind, answer["html"])
    return Cost(answer["wall_s"], answer["cpu_s"])


@contextmanager
def serving(copy: Copy | Handbook, *command: str) -> Iterator[int]:
    """Start a server, and yield its port; it may not listen yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--dev-addr", f"127.0.0.1:{port}"],
        cwd=copy.folder,
        env=environment(copy),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_for_page(port: int, path: str, is_right: Callable[[str], bool]) -> None:
    """Ask for a page until it is as it should be.

    Raises:
        TimeoutError: If it is not in `PATIENCE_S` seconds.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status == http.client.OK and is_right(answer.read().decode()):
                return
        except (OSError, http.client.HTTPException):  # not up yet
            pass
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise TimeoutError(f"{path} was not served as it should be in {PATIENCE_S:.0f} s")


def first_page(copy: Copy | Handbook, kind: str) -> Cost:
    """Serve with an empty store, and wait for the first page; ours measures beside it."""
    copy.edit(kind)
    command = ("measured", "serve", "--") if copy.way == OURS else ("mkdocs", "serve")
    start = time.perf_counter()
    with serving(copy, *command) as port:
        wait_for_page(port, "/", bool)
        return Cost(time.perf_counter() - start)


@contextmanager
def server(copy: Copy) -> Iterator[int]:
    """Serve a copy by `mkdocs serve`, and yield the port once the edited page is there."""
    with serving(copy, "mkdocs", "serve") as port:
        wait_for_page(port, f"/page_{copy.edited}/", copy.is_shown)
        yield port


def serve_edit(copy: Copy, kind: str, port: int) -> Cost:
    """Edit a page under `mkdocs serve`, and wait until it is served."""
    copy.edit(kind)
    start = time.perf_counter()
    wait_for_page(port, f"/page_{copy.edited}/", copy.is_shown)
    return Cost(time.perf_counter() - start)
