"""Long work shows how far it is: a line for each block in a log, a bar on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.measured.conftest import Site

WAIT = "import time\ntime.sleep(0.15)\nprint('waited', {!r})"


def test_in_a_log_each_block_is_one_line(site: Site) -> None:
    """Number, number of all, page, line and name, and about how long it will take still."""
    for number in range(3):
        site.add(f"block-{number}", f"print({number})", page=f"page{number}")
    site.add("timed", "print('t')", timing="on")

    log = site.build().log

    lines = [line for line in log.splitlines() if line.startswith("measured: ")]
    pattern = r"measured: (\d) of 4, (\w+\.md):5 block '([\w-]+)', about (\d+) s left"
    found = [re.fullmatch(pattern, line) for line in lines]
    assert all(found), log
    assert [match[1] for match in found] == ["1", "2", "3", "4"]
    assert {match[3] for match in found} == {"block-0", "block-1", "block-2", "timed"}
    assert found[3][3] == "timed"
    assert found[3][4] == "0"
    assert "\r" not in log
    assert "\x1b[" not in "".join(lines)


def test_nothing_to_run_says_nothing(site: Site) -> None:
    """A second build is as quiet as MkDocs itself."""
    site.add("block", "print(1)")
    site.build()

    assert "measured" not in site.build().log


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal to ask")
@pytest.mark.parametrize("command", ["build", "run"])
def test_on_a_terminal_a_bar_counts_and_goes_away(site: Site, command: str) -> None:
    """It names what runs, counts what is done of all, tells the time left; then it is gone."""
    for number in range(4):
        site.add(f"block-{number}", WAIT.format(number))
    site.add("timed", WAIT.format("timed"), timing="on")
    words = ["mkdocs", "build"] if command == "build" else ["measured", "run", "--rounds", "1"]

    code, seen = run_on_a_terminal(site, [sys.executable, "-m", *words])

    assert code == 0, seen
    counts = [int(done) for done in re.findall(r"(\d)/5", seen)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == 5
    assert set(counts) & {1, 2, 3, 4}
    assert re.search(r"\d:\d\d:\d\d", seen), "the time left"
    assert "index.md:5 block 'block-0'" in seen
    assert "block 'timed'" in seen
    assert "measured: 1 of 5" not in seen
    gone = seen[seen.rindex("/5") :]
    assert "\x1b[2K" in gone, "the bar is taken away at the end"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal to ask")
@pytest.mark.parametrize("timing", ["off", "on"])
def test_the_bar_names_what_runs_now(site: Site, timing: str) -> None:
    """Before the first block is done, the reader knows what is waited for."""
    site.add("only", WAIT.format("only"), timing=timing)

    _, seen = run_on_a_terminal(site, [sys.executable, "-m", "mkdocs", "build"])

    before = seen[: seen.index("1/1")]
    assert "0/1" in before
    assert "block 'only'" in before


def run_on_a_terminal(site: Site, command: list[str]) -> tuple[int, str]:
    """Run a command whose standard error is a terminal; give its exit code and what it wrote."""
    ours, theirs = os.openpty()
    environment = site.environment(TERM="xterm", COLUMNS="120", LINES="40")
    environment.pop("NO_COLOR")
    with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
        process = subprocess.Popen(
            command, cwd=site.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        pieces: list[bytes] = []

        def read() -> None:
            try:
                while piece := terminal.read(4096):
                    pieces.append(piece)
            except OSError:  # Linux says so when the last one who writes has gone
                pass

        reader = threading.Thread(target=read)
        reader.start()
        try:
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
            reader.join(10)
    return code, b"".join(pieces).decode(errors="replace")
