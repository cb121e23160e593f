"""`python -m measured`: run the blocks of a site, show what is known of them."""

from __future__ import annotations

import re
import signal
import sys
from io import StringIO
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from measured.blocks import Block
from measured.errors import FenceError
from measured.fences import load_site
from measured.interpreters import own_interpreter
from measured.machine import Machine, usable_cores
from measured.runs import Run
from measured.schedule import Task
from measured.terminal import show_budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.measured.conftest import Build, Site

PAIRS = """
import time
import measured.sampling
from measured import compare
measured.sampling.SHORTEST_SAMPLE_S = 0.001
waits = compare("Two [waits]", long=lambda: time.sleep(0.01), short=lambda: time.sleep(0.001))
waits.claim("A [long] wait takes longer.", ratio=("long", "short"), at_least=1)
"""


@pytest.fixture(scope="module")
def measured(make_site: Callable[[], Site]) -> tuple[Site, Build, dict[str, int]]:
    """Run two rounds of a site with three measuring blocks and one ordinary."""
    site = make_site()
    for number in range(3):
        site.add(f"pairs-{number}", PAIRS, page=f"p{number}/x", counted=True, timing="on")
    site.add("plain", "print('a [plain] <one>')", counted=True)
    run = site.run("measured", "run", "--rounds", "2")
    return site, run, site.runs()


def test_run_makes_as_many_rounds_as_asked_for(
    measured: tuple[Site, Build, dict[str, int]],
) -> None:
    """Two of each measuring block, one of an ordinary one."""
    _, run, runs = measured
    assert run.code == 0, run.log
    assert runs == {"pairs-0": 2, "pairs-1": 2, "pairs-2": 2, "plain": 1}


def test_rounds_take_turns(measured: tuple[Site, Build, dict[str, int]]) -> None:
    """One round of each block, then again: disturbances are shared."""
    log = measured[1].log
    order = [line.split("'")[1] for line in log.splitlines() if line.startswith("measured: ")]
    assert order == ["plain", *[f"pairs-{number}" for number in range(3)] * 2]


def test_run_adds_only_what_is_missing(
    measured: tuple[Site, Build, dict[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Then nothing; then one more round; and a build uses them all."""
    site = measured[0].copy(tmp_path_factory.mktemp("copy") / "site")
    assert site.run("measured", "run", "--rounds", "2").code == 0
    assert site.runs() == {}
    assert site.run("measured", "run", "--rounds", "3").code == 0
    assert site.runs() == {"pairs-0": 1, "pairs-1": 1, "pairs-2": 1}
    built = site.build("--strict")
    assert site.runs() == {}
    assert "3 pairs" in built.shown("pairs-0", "p0/x")


def test_run_ends_with_what_each_page_takes(
    measured: tuple[Site, Build, dict[str, int]],
) -> None:
    """A row for each page that measures, one for the control, one for all ordinary blocks."""
    rows = [re.split(r" {2,}", line.strip()) for line in measured[1].log.splitlines()]
    counted = {row[0]: row[1:3] for row in rows if len(row) == 5 and row[-1].endswith(" s")}
    assert counted == {
        **{f"p{number}/x": ["1", "2"] for number in range(3)},
        f"ordinary blocks, {usable_cores()} side by side": ["1", "1"],
        "the build's control": ["1", "15"],
        "all": ["5", "1 to 15"],
    }


def test_the_budget_counts_what_is_new_and_guesses_the_rest() -> None:
    """Seconds of this run; fifteen times the mean of a round; the longest first."""
    known = {
        "plain": [Run(wall_s=6)],
        "never": [],
        "quick": [Run(wall_s=1)],
        "slow": [Run(wall_s=10), Run(wall_s=2)],
    }
    blocks = {name: Block(f"{name}.md", 1, name, "", timing=name != "plain") for name in known}
    before = [
        (Task(block, own_interpreter(), name), known[name][:1]) for name, block in blocks.items()
    ]
    schedule = SimpleNamespace(machine=Machine("", "", 2), known=lambda task: known[task.key])
    console = Console(file=StringIO(), width=80)

    show_budget(console, SimpleNamespace(schedule=schedule), before, 15)

    lines = [re.sub(" {2,}", "; ", line.strip()) for line in console.file.getvalue().splitlines()]
    assert [line for line in lines if line.endswith(" s")] == [
        "slow; 1; 2; 2 s; 90 s",
        "quick; 1; 1; 0 s; 15 s",
        "ordinary blocks, 2 side by side; 1; 1; 0 s; 3 s",
        "never; 1; 0; 0 s; > 0 s",
        "all; 4; 0 to 2; 2 s; > 108 s",
    ]


def test_run_keeps_to_its_budget(site: Site) -> None:
    """No further round begins; what was measured is kept, and the next run goes on from there."""
    pairs = "from measured import compare\ncompare('Pairs', one=lambda: 1, other=lambda: 1)"
    site.add("pairs", pairs, counted=True, timing="on")
    site.add("plain", "print(1)", counted=True)

    run = site.run("measured", "run", "--budget", "0s")

    assert run.code == 0, run.log
    assert site.runs() == {"plain": 1}
    assert site.run("measured", "run", "--budget", "1h", "--rounds", "1").code == 0
    assert site.runs() == {"pairs": 1}


@pytest.mark.parametrize("budget", ["10", "m", "ten minutes", ""])
def test_a_budget_that_is_no_time_is_refused(site: Site, budget: str) -> None:
    """With the option's name."""
    run = site.run("measured", "run", "--budget", budget)

    assert run.code == 2
    assert "--budget" in run.log


def test_run_keeps_to_the_pages_asked_for(site: Site) -> None:
    """By the beginning of their path; a path that no page has is an error."""
    site.add("in", "print(1)", page="threads/one", counted=True)
    site.add("out", "print(1)", page="async_io/one", counted=True)

    assert site.run("measured", "run", "--only", "threads/").code == 0
    assert site.runs() == {"in": 1}
    nowhere = site.run("measured", "run", "--only", "nowhere/")
    assert nowhere.code == 1
    assert "no page with a block begins with 'nowhere/'" in nowhere.log


def test_run_tells_what_failed_and_fails(site: Site) -> None:
    """With the last lines, and after all the others had their turn."""
    site.add("bad", "raise ValueError('no [good]')", counted=True)
    site.add("bad-timing", "raise KeyError(1)", page="a", counted=True, timing="on")
    site.add("good", "print(1)", page="b", counted=True)

    run = site.run("measured", "run", "--rounds", "3")

    assert run.code == 1
    assert "index.md:5 block 'bad' raised ValueError\nTraceback" in run.log
    assert "ValueError: no [good]" in run.log
    assert "a.md:5 block 'bad-timing' raised KeyError" in run.log
    assert site.runs() == {"bad": 1, "bad-timing": 1, "good": 1}


def test_show_prints_every_figure(measured: tuple[Site, Build, dict[str, int]]) -> None:
    """A table and a verdict for each measuring block; square brackets are no markup."""
    shown = measured[0].run("measured", "show")
    assert shown.code == 0, shown.log
    for number in range(3):
        assert f"pairs-{number}" in shown.log
    for text in ("Two [waits] (pairs: 2)", "long / arm", "A [long] wait takes longer."):
        assert shown.log.count(text) == 3, shown.log
    assert shown.log.count("not decided here: 2 of at least 6 pairs measured") == 3
    assert "plain" not in shown.log


def test_show_prints_the_block_asked_for(measured: tuple[Site, Build, dict[str, int]]) -> None:
    """An ordinary one too, with what it printed."""
    shown = measured[0].run("measured", "show", "plain", "pairs-1")
    assert shown.code == 0
    assert "a [plain] <one>" in shown.log
    assert "pairs-1" in shown.log
    assert "pairs-0" not in shown.log


def test_show_tells_of_every_python(site: Site) -> None:
    """What each gave, how it ended if that is the lesson, and which Pythons are absent."""
    code = "print('printed')\nraise ValueError('the [end]')"
    site.add("everywhere", code, pythons="all", fails="ValueError")
    alone = {"PATH": "", "PYENV_ROOT": "/nowhere", "UV_PYTHON_INSTALL_DIR": "/nowhere"}
    waiting = site.run("measured", "show", "everywhere", **alone)
    assert "not measured yet, or it failed" in waiting.log
    assert site.build("--strict", **alone).code == 0

    shown = site.run("measured", "show", "everywhere", **alone)

    assert f"everywhere · {own_interpreter().name}" in shown.log
    assert "printed\nTraceback" in shown.log
    assert (
        "ValueError: the [end]\n(it raised ValueError)\nnot on this machine: CPython 3."
        in shown.log
    )


def test_show_names_a_block_that_there_is_not(
    measured: tuple[Site, Build, dict[str, int]],
) -> None:
    """And prints the others that were asked for."""
    shown = measured[0].run("measured", "show", "plian", "plain")
    assert shown.code == 1
    assert "no block 'plian'" in shown.log
    assert "a [plain] <one>" in shown.log
    assert "Traceback" not in shown.log


def test_show_says_what_was_not_measured_yet(site: Site) -> None:
    """And runs nothing."""
    site.add("pairs", PAIRS, counted=True, timing="on")
    shown = site.run("measured", "show")
    assert shown.code == 0
    assert "not measured yet" in shown.log
    assert site.runs() == {}


def test_a_site_without_the_extension_is_a_clear_error(site: Site) -> None:
    """No traceback."""
    site.edit("mkdocs.yml", "  - measured.fences: {paths: [lib]}\n", "")
    site.write("docs/index.md", "# x\n")
    run = site.run("measured", "run")
    assert run.code == 1
    assert "mkdocs.yml does not list measured.fences" in run.log
    assert "Traceback" not in run.log


def test_without_mkdocs_the_configuration_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As beside Zensical alone: one line says what to install."""
    monkeypatch.setitem(sys.modules, "mkdocs.config", None)
    with pytest.raises(FenceError, match=r"^mkdocs\.yml is read by MkDocs: install mkdocs$"):
        load_site(tmp_path / "mkdocs.yml")


def test_a_configuration_that_is_not_there_is_a_clear_error(site: Site) -> None:
    """It names the file, and shows no traceback."""
    run = site.run("measured", "--config", "elsewhere.yml", "run")
    assert run.code != 0
    assert "elsewhere.yml" in run.log
    assert "Traceback" not in run.log


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_number_of_rounds_that_cannot_be_is_refused(site: Site, rounds: str) -> None:
    """At the command line, as any wrong argument."""
    site.add("pairs", PAIRS, counted=True, timing="on")
    run = site.run("measured", "run", "--rounds", rounds)
    assert run.code == 2
    assert "--rounds" in run.log
    assert site.runs() == {}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process")
def test_ctrl_c_keeps_what_was_measured(site: Site, wait_until: Callable[..., None]) -> None:
    """The rounds that were complete; the next run goes on from there."""
    site.add("a", PAIRS, counted=True, timing="on")
    site.add("b", f"{PAIRS}\nprint('b')", counted=True, timing="on")

    process = site.start("measured", "run", "--rounds", "1000")
    try:
        wait_until(lambda: len(site.kept()) >= 3, "three rounds")
        process.send_signal(signal.SIGINT)
    finally:
        ended = site.finish(process, 15)

    assert ended.code == 130, ended.log
    assert "stopped; what was measured is kept" in ended.log
    assert "Traceback" not in ended.log
    kept = len(site.kept())
    site.runs()
    assert site.run("measured", "run", "--rounds", "5").code == 0
    assert sum(site.runs().values()) == max(0, 10 - kept)
