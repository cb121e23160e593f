"""What `make bench-library` concludes from what it found."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from measured.runs import Run

FOLDER = Path(__file__).parents[1] / "tools" / "bench_library"
OVER = {"running": 0, "afterwards": 0, "begun": 30}


def load(name: str) -> ModuleType:
    """Load a module of the command, whose folder is on no path here."""
    spec = importlib.util.spec_from_file_location(f"bench_library_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


findings = load("findings")
TASK = {
    "module": "thread_ways",
    "name": "task",
    "title": "A task",
    "items": 10,
    "ways": ["ours", "peer"],
    "ours": [True, False],
    "measures": ["cost", "ahead"],
}


def cost(cpu_s: float) -> dict[str, float]:
    """Make the record of a cost."""
    return {"cpu_s": cpu_s, "wall_s": cpu_s}


def example(**peers: dict[str, object]) -> object:
    """Find out about ours, which holds its input back, and about peers."""
    ours = {"ahead": {"ahead": 100}, "leaving": OVER}
    counted = dict(enumerate([ours, *peers.values()]))
    ways = ["ours", *peers]
    return findings.Findings("A task", 10, ways, [way == "ours" for way in ways], counted=counted)


def test_the_cheapest_is_sought_among_those_that_do_as_much() -> None:
    """A way that pulls in everything may be cheaper, and is not what ours is held against."""
    found = example(
        greedy={"ahead": {"ahead": 5_000}, "leaving": OVER},
        alike={"ahead": {"ahead": 10}, "leaving": OVER},
        dear={"ahead": {"ahead": 10}, "leaving": OVER},
    )
    found.costs = {1: [(cost(2), cost(1))], 2: [(cost(2), cost(4))], 3: [(cost(2), cost(8))]}
    assert found.cheapest(alike=True) == 2
    assert found.cheapest(alike=False) == 1
    assert found.lacks(1) == "input held back"
    assert found.lacks(2) == "nothing"


def test_none_is_alike_if_all_lack_something() -> None:
    """Calls that run on after the loop was left are a lack."""
    found = example(leaky={"ahead": {"ahead": 10}, "leaving": OVER | {"afterwards": 1}})
    found.costs = {1: [(cost(2), cost(1))]}
    assert found.cheapest(alike=True) is None
    assert found.lacks(1) == "nothing runs after leaving"
    assert found.summary()[2] == "none was seen"


def test_what_could_not_be_done_guarantees_nothing() -> None:
    """A way that takes no generator, or hangs, kept no promise."""
    found = example(picky={"ahead": {"error": "TypeError"}, "leaving": {"error": "hangs"}})
    assert found.guarantees(1) == set()


def test_a_ratio_is_of_pairs() -> None:
    """The median of ratios, not the ratio of medians."""
    found = example(peer={})
    found.costs = {1: [(cost(1), cost(2)), (cost(10), cost(20)), (cost(4), cost(2))]}
    assert found.ratio(1, "cpu_s").median == 2


def test_a_plate_has_the_day_of_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one, whenever the record is written."""
    monkeypatch.syspath_prepend(FOLDER)
    command = load("__main__")

    def known(series: tuple[SimpleNamespace, ...]) -> list[Run]:
        day = 2 if series[-1].measure == "ahead" else 1
        records = [cost(1) | {"pressure": 0.0, "ahead": 3}] * len(series)
        return [Run(records=records, started=f"2026-01-0{day}T23:00:00+00:00")]

    bench = SimpleNamespace(known=known, python=SimpleNamespace(name="CPython 3.15.0"))
    plate = command.plate(bench, [command.findings_of(bench, TASK)])
    assert plate.endswith(" · pairs: 1 · 10 calls each · CPU pressure 0.00 · 2026-01-02")


def test_a_pair_is_kept_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run stopped between the two keeps neither; every other time ours is last."""
    monkeypatch.syspath_prepend(FOLDER)
    command = load("__main__")
    ((ours, peer),) = command.pairs(TASK)
    taken, kept = [], []

    def take(series: object) -> Run:
        taken.append(series)
        return Run(records=[{"place": series.place}], started=f"{len(taken)}")

    bench = SimpleNamespace(take=take, keep=lambda series, run: kept.append((series, run)))
    progress = SimpleNamespace(begins=lambda _: None, done=lambda _: None)
    for number in range(2):
        command.take(bench, (ours, peer), number, progress)
    assert taken == [ours, peer, peer, ours]
    assert [series for series, _ in kept] == [(ours, peer)] * 2
    assert [run.records for _, run in kept] == [[{"place": 0}, {"place": 1}]] * 2


def test_the_worst_of_what_was_seen_is_told() -> None:
    """One run in which calls ran on is enough; of overlaps it is the middle."""
    assert findings.worst([OVER, OVER | {"running": 2}, OVER])["running"] == 2
    assert findings.worst([{"ahead": 7}, {"ahead": 9}])["ahead"] == 9
    assert findings.worst([{"good": 9, "of": 9}, {"good": 0, "of": 9}])["good"] == 0
    assert findings.worst([{"ahead": 7}, {"error": "hangs"}]) == {"error": "hangs"}
    assert findings.worst([{"overlap": one} for one in (0.5, 0.9, 1)])["overlap"].median == 0.9


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Load the journal in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    module = load("journal")
    yield module
    os.close(module.opened())


def test_a_journal_tells_how_far_ahead_and_how_many_at_once(journal: ModuleType) -> None:
    """Three pulled before one is taken, two at once, one of which never ends."""
    for mark in "ppbbeptb":
        journal.note(mark)
    seen = journal.read()
    assert (seen.pulled, seen.taken, seen.begun) == (3, 1, 3)
    assert (seen.running, seen.most_running, seen.most_ahead) == (2, 2, 3)
    assert seen.most_waiting == 2


def test_calls_of_a_dead_process_do_not_run(journal: ModuleType) -> None:
    """A worker that was killed could not write that its call ended."""
    journal.opened()
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait(60)
    journal.FILE.write_text(f"b {os.getpid()}\nb {ended.pid}\n", encoding="ascii")
    assert journal.read().running == 1
