"""Which blocks run again, and which do not: counted, never timed."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from measured.blocks import Block, key_of, local_modules
from measured.interpreters import own_interpreter
from measured.machine import describe_machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.measured.conftest import Site

PACKAGE = {
    "own/__init__.py": "",
    "own/bottom.py": "VALUE = 1\n",
    "own/middle.py": "from .bottom import VALUE\n",
    "own/top.py": "from own import middle\nVALUE = middle.VALUE\n",
    "own/aside.py": "VALUE = 3\n",
    "own/tool.py": "print('a tool')\n",
    "own/shell.py": "print('a tool for the shell')\n",
    "own/late.py": "VALUE = 4\n",
    "own/deep/__init__.py": "from .leaf import VALUE\n",
    "own/deep/leaf.py": "VALUE = 5\n",
    "plain.py": "VALUE = 6\n",
    "shown.py": "print('shown')\n",
}
BLOCKS = {
    "nothing": "print('nothing of ours')",
    "direct": "from own.bottom import VALUE\nprint(VALUE)",
    "through-one": "import own.middle as m\nprint(m.VALUE)",
    "through-two": "from own.top import VALUE\nprint(VALUE)",
    "aside": "from own import aside\nprint(aside.VALUE)",
    "tool": "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'own.tool'])",
    "shell": "import subprocess, sys\n"
    "subprocess.run(f'{sys.executable} -m own.shell', shell=True, check=True)",
    "late": "def f():\n    from own.late import VALUE\n    return VALUE\nprint(f())",
    "named": "import importlib\nprint(importlib.import_module('own.late').VALUE)",
    "deep": "import own.deep\nprint(own.deep.VALUE)",
    "plain": "import plain\nprint(plain.VALUE)",
    "pasted": '--8<-- "shown.py"',
    "maybe": "try:\n    from own import extra\nexcept ImportError:\n    extra = None\nprint(extra)",
}
TIMED = "from measured import compare\nprint('timed')"
OWN = {"direct", "through-one", "through-two", "aside", "tool", "shell", "late", "named", "deep"}
OWN |= {"maybe"}
ALONE = {"PATH": "/nonexistent", "PYENV_ROOT": "/nonexistent", "UV_PYTHON_INSTALL_DIR": "/none"}


@pytest.fixture(scope="module")
def known(make_site: Callable[[], Site]) -> Site:
    """Build a site of blocks that import this and that, once; all is known then."""
    site = make_site()
    for path, text in PACKAGE.items():
        site.write(f"lib/{path}", text)
    for number, (name, code) in enumerate(BLOCKS.items()):
        site.add(name, code, page=f"page{number % 3}", counted=True)
    site.add("timed", TIMED, counted=True, timing="on")
    site.write("requirements.lock", "one==1\n")
    built = site.build("--strict")
    assert built.code == 0, built.log
    assert site.runs() == dict.fromkeys([*BLOCKS, "timed"], 1)
    return site


@pytest.fixture
def again(known: Site, tmp_path: Path) -> Site:
    """Copy that site and its store, for one test to change."""
    return known.copy(tmp_path / "again")


def runs_of_build(site: Site, **environment: str) -> set[str]:
    """Build and give the names of the blocks that ran, each once."""
    built = site.build("--strict", **environment)
    assert built.code == 0, built.log
    runs = site.runs()
    assert set(runs.values()) <= {1}
    return set(runs)


def test_an_unchanged_build_runs_nothing(again: Site) -> None:
    """Nor does it in another folder: the site may be moved, or restored from a cache."""
    assert runs_of_build(again) == set()


def test_edited_prose_runs_nothing(again: Site) -> None:
    """Text around the blocks, lines above them, and another place for the source."""
    page = again.folder / "docs" / "page0.md"
    page.write_text("---\ntitle: new\n---\n\nMore.\n\n" + page.read_text() + "\nAnd more.\n")
    again.edit("docs/page1.md", 'id="direct"', 'id="direct" source="none"')
    again.write("docs/new.md", "# New\n")

    assert runs_of_build(again) == set()


def test_an_edited_block_runs_alone(again: Site) -> None:
    """One character of one block."""
    again.edit("docs/page0.md", "print('nothing of ours')", "print('nothing of ourz')")

    assert runs_of_build(again) == {"nothing"}


def test_a_block_that_is_meant_to_fail_from_now_on_runs_again(again: Site) -> None:
    """What a fence promises is part of what its result depends on."""
    again.edit("docs/page0.md", 'id="nothing"', 'id="nothing" fails="ValueError"')

    built = again.build("--strict")

    assert built.code != 0
    assert again.runs() == {"nothing": 1}


@pytest.mark.parametrize(
    ("path", "concerned"),
    [
        ("own/bottom.py", {"direct", "through-one", "through-two"}),
        ("own/middle.py", {"through-one", "through-two"}),
        ("own/top.py", {"through-two"}),
        ("own/aside.py", {"aside"}),
        ("own/tool.py", {"tool"}),
        ("own/shell.py", {"shell"}),
        ("own/late.py", {"late", "named"}),
        ("own/deep/leaf.py", {"deep"}),
        ("own/__init__.py", OWN),
        ("plain.py", {"plain"}),
        ("shown.py", {"pasted"}),
    ],
)
def test_an_edited_module_runs_what_imports_it(again: Site, path: str, concerned: set[str]) -> None:
    """Directly, through others, relatively, in a function, by name, or by `python -m`."""
    with (again.folder / "lib" / path).open("a", encoding="utf-8") as file:
        file.write("# edited\n")

    assert runs_of_build(again) == concerned


def test_a_module_that_appears_runs_what_tried_to_import_it(again: Site) -> None:
    """The block had done without it."""
    again.write("lib/own/extra.py", "")

    assert runs_of_build(again) == {"maybe"}


def test_a_module_that_is_edited_back_is_known(again: Site) -> None:
    """Results are kept by content: going back costs nothing."""
    again.write("lib/plain.py", "VALUE = 7\n")
    assert runs_of_build(again) == {"plain"}
    again.write("lib/plain.py", PACKAGE["plain.py"])

    assert runs_of_build(again) == set()


def test_another_lock_file_runs_all(again: Site) -> None:
    """Any result may depend on what is installed."""
    again.write("requirements.lock", "one==2\n")

    assert runs_of_build(again) == {*BLOCKS, "timed"}


def test_another_hash_seed_runs_nothing(again: Site) -> None:
    """The order of a set is in no key."""
    assert runs_of_build(again, PYTHONHASHSEED="1") == set()
    assert runs_of_build(again, PYTHONHASHSEED="2") == set()


def test_another_locale_and_zone_run_nothing(again: Site) -> None:
    """Who builds is not what a result depends on."""
    assert runs_of_build(again, TZ="Asia/Tokyo", LC_ALL="C", LANG="C") == set()


def test_another_interpreter_runs_what_is_for_every_python(
    site: Site, pretend_python: Callable[..., Path]
) -> None:
    """What the first interpreter gave stays."""
    other = pretend_python(site.folder / "other", "CPython 3.99.0", "export SAYS=another")
    code = "import os\nprint(os.environ.get('SAYS', 'own'))"
    site.add("everywhere", code, counted=True, pythons="all", source="none")
    site.add("here", code, counted=True)
    home = {"MEASURED_PYTHONS": "", **ALONE}

    alone = site.build("--strict", **home)
    assert alone.code == 0, alone.log
    assert site.runs() == {"everywhere": 1, "here": 1}
    assert alone.output("everywhere") == "own"
    both = site.build("--strict", **home | {"MEASURED_PYTHONS": str(other)})

    assert both.code == 0, both.log
    assert site.runs() == {"everywhere": 1}
    assert sorted(both.outputs("everywhere")) == ["another", "own"]


def test_equal_blocks_run_once(site: Site) -> None:
    """Wherever they stand; each shows the result, and each is named if they fail."""
    for page in ("one", "two"):
        site.add(f"good-{page}", "import os\nprint(os.urandom(8).hex())", page=page)
        site.add(f"bad-{page}", "raise ValueError(1)", page=page)

    built = site.build()

    assert len(re.findall(r"^measured: \d of 2,", built.log, re.MULTILINE)) == 2
    assert built.output("good-one", "one") == built.output("good-two", "two")
    for page in ("one", "two"):
        assert f"{page}.md:" in built.error_of(f"bad-{page}")


def block(source: str = "print(1)", **more: object) -> Block:
    """Make a block."""
    return Block("index.md", 1, "one", source, **more)  # type: ignore[arg-type]


def test_a_key_depends_on_what_a_result_depends_on(tmp_path: Path) -> None:
    """Each of these alone gives another key."""
    own, machine = own_interpreter(), describe_machine()
    keys = [
        key_of(block(), own, machine, "lock", [tmp_path]),
        key_of(block("print(2)"), own, machine, "lock", [tmp_path]),
        key_of(block(timing=True), own, machine, "lock", [tmp_path]),
        key_of(block(fails="ValueError"), own, machine, "lock", [tmp_path]),
        key_of(block(), replace(own, name="PyPy 3.11.0"), machine, "lock", [tmp_path]),
        key_of(block(), replace(own, build="another"), machine, "lock", [tmp_path]),
        key_of(block(), own, replace(machine, processor="another"), "lock", [tmp_path]),
        key_of(block(), own, replace(machine, system="another"), "lock", [tmp_path]),
        key_of(block(), own, replace(machine, cores=machine.cores + 1), "lock", [tmp_path]),
        key_of(block(), own, machine, "another", [tmp_path]),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_of_a_block_that_measures_depends_on_the_control(tmp_path: Path) -> None:
    """Rounds of another control are not taken beside its own; an ordinary block has none."""
    module = tmp_path / "measured" / "control.py"
    module.parent.mkdir()

    def keys() -> list[str]:
        blocks = [Block("p", 1, "x", "print(1)", timing=timing) for timing in (True, False)]
        where = own_interpreter(), describe_machine(), "", [tmp_path]
        return [key_of(block, *where) for block in blocks]

    module.write_text("ONE = 1\n", encoding="utf-8")
    before = keys()
    module.write_text("SEVERAL = 12\n", encoding="utf-8")

    assert [one == other for one, other in zip(before, keys(), strict=True)] == [False, True]


def test_a_key_does_not_depend_on_where_things_stand(tmp_path: Path) -> None:
    """Neither page nor line, nor the folders of interpreter and sources."""
    own, machine = own_interpreter(), describe_machine()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.py").write_text("x = 1\n")
    here = key_of(block("import part"), own, machine, "", [tmp_path / "a"])
    moved = replace(block("import part"), page="other.md", line=9, name="two", timeout_s=1)
    python = replace(own, executable="/elsewhere/python", library="/elsewhere", packages="/else")

    assert key_of(moved, python, machine, "", [tmp_path / "b"]) == here


def test_modules_that_import_one_another_are_found_once(tmp_path: Path) -> None:
    """A circle comes to its end."""
    (tmp_path / "one.py").write_text("import two\n")
    (tmp_path / "two.py").write_text("import one, sys, json\n")

    assert set(local_modules("import one", [tmp_path])) == {"one", "two"}


def test_a_local_module_that_is_no_python_is_no_end_of_the_build(tmp_path: Path) -> None:
    """Its block will say so itself; also bytes that are no text."""
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nname = '\xe9'\n")

    found = local_modules("import broken, latin", [tmp_path])

    assert set(found) == {"broken", "latin"}


def test_nothing_is_imported_to_find_a_module(tmp_path: Path) -> None:
    """A module's file is found without running its package."""
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "loud" / "part.py").write_text("")

    assert set(local_modules("from loud import part", [tmp_path])) == {"loud", "loud.part"}
    assert "loud" not in sys.modules
