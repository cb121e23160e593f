"""What happens to a machine while it measures: nothing is lost, and each fault is told once."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import venv
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from measured import serving, wording
from measured import store as store_module
from measured.blocks import Block
from measured.estimates import Estimate
from measured.interpreters import own_interpreter
from measured.pictures import Bar, bars
from measured.runner import Job
from measured.runner import run as run_job
from measured.runs import Run
from measured.schedule import Schedule
from measured.store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.measured.conftest import Build, Site

POSIX = sys.platform != "win32"
OTHER = "CPython 3.99.0"
PAIRS = """
import measured.sampling
from measured import compare

measured.sampling.SHORTEST_SAMPLE_S = measured.sampling.SHORTEST_GUESS_S = 0.001
compare("Twins", one=lambda: sum(range(1000)), other=lambda: sum(range(1000)))
"""
UNSTEADY = """
import os

with open({counter!r}, "a") as file:
    file.write("x")
run = os.path.getsize({counter!r})
if run in {runs}:
    raise OSError(f"no luck in run {{run}}")
"""


class Unsteady:
    """A measuring block that fails in certain of its runs.

    Attributes:
        source: The block.
        counter: A file that is as long as there were runs.
    """

    def __init__(self, counter: Path, *runs: int) -> None:
        """Let it fail in `runs`, counted from 1."""
        self.counter = counter
        self.source = UNSTEADY.format(counter=str(counter), runs=set(runs)) + PAIRS

    @property
    def runs(self) -> int:
        """How often it ran."""
        return self.counter.stat().st_size


def unsteady_on(site: Site, *runs: int) -> Unsteady:
    """Put a block that fails in certain runs onto a page."""
    block = Unsteady(site.folder / "counter", *runs)
    site.add("unsteady", block.source, timing="on")
    return block


def last_count(log: str) -> tuple[str, str]:
    """Give the numbers of the last line of progress: done, and of how many."""
    return re.findall(r"^measured: (\d+) of (\d+), ", log, re.MULTILINE)[-1]


FLAKY = "index.md:5 block 'unsteady' is flaky: it failed in 2 of 5 runs; "
FLAKY += "the last of these raised OSError"


@pytest.fixture(scope="module")
def flaky(make_site: Callable[[], Site]) -> tuple[Site, Unsteady, Build]:
    """Run three rounds of a block that fails in its second and its fourth run."""
    site = make_site()
    block = unsteady_on(site, 2, 4)
    site.add("steady", PAIRS + "print()", counted=True, timing="on")
    run = site.run("measured", "run", "--rounds", "3")
    assert block.runs == 5
    return site, block, run


def test_a_block_that_fails_now_and_then_is_measured_on(
    flaky: tuple[Site, Unsteady, Build],
) -> None:
    """Until it has its rounds: the log names the counts and the last error, and how far it is."""
    site, _, run = flaky
    assert run.code == 1, run.log
    assert f"{FLAKY}\nTraceback" in run.log
    assert "OSError: no luck in run 4" in run.log
    assert site.runs() == {"steady": 3}
    done, of = last_count(run.log)
    assert done == of


def test_a_flaky_block_shows_its_good_rounds_under_a_notice(
    flaky: tuple[Site, Unsteady, Build],
) -> None:
    """In another process, which runs nothing; a strict build fails, with one error."""
    site, block, _ = flaky
    before = block.runs
    plain, strict = site.build(), site.build("--strict")

    assert plain.code == 0
    assert strict.code != 0
    assert strict.error_of("unsteady").startswith(f"ERROR   -  {FLAKY}\nTraceback")
    assert len(strict.errors) == 1
    section = plain.section("unsteady")
    assert section.index("admonition failure") < section.index("<figure")
    assert "it failed in 2 of 5 runs" in plain.notice("unsteady")
    assert "OSError: no luck in run 4" in plain.notice("unsteady")
    assert "3 pairs" in plain.shown("unsteady")
    assert plain.notice("steady") == ""
    assert block.runs == before


def test_a_block_stays_flaky_until_something_that_it_depends_on_changes(
    flaky: tuple[Site, Unsteady, Build], tmp_path: Path
) -> None:
    """It is told again though nothing is run; a mended block is another one."""
    site, block, _ = flaky
    site, before = site.copy(tmp_path / "copy"), block.runs

    again = site.run("measured", "run", "--rounds", "3")
    shown = site.run("measured", "show", "unsteady")
    site.edit("docs/index.md", "run in {2, 4}", "run in {1, 2, 4}")
    mended = site.run("measured", "run", "--rounds", "1")

    assert again.code == 1
    assert FLAKY in again.log
    assert shown.code == 0
    assert shown.log.count(FLAKY.partition("' ")[2]) == 1
    assert mended.code == 0, mended.log
    assert "flaky" not in mended.log
    assert block.runs == before + 1
    assert site.build("--strict").code == 0


def test_a_block_that_fails_three_times_is_left_for_the_next_build(site: Site) -> None:
    """Which goes on from the rounds that it has; the failures stay known."""
    block = unsteady_on(site, 2, 3, 4)

    first = site.run("measured", "run", "--rounds", "3")
    assert first.code == 1
    assert "it failed in 3 of 4 runs" in first.log
    assert block.runs == 4
    done, of = last_count(first.log)
    assert done == of

    second = site.run("measured", "run", "--rounds", "3")
    assert second.code == 1
    assert "it failed in 3 of 6 runs" in second.log
    assert block.runs == 6


def test_a_block_that_has_never_succeeded_fails_at_once_and_leaves_nothing(site: Site) -> None:
    """The next build runs it anew, and knows nothing of the failure."""
    block = unsteady_on(site, 1)

    first = site.run("measured", "run", "--rounds", "2")
    assert first.code == 1
    assert "block 'unsteady' raised OSError" in first.log
    assert "flaky" not in first.log
    assert block.runs == 1
    assert site.build("--strict").code == 0
    assert block.runs == 2


def test_arms_that_disagree_now_and_then_are_flaky(site: Site) -> None:
    """The notice names both arms and their results; the figure is that of the good round."""
    arms = "one=lambda: 1, two=lambda: 1 + round_number"
    code = f"import os\nround_number = int(os.environ['MEASURED_ROUND'])\ncompare('Two', {arms})"
    site.add("differ", PAIRS + code, timing="on")

    run = site.run("measured", "run", "--rounds", "2")
    built = site.build()

    assert run.code == 1
    assert "it failed in 3 of 4 runs; the last of these raised ValueError" in built.notice("differ")
    assert "one gives 1, two gives 2" in built.notice("differ")
    assert "1 pair" in built.shown("differ")


def test_arms_that_disagree_are_told_on_the_page(site: Site) -> None:
    """Both arms and both results; nothing is drawn."""
    site.add("differ", f"{PAIRS}\ncompare('Two', one=lambda: 1, two=lambda: 2)", timing="on")

    built = site.build()

    assert "'Two' compares arms that disagree: one gives 1, two gives 2" in built.notice("differ")
    assert "<figure" not in built.section("differ")


def test_who_serves_knows_what_the_one_who_measures_saw(site: Site) -> None:
    """A failure without a success, then a flaky block; nothing of the first stays."""

    def begin(*, shared: bool = True) -> Schedule:
        return Schedule(Store(site.store), [], "", shared=shared)

    source = Unsteady(site.folder / "counter", 1, 3).source
    block, measures, serves = Block("index.md", 1, "x", source, timing=True), begin(), begin()
    [task] = serves.tasks(block)

    measures.run_missing([block])
    assert [run.failure for run in serves.known(task)] == ["raised OSError"]
    assert begin(shared=False).known(task) == []

    measures = begin()
    measures.run_missing([block])
    assert [run.failure for run in serves.known(task)] == [None]
    assert serves.failures(task) == []

    measures.run_missing([block], 2)
    assert [run.failure for run in serves.known(task)] == [None, None]
    for schedule in (measures, serves, begin(shared=False)):
        assert [run.failure for run in schedule.failures(task)] == ["raised OSError"]


def test_failures_are_forgotten_only_where_nothing_succeeded(tmp_path: Path) -> None:
    """As `measured serve` does when it begins."""
    store = Store(tmp_path / "store")
    store.append("ab12", Run(output="good"))
    for key in ("ab12", "cd34"):
        store.append_failure(key, Run(failure="raised KeyError"))

    store.forget_failures()

    assert [run.failure for run in store.failures("ab12")] == ["raised KeyError"]
    assert store.load("ab12") == [Run(output="good")]
    assert store.failures("cd34") == []


def test_rounds_stay_in_order_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an hour, in the middle, and then to another century."""
    hour = 3_600_000_000_000
    moments = iter([5 * hour, 4 * hour, 4 * hour + 1, 6 * hour, 1, 10**20])
    monkeypatch.setattr(store_module.time, "time_ns", lambda: next(moments))
    store = Store(tmp_path / "store")
    runs = [Run(output=str(number)) for number in range(5)]
    for run in runs:
        store.append("ab12", run)

    assert store.load("ab12") == runs
    store.append("cd34", Run())
    assert len(store.load("ab12")) == 5


def test_an_edit_is_seen_when_the_clock_was_set_back(tmp_path: Path) -> None:
    """Also that a page was taken away: serving looks at every file, not at the newest."""
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text("as it was")
    site = SimpleNamespace(docs=tmp_path, schedule=SimpleNamespace(paths=[]))
    refresher = serving.Refresher(None, site, tmp_path / "arrived")  # type: ignore[arg-type]
    assert not refresher.changed()

    os.utime(tmp_path / "one.md", (1, 1))
    assert refresher.changed()
    refresher.look()
    assert not refresher.changed()
    (tmp_path / "one.md").unlink()
    assert refresher.changed()


def test_a_file_that_vanishes_while_it_is_looked_at_is_an_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an editor's own file beside the page that it saves: serving goes on."""
    (tmp_path / "one.md").write_text("as it was")
    site = SimpleNamespace(docs=tmp_path, schedule=SimpleNamespace(paths=[]))
    refresher = serving.Refresher(None, site, tmp_path / "arrived")  # type: ignore[arg-type]

    def unlink_first(path: Path) -> bool:
        path.unlink()
        return True

    monkeypatch.setattr(Path, "is_file", unlink_first)

    assert refresher.changed()


def start_waiting(
    site: Site, wait_until: Callable[..., None], log: Path, *rest: str, **environment: str
) -> subprocess.Popen[str]:
    """Start a run of a site whose lock is held, and wait until it has planned and waits."""
    with log.open("w") as file:
        process = site.start("measured", "run", *rest, output=file, **environment)
    wait_until(lambda: "waiting for it" in log.read_text() or process.poll() is not None, "a run")
    assert process.poll() is None, log.read_text()
    return process


@pytest.fixture
def other_python(tmp_path: Path, pretend_python: Callable[..., Path]) -> Path:
    """Make a Python of another version, to be uninstalled."""
    return pretend_python(tmp_path / "python-to-go", OTHER)


def test_an_interpreter_that_vanishes_is_one_failure(
    site: Site, wait_until: Callable[..., None], other_python: Path
) -> None:
    """Found when the run was planned, gone when its turn came: the others go on."""
    site.add("every", "import sys\nprint(sys.version)", counted=True, pythons="all")
    alone = {"MEASURED_PYTHONS": str(other_python), "PATH": "/nonexistent"}
    alone |= {"PYENV_ROOT": "/nonexistent", "UV_PYTHON_INSTALL_DIR": "/nonexistent"}
    assert site.run("measured", "run", **alone).code == 0
    assert site.runs() == {"every": 2}
    kept = site.kept()
    site.add("every-new", "print('new')", counted=True, pythons="all")
    site.add("plain", "print('plain')", counted=True)

    log = site.folder / "log.txt"
    with FileLock(site.store / "lock"):
        process = start_waiting(site, wait_until, log, **alone)
        other_python.unlink()
    site.finish(process)

    failure = f"block 'every-new' on {OTHER} was not run: {OTHER} is gone"
    assert process.returncode == 1
    assert log.read_text().count("was not run") == 1
    assert re.search(rf"^index\.md:\d+ {failure}$", log.read_text(), re.MULTILINE)
    assert "Traceback" not in log.read_text()
    assert site.runs() == {"every-new": 1, "plain": 1}
    assert set(kept) <= set(site.kept())
    after = site.build(**alone)  # by now it is one that this machine does not have
    assert after.code == 0, after.log
    assert "was not run" not in after.log
    assert site.runs() == {}


@pytest.fixture
def venv_python(tmp_path: Path) -> Path:
    """Make an interpreter that can build sites, to be uninstalled."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=POSIX)
    [packages] = folder.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})\n" for path in sys.path if "site-" in path]
    (packages / "ours.pth").write_text("".join(lines))
    return folder / "bin" / "python"


@pytest.mark.skipif(not POSIX, reason="Windows does not delete a program that runs")
def test_rounds_are_kept_when_their_interpreter_vanishes(
    site: Site, venv_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the second round and the third; it does not count as flaky once it is back."""
    go = "import os, sys\nif os.environ['MEASURED_ROUND'] == '1': os.unlink(sys.executable)\n"
    site.add("measures", go + PAIRS, counted=True, timing="on")
    real, name = venv_python.readlink(), own_interpreter().name
    monkeypatch.setattr(sys, "executable", str(venv_python))

    run = site.run("measured", "run", "--rounds", "3")

    assert run.code == 1
    assert run.log.count(f"index.md:5 block 'measures' was not run: {name} is gone") == 1
    assert "Traceback" not in run.log
    assert site.runs() == {"measures": 2}

    venv_python.symlink_to(real)
    again = site.run("measured", "run", "--rounds", "3")
    assert again.code == 0, again.log
    assert site.runs() == {"measures": 1}
    assert "3 pairs" in site.build("--strict").shown("measures")


def test_an_interpreter_that_does_not_start_is_named(tmp_path: Path) -> None:
    """With the system's reason; no run of the block is counted."""
    broken = tmp_path / "python"
    broken.write_bytes(b"\0")
    python = SimpleNamespace(
        **{
            name: getattr(own_interpreter(), name)
            for name in ("version", "prefixes", "library", "packages")
        }
    )
    python.name, python.executable = "CPython 3.99.0", str(broken)

    run = run_job(Job("print(1)", python))  # type: ignore[arg-type]

    assert re.fullmatch(r"was not run: CPython 3\.99\.0 does not start: [\w ]+", run.failure or "")
    assert str(tmp_path) not in (run.failure or "")
    assert run.started == ""


def fill_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk be full in the middle of every file that is written as text."""
    write_text = Path.write_text

    def write_half(path: Path, text: str, **options: str) -> int:
        write_text(path, text[: len(text) // 2], **options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write_half)


def test_a_full_disk_leaves_what_was_stored_and_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither half a result nor an unfinished file; then there is space again."""
    store = Store(tmp_path / "store")
    store.append("ab12", Run(output="before"))

    with monkeypatch.context() as full:
        fill_up(full)
        for append in (store.append, store.append_failure):
            with pytest.raises(StoreError, match="cannot write the store store: No space left"):
                append("ab12", Run(output="lost"))

    assert [path.suffix for path in store.folder.rglob("*") if path.is_file()] == [".json"]
    store.append("ab12", Run(output="after"))
    assert [run.output for run in store.load("ab12")] == ["before", "after"]


LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
sys.argv = ["measured", "run", "--rounds", "1"]
runpy.run_module("measured", run_name="__main__")
"""


@pytest.mark.skipif(not POSIX, reason="Windows has no limit on the size of a file")
def test_a_run_on_a_full_disk_says_so_and_the_next_goes_on(site: Site) -> None:
    """Its second result does not fit: what the block wrote itself does."""
    site.write("lib/limited.py", LIMITED)
    site.add("small", PAIRS, counted=True, timing="on")
    site.add("large", f"print('é' * 3000)\n{PAIRS}", counted=True, timing="on")

    full = site.run("lib.limited")

    assert full.code == 1
    assert "cannot write the store .measured: File too large" in full.log
    assert "Traceback" not in full.log
    assert site.runs() == {"small": 1, "large": 1}
    assert list(site.store.rglob("*.part")) == []
    assert [store_module.read(path).failure for path in site.kept()] == [None]
    after = site.run("measured", "run", "--rounds", "1")
    assert after.code == 0, after.log
    assert site.runs() == {"large": 1}


SPAN = """
import time
with open({file!r}, "a") as file:
    file.write(f"{name} {{start}} {{time.monotonic_ns()}}\\n")
"""


def test_two_runs_at_once_share_the_rounds(site: Site, wait_until: Callable[..., None]) -> None:
    """Each block has as many as asked for, and no sample was taken beside another."""
    spans, names = site.folder / "spans.txt", ["one", "two", "three"]
    for name in names:
        body = PAIRS + SPAN.format(file=str(spans), name=name)
        site.add(name, f"import time\nstart = time.monotonic_ns()\n{body}", timing="on")
    logs = [site.folder / f"log-{number}.txt" for number in range(2)]

    site.store.mkdir(exist_ok=True)
    with FileLock(site.store / "lock"):
        runs = [start_waiting(site, wait_until, log, "--rounds", "3") for log in logs]
    for run in runs:
        site.finish(run)

    told = [log.read_text() for log in logs]
    assert [run.returncode for run in runs] == [0, 0], told
    lines = [line.split() for line in spans.read_text().splitlines()]
    assert Counter(name for name, _, _ in lines) == dict.fromkeys(names, 3)
    moments = [int(moment) for _, *span in lines for moment in span]
    assert moments == sorted(moments)
    assert site.build("--strict").text().count("3 pairs") == 3


LOOPS = """
from measured import compare

def loop(steps):
    for _ in range(steps):
        pass

compare("Loops", {})
"""
LONG, SHORT = "long=lambda: loop(2_000_000)", "short=lambda: loop(2_000)"


@pytest.fixture(scope="module")
def thousandfold(make_site: Callable[[], Site]) -> tuple[Site, Build]:
    """Measure two loops of which one takes a thousand times as long, in both orders."""
    site = make_site()
    site.add("long-first", LOOPS.format(f"{LONG}, {SHORT}"), timing="on", source="none")
    site.add("short-first", LOOPS.format(f"{SHORT}, {LONG}"), timing="on", source="none")
    return site, site.build("--strict")


def test_each_of_very_unlike_arms_has_calls_enough(thousandfold: tuple[Site, Build]) -> None:
    """The short one is called so much oftener that its sample lasts as long, about."""
    site, _ = thousandfold
    found = [store_module.read(path).records[0]["arms"] for path in site.kept()]
    assert len(found) == 2
    for arms in found:
        assert 333 < arms["long"]["wall_s"] / arms["short"]["wall_s"] < 3000
        assert arms["short"]["calls"] > 100 * arms["long"]["calls"]


@pytest.mark.parametrize(
    ("name", "ratio"), [("long-first", r"\d{3,4}"), ("short-first", r"0\.00\d{1,3}")]
)
def test_very_unlike_arms_are_drawn_and_written(
    thousandfold: tuple[Site, Build], name: str, ratio: str
) -> None:
    """Both bars can be seen, each time has its unit, and the ratio has two digits."""
    _, built = thousandfold
    assert built.code == 0, built.log
    section, shown = built.section(name), built.shown(name)
    widths = re.findall(r'<rect class="measured-bar[^>]* width="([^"]+)"', section)
    assert sorted(widths) == ["100.00%", "2"]
    assert re.search(rf"{ratio} \(no interval yet\)", shown), shown
    assert re.search(r"\d+(\.\d+)? ms", shown)
    assert re.search(r"\d+(\.\d+)? µs", shown)


def test_a_bar_of_no_length_is_seen() -> None:
    """It has two pixels, and no style attribute, which a strict policy would refuse."""
    drawn = bars("n", "t", [Bar("a", "", 1.0), Bar("b", "", 1e-9)])
    assert re.findall(r'<rect[^>]* width="([^"]+)"', drawn) == ["100.00%", "2"]
    assert "style=" not in drawn


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (Estimate(0.000987, 0.000951, 0.001021, 15), "0.000987 (0.000951 to 0.001021)"),
        (Estimate(0.000987, 0.000987, 0.000987, 15), "0.000987 (0.000987 to 0.000987)"),
        (Estimate(1012.7, 985.1, 1043.2, 15), "1013 (985 to 1043)"),
        (Estimate(0.48123, 0.47987, 0.48298, 15), "0.481 (0.480 to 0.483)"),
    ],
)
def test_a_ratio_far_from_one_keeps_its_digits(ratio: Estimate, text: str) -> None:
    """No arm takes "0.001 (0.001 to 0.001)" times as long."""
    assert wording.number(ratio) == text


MARK = """
import os, pathlib, time
here = "{name} " + os.environ["MEASURED_ROUND"]
print(here, file=open(os.environ["COUNT_RUNS"], "a"))
"""
WAIT = """
if here == "b 1":
    pathlib.Path(os.environ["GATE"] + ".pid").write_text(str(os.getpid()))
    while not pathlib.Path(os.environ["GATE"]).exists():
        time.sleep(0.01)
"""


@pytest.mark.skipif(not POSIX, reason="Windows has no signals to send to a run")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_run_that_is_ended_in_a_round_loses_that_round_only(
    site: Site, wait_until: Callable[..., None], runs_still: Callable[[int], bool], number: str
) -> None:
    """The next one goes on from there; the block is ended, or ends by itself after a kill."""
    gate, told = site.folder / "gate", site.folder / "gate.pid"
    site.add("a", MARK.format(name="a") + PAIRS, timing="on")
    site.add("b", MARK.format(name="b") + WAIT + PAIRS, timing="on")

    run = site.start("measured", "run", "--rounds", "2", GATE=str(gate))
    try:
        wait_until(lambda: told.exists() and told.read_text(), "the second round")
        block = int(told.read_text())
        run.send_signal(signal.Signals[number])
    finally:
        ended = site.finish(run, 15)
    assert ended.code == (130 if number == "SIGINT" else -signal.Signals[number])
    assert "Traceback" not in ended.log
    if number == "SIGINT":
        assert not runs_still(block)
    gate.touch()
    wait_until(lambda: not runs_still(block), "the block to end")
    assert site.runs() == {"a 0": 1, "b 0": 1, "a 1": 1, "b 1": 1}

    after = site.run("measured", "run", "--rounds", "2", GATE=str(gate))
    assert after.code == 0, after.log
    assert site.runs() == {"b 1": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process")
def test_a_build_in_the_background_lets_blocks_be_interrupted(site: Site) -> None:
    """A shell lets its background jobs ignore Ctrl-C; a block that sends it to itself does not."""
    code = """
    import os, signal
    try:
        os.kill(os.getpid(), signal.SIGINT)
        print("it goes on")
    except KeyboardInterrupt:
        print("it was interrupted")
    """
    site.add("interrupts", code)

    built = subprocess.run(
        ["/bin/sh", "-c", "trap '' INT; exec \"$0\" -m mkdocs build --strict", sys.executable],
        cwd=site.folder,
        env=site.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert built.returncode == 0, built.stderr
    page = (site.folder / "site" / "index.html").read_text(encoding="utf-8")
    assert "<code>it was interrupted</code>" in page
