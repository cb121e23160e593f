"""Which Pythons are found, which are named as absent, and what stands on a page for each."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from measured import interpreters
from measured.blocks import Block, key_of
from measured.interpreters import absent_builds, find_interpreters
from measured.machine import describe_interpreter, describe_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.measured.conftest import Site

OWN = replace(describe_interpreter(), name="CPython 3.11.7", version=(3, 11, 7), gil=True)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Give the one folder on PATH, for a Python 3.11.7 that has no others beside it."""
    monkeypatch.setattr(interpreters, "own_interpreter", lambda: OWN)
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("MEASURED_PYTHONS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    find_interpreters.cache_clear()
    interpreters.ask.cache_clear()
    yield tmp_path / "bin"
    find_interpreters.cache_clear()


@pytest.fixture
def pretend(alone: Path, pretend_python: Callable[..., Path]) -> Callable[..., Path]:
    """Give a function that puts a program on PATH that says it is some Python."""
    alone.mkdir()

    def pretend(program: str, name: str, code: str = "", folder: Path = alone) -> Path:
        return pretend_python(folder / program, name, code)

    return pretend


def names() -> list[str]:
    """List the names of the interpreters found, without the one of the tests."""
    return [one.name for one in find_interpreters() if one != OWN]


@pytest.mark.usefixtures("alone")
def test_the_interpreter_of_the_build_is_found_without_looking() -> None:
    """Although nothing is on PATH; the others are named as absent."""
    assert find_interpreters() == [OWN]
    assert absent_builds() == "CPython 3.12, 3.13, 3.14, 3.15; free-threaded 3.13, 3.14, 3.15"


@pytest.mark.usefixtures("alone")
def test_what_is_named_and_is_no_python_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever names an interpreter wants it; a strict build fails on the warning."""
    monkeypatch.setenv("MEASURED_PYTHONS", "/nowhere/python3.99")

    assert names() == []
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "/nowhere/python3.99 is no Python 3.11 or newer" in record.message


@pytest.mark.parametrize("free", [0, 1])
def test_a_block_begins_as_its_interpreter_was_built(
    monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    """Although something that a build imports has enabled the GIL of a free-threaded one."""
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: free)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)

    assert interpreters.own_interpreter.__wrapped__().gil is not bool(free)


def test_a_free_threaded_build_is_told_from_the_default_one(pretend: Callable[..., Path]) -> None:
    """Of the same version; PyPy and GraalPy stand below the builds of CPython."""
    pretend("python3.15t", "CPython 3.15.2 free-threaded")
    pretend("python3.15", "CPython 3.15.2")
    pretend("pypy3.11", "PyPy 3.11.13")
    pretend("graalpy", "GraalVM 3.12.8")

    assert names() == [
        "CPython 3.15.2",
        "CPython 3.15.2 free-threaded",
        "PyPy 3.11.13",
        "GraalVM 3.12.8",
    ]
    assert [one.gil for one in find_interpreters() if "3.15.2" in one.name] == [True, False]


def test_each_build_is_found_once(
    pretend: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first that starts, wherever it stands; one that was named is taken beside it."""
    later, named = tmp_path / "later", tmp_path / "named"
    later.mkdir()
    named.mkdir()
    shim = pretend("python3.15", "CPython 3.15.1")
    shim.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    pretend("python3.15", "CPython 3.15.2", folder=later)
    pretend("python3.14", "CPython 3.14.2")
    pretend("python3.14", "CPython 3.14.3", folder=later)
    pretend("python3.10", "CPython 3.10.0")
    asked = pretend("python", "CPython 3.14.9", folder=named)
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{later}")
    assert names() == ["CPython 3.14.2", "CPython 3.15.2"]

    find_interpreters.cache_clear()
    monkeypatch.setenv("MEASURED_PYTHONS", str(asked))
    assert names() == ["CPython 3.14.9", "CPython 3.15.2"]


def test_builds_that_are_not_here_are_named(pretend: Callable[..., Path]) -> None:
    """A free-threaded build is not the default one of its version, and PyPy is no CPython."""
    pretend("python3.12", "CPython 3.12.9")
    pretend("python3.14t", "CPython 3.14.2 free-threaded")
    pretend("pypy3", "PyPy 3.13.1")
    assert names()[-1] == "PyPy 3.13.1"
    assert absent_builds() == "CPython 3.13, 3.14, 3.15; free-threaded 3.13, 3.15"

    for version in ("3.13", "3.14", "3.15"):
        pretend(f"python{version}", f"CPython {version}.0")
        pretend(f"python{version}t", f"CPython {version}.0 free-threaded")
    find_interpreters.cache_clear()
    interpreters.ask.cache_clear()
    assert absent_builds() == ""


def test_a_free_threaded_build_says_so_and_has_results_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its name, with the GIL switched on as well."""
    kinds = []
    for disabled in (None, 0, 1):
        monkeypatch.setattr("sysconfig.get_config_var", lambda _, answer=disabled: answer)
        kinds.append(describe_interpreter())

    assert [one.name.endswith(" free-threaded") for one in kinds] == [False, False, True]
    block = Block("page.md", 1, "block", "print(1)", everywhere=True)
    keys = {key_of(block, one, describe_machine(), "", ()) for one in kinds}
    assert len(keys) == 2


def test_each_python_is_a_row_and_a_failure_is_one_too(
    site: Site, pretend: Callable[..., Path]
) -> None:
    """PyPy's output beside CPython's; how a free-threaded build failed, on the page and told."""
    site.add("everywhere", "print('printed', 'text')", pythons="all", source="none")
    pypy = pretend("pypy3", "PyPy 3.11.13")
    fails = pretend("python3.15t", "CPython 3.15.99 free-threaded", "echo 'no <luck>' >&2; exit 3")

    built = site.build("--strict", MEASURED_PYTHONS=f"{pypy}{os.pathsep}{fails}")

    rows = re.findall(
        r"<tr><th scope=row>(.*?)</th><td>(.*?)</td></tr>", built.section("everywhere"), re.DOTALL
    )
    assert [name for name, _ in rows] == [
        describe_interpreter().name,
        "CPython 3.15.99 free-threaded",
        "PyPy 3.11.13",
    ]
    assert ["printed text" in shown for _, shown in rows] == [True, False, True]
    assert "ended with exit code 3" in rows[1][1]
    assert "no &lt;luck&gt;" in rows[1][1]
    assert "Not on this machine: CPython 3.1" in built.shown("everywhere")
    assert built.code == 1
    assert (
        "block 'everywhere' on CPython 3.15.99 free-threaded ended with exit code 3\nno <luck>"
        in built.error_of("everywhere")
    )


def test_pictures_of_several_pythons_can_be_told_apart(
    site: Site, pretend: Callable[..., Path]
) -> None:
    """Each figure has ids of its own."""
    code = "from measured import timeline\nwith timeline('Lanes') as lanes:\n    lanes.mark('here')"
    site.add("lanes", code, pythons="all", source="none")

    built = site.build("--strict", MEASURED_PYTHONS=str(pretend("pypy3", "PyPy 3.11.13")))

    ids = re.findall(r'\bid="([^"]+)"', built.section("lanes"))
    assert built.section("lanes").count("<figure") == 2
    assert len(ids) == len(set(ids))
