"""The store survives what happens to files and to builds."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from measured import store as store_module
from measured.runner import Run
from measured.store import FORMAT, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.measured.conftest import Build, Site

BLOCKS = [f"block-{number}" for number in range(6)]
UNSTEADY = "import os, time\nprint(os.getpid(), time.time_ns(), os.urandom(8).hex())"


def rewrite(text: str, version: str) -> str:
    """Write a result as another version would: its own header, and its own fields."""
    payload = text.partition("\n")[2].replace('"failure"', '"renamed"')
    return f"{version} {store_module.digest(payload.rstrip())}\n{payload}"


DAMAGES = {
    "empty": lambda _: "",
    "cut in the header": lambda text: text[:20],
    "cut after the header": lambda text: text.partition("\n")[0] + "\n",
    "cut short": lambda text: text[: len(text) // 2],
    "one byte short": lambda text: text.rstrip("\n")[:-1],
    "garbage": lambda _: "\x00\x7f garbage \n\n",
    "not its checksum": lambda text: text.replace('"wall_s"', '"wall_z"'),
    "a later version": lambda text: rewrite(text, "measured 99"),
    "an earlier version": lambda text: rewrite(text, "measured 0"),
    "other fields": lambda text: rewrite(text, FORMAT),
    "no object": lambda _: f"{FORMAT} {store_module.digest('[]')}\n[]\n",
    "blank": lambda text: " " * len(text),
}


@dataclass(frozen=True)
class Damaged:
    """A site whose results were damaged, each in another way, and then built twice."""

    site: Site
    gone: set[str]
    built: Build
    runs: dict[str, int]
    again: Build
    runs_again: dict[str, int]


@pytest.fixture(scope="module")
def damaged(make_site: Callable[[], Site]) -> Damaged:
    """Build a site, damage all its results but one, and build it again, and again."""
    site, sound = make_site(), "sound"
    for damage in [*DAMAGES, sound]:
        name = damage.replace(" ", "-")
        site.add(name, f"print('{name}')\n{UNSTEADY}", counted=True)
    first = site.build("--strict")
    assert first.code == 0, first.log
    assert sum(site.runs().values()) == len(DAMAGES) + 1
    files = {store_module.read(path).output.split()[0]: path for path in site.kept()}
    for damage, spoil in DAMAGES.items():
        path = files[damage.replace(" ", "-")]
        path.write_text(spoil(path.read_text(encoding="utf-8")), encoding="utf-8")
    built, runs = site.build("--strict"), site.runs()
    gone = {name for name, path in files.items() if not path.exists()}
    return Damaged(site, gone, built, runs, site.build("--strict"), site.runs())


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_dropped_and_measured_anew(damaged: Damaged, damage: str) -> None:
    """Its file is gone, its block ran once, and the page shows what it gave."""
    name = damage.replace(" ", "-")
    assert name in damaged.gone
    assert damaged.runs.get(name) == 1
    assert damaged.built.output(name).startswith(name)


def test_each_damaged_result_is_one_line_and_no_failure(damaged: Damaged) -> None:
    """A strict build passes: nothing is lost that cannot be had again."""
    log = damaged.built.log
    assert damaged.built.code == 0, log
    assert len(re.findall(r"measured: dropped .*\n", log)) == len(DAMAGES), log
    assert "Traceback" not in log


def test_sound_results_beside_damaged_ones_stay(damaged: Damaged) -> None:
    """And the build after that runs nothing, and shows the same."""
    assert "sound" not in damaged.gone
    assert "sound" not in damaged.runs
    assert "dropped" not in damaged.again.log
    assert damaged.runs_again == {}
    assert damaged.again.text() == damaged.built.text()
    assert len(damaged.site.kept()) == len(DAMAGES) + 1


def test_bytes_that_are_no_text_are_dropped_too(tmp_path: Path) -> None:
    """Such as a block of a disk that was never written."""
    store = Store(tmp_path / "store")
    store.append("ab12", Run(output="x"))
    file = next((tmp_path / "store").rglob("*.json"))
    file.write_bytes(bytes(range(256)) * 9)

    assert store.load("ab12") == []
    assert not file.exists()


def test_results_come_back_as_they_were_put_in_and_in_order(tmp_path: Path) -> None:
    """Rounds stay in the order in which they were measured."""
    store = Store(tmp_path / "store")
    runs = [Run(output=f"é {number} \u2028\n", records=[{"kind": "x"}]) for number in range(20)]
    for run in runs:
        store.append("ab12", run)

    assert store.load("ab12") == runs
    assert store.load("ab34") == []


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    """Rounds appended at the same moment all stay."""
    store, together = Store(tmp_path / "store"), threading.Barrier(8)

    def write(number: int) -> None:
        together.wait(10)
        for turn in range(10):
            store.append("ab12", Run(output=f"{number} {turn}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    expected = {f"{number} {turn}" for number in range(8) for turn in range(10)}
    assert {run.output for run in store.load("ab12")} == expected


def moments(site: Site, log: Path) -> list[Callable[[], bool]]:
    """List twenty moments of a cold build, by what it has done so far."""

    def begun(count: int) -> Callable[[], bool]:
        runs = site.folder / "runs.txt"
        return lambda: runs.exists() and runs.read_text().count("\n") >= count

    def told(count: int) -> Callable[[], bool]:
        return lambda: log.read_text().count("measured: ") >= count

    def kept(count: int) -> Callable[[], bool]:
        return lambda: sum(1 for _ in site.store.rglob("*-*.*")) >= count

    count = len(BLOCKS)
    return [
        site.store.exists,
        (site.store / "lock").exists,
        *(begun(number) for number in range(1, count + 1)),
        *(kept(number) for number in range(1, count + 1)),
        *(told(number) for number in range(1, count + 1)),
    ]


@pytest.mark.parametrize("number", range(20))
def test_a_build_killed_at_any_moment_leaves_a_store_for_the_next(
    site: Site, wait_until: Callable[..., None], number: int
) -> None:
    """Nothing is damaged, what was kept is used, and what was not is run."""
    for name in BLOCKS:
        site.add(name, UNSTEADY, counted=True)
    log = site.folder / "log.txt"
    with log.open("w") as file:
        process = site.start("mkdocs", "build", output=file)
    try:
        moment = moments(site, log)[number]
        wait_until(lambda: moment() or process.poll() is not None, f"moment {number}")
    finally:
        process.kill()
        process.wait()
    kept = len(site.kept())
    for path in site.kept():
        store_module.read(path)
    site.runs_file = site.folder / "runs_of_the_next.txt"  # a block may have outlived its build

    built = site.build("--strict")

    assert built.code == 0, built.log
    assert "dropped" not in built.log
    assert sum(site.runs().values()) == len(BLOCKS) - kept
    assert len(site.kept()) == len(BLOCKS)
    for name in BLOCKS:
        assert built.output(name)


def pages_of(site: Site, folder: str, build: Callable[..., Build]) -> str:
    """Give the text of the page that was built into a folder."""
    return build(0, "", site.folder / folder).text()


def test_two_cold_builds_at_once_give_the_same_pages(
    site: Site, build_type: Callable[..., Build]
) -> None:
    """Each block runs once, and both builds show what it gave, though no run is like another."""
    for name in BLOCKS:
        site.add(name, UNSTEADY, counted=True)
    site.add("timed", UNSTEADY + "\nfrom measured import compare", counted=True, timing="on")

    builds = [site.start("mkdocs", "build", "--strict", "-d", name) for name in ("one", "two")]
    logs = [site.finish(build).log for build in builds]

    assert [build.returncode for build in builds] == [0, 0], logs
    assert site.runs() == dict.fromkeys([*BLOCKS, "timed"], 1)
    assert pages_of(site, "one", build_type) == pages_of(site, "two", build_type)


def test_a_second_build_waits_for_the_first_and_says_so(
    site: Site, build_type: Callable[..., Build], wait_until: Callable[..., None]
) -> None:
    """The first stands in the middle of a block when the second begins."""
    gate, log = site.folder / "gate", site.folder / "second.txt"
    wait = "import pathlib, time\nwhile not pathlib.Path(os.environ['GATE']).exists():\n"
    site.add("gate", wait + "    time.sleep(0.01)\n" + UNSTEADY, counted=True)

    first = site.start("mkdocs", "build", "--strict", "-d", "one", GATE=str(gate))
    with log.open("w") as file:
        second = None
        try:
            wait_until((site.folder / "runs.txt").exists, "the block")
            second = site.start(
                "mkdocs", "build", "--strict", "-d", "two", output=file, GATE=str(gate)
            )
            wait_until(lambda: "waiting for it" in log.read_text(), "the second build to wait")
        finally:
            gate.touch()
            first_log = site.finish(first).log
            if second is not None:
                site.finish(second)

    assert first.returncode == second.returncode == 0, first_log + log.read_text()
    assert site.runs() == {"gate": 1}
    assert pages_of(site, "one", build_type) == pages_of(site, "two", build_type)


def test_a_store_that_cannot_be_written_is_a_clear_error(site: Site) -> None:
    """A plain build goes on with a notice, a strict one fails; nobody sees a traceback."""
    site.add("one", "print(1)")
    site.add("two", "print(2)", page="other")
    site.store.rename(site.folder / "before")
    site.write(".measured", "a file, where the store's folder should be\n")

    plain = site.build()
    strict = site.build("--strict")
    by_hand = site.run("measured", "run")

    assert plain.code == 0
    assert strict.code != 0
    assert by_hand.code == 1
    for build in (plain, strict, by_hand):
        assert "cannot write the store .measured: " in build.log
        assert "Traceback" not in build.log
        assert str(site.folder) not in "".join(build.errors)
    assert len(plain.errors) == 1, "one store, one error"
    assert "cannot write the store" in plain.notice("one")
    assert "cannot write the store" in plain.notice("two", "other")
    assert site.store.read_text().startswith("a file")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind this user"
)
def test_a_folder_without_rights_is_a_clear_error(site: Site) -> None:
    """The same for a folder that may not be written."""
    site.add("one", "print(1)")
    site.store.mkdir()
    site.store.chmod(0o500)

    built = site.build("--strict")

    assert built.code != 0
    assert "cannot write the store .measured: " in built.log


def test_a_store_that_is_full_is_a_clear_error(tmp_path: Path) -> None:
    """What cannot be written is not half written."""
    (tmp_path / "ab").write_text("a file, where a folder should be")

    with pytest.raises(StoreError, match="cannot write the store"):
        Store(tmp_path).append("ab12", Run())
    assert [path.name for path in tmp_path.iterdir()] == ["ab"]


def test_the_header_says_version_and_checksum(tmp_path: Path) -> None:
    """So that a reader of another version can tell before it reads on."""
    Store(tmp_path).append("ab12", Run(output="x"))
    header, payload = next(tmp_path.rglob("*.json")).read_text(encoding="utf-8").split("\n", 1)

    assert re.fullmatch(rf"{FORMAT} [0-9a-f]{{64}}", header)
    assert json.loads(payload)["output"] == "x"
