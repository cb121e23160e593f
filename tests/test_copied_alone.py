"""Every example, copied alone into an empty folder, works on every interpreter at hand."""

import ast
import functools
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from measured.interpreters import EXPECTED, find_interpreters
from measured.machine import Interpreter

EXAMPLES = Path(__file__).resolve().parent.parent / "src" / "examples"
MODULES = sorted(path for path in EXAMPLES.glob("*/*.py") if path.name != "__init__.py")
BROKEN = [path for path in MODULES if path.stem.endswith("_broken")]
TOPICS = [path for path in MODULES if path not in BROKEN]

METADATA = re.compile(r"^# /// script$\n(?P<lines>(?:^#(?: .*)?$\n)+?)^# ///$", re.MULTILINE)
"""What a tool that runs a file by itself reads first: the form is that of PEP 723."""


def runs_alone(module: Path) -> bool:
    """Tell whether a file does something when it is run."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    tests = [ast.unparse(node.test) for node in tree.body if isinstance(node, ast.If)]
    return "__name__ == '__main__'" in tests


SCRIPTS = [path for path in TOPICS if runs_alone(path)]

DOCTEST = """
import doctest, importlib, sys
sys.path.insert(0, "")
result = doctest.testmod(importlib.import_module(sys.argv[1]))
sys.exit(result.failed > 0 or result.attempted == 0)
"""

IMPORT = """
import importlib, multiprocessing, sys, threading
sys.path.insert(0, "")
importlib.import_module(sys.argv[1])
sys.exit(threading.active_count() - 1 + len(multiprocessing.active_children()))
"""


@functools.cache
def interpreters() -> dict[str, Interpreter]:
    """Find the interpreters of this machine, by version, with a `t` where free-threaded."""
    found = {}
    for one in find_interpreters():
        version = ".".join(map(str, one.version[:2]))
        found.setdefault(version + "t" * one.name.endswith("free-threaded"), one)
    return found


def name(path: Path) -> str:
    """Name a module in a test's id."""
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture(params=[*EXPECTED, *(version + "t" for version in EXPECTED if version >= "3.14")])
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    """Give each interpreter that this machine has."""
    if request.param not in interpreters():
        pytest.skip(
            f"no Python {request.param} here: get it by 'uv python install {request.param}'"
        )
    return interpreters()[request.param]


def run_alone(script: str, module: Path, interpreter: Interpreter, folder: Path) -> None:
    """Copy a module into an empty folder and run a script on it, which must succeed silently.

    Isolated, and without site: nothing but the standard library and the folder can be imported.
    """
    shutil.copy(module, folder)
    command = [interpreter.executable, "-I", "-S", "-W", "error", "-c", script, module.stem]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("module", TOPICS, ids=name)
def test_a_copied_file_does_what_its_examples_say(
    module: Path, interpreter: Interpreter, tmp_path: Path
) -> None:
    """Its doctest passes without a word, warnings being errors and nothing else importable."""
    run_alone(DOCTEST, module, interpreter, tmp_path)


@pytest.mark.parametrize("module", BROKEN, ids=name)
def test_a_broken_file_does_nothing_when_imported(
    module: Path, interpreter: Interpreter, tmp_path: Path
) -> None:
    """No thread, no child, no output: the fault waits for its call."""
    run_alone(IMPORT, module, interpreter, tmp_path)


@pytest.mark.parametrize("module", SCRIPTS, ids=name)
def test_a_file_runs_by_itself(module: Path, interpreter: Interpreter, tmp_path: Path) -> None:
    """It says something, warns of nothing, and needs only the standard library."""
    shutil.copy(module, tmp_path)
    command = [interpreter.executable, "-I", "-S", "-W", "error", module.name]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\d", done.stdout)


@pytest.mark.parametrize("module", TOPICS, ids=name)
def test_a_file_says_for_which_python_it_runs_by_itself(module: Path) -> None:
    """As the package does; a file that does nothing when it is run has no such lines."""
    found = METADATA.search(module.read_text(encoding="utf-8"))
    assert (found is not None) == runs_alone(module)
    if found:
        text = "".join(line[2:] for line in found["lines"].splitlines(keepends=True))
        package = tomllib.loads((EXAMPLES.parents[1] / "pyproject.toml").read_text("utf-8"))
        expected = package["project"]["requires-python"]
        assert tomllib.loads(text) == {"requires-python": expected}


@pytest.mark.parametrize(
    "source",
    [
        '"""Wrong.\n\n>>> 1 + 1\n3\n"""\n',
        '"""No example at all."""\n',
        '"""Needs a sibling.\n\n>>> 1\n1\n"""\nimport examples\n',
        '"""Prints.\n\n>>> 1\n1\n"""\nprint("hello")\n',
        '"""Warns.\n\n>>> 1\n1\n"""\nimport warnings\nwarnings.warn("old")\n',
    ],
    ids=lambda source: source[3:].partition(".")[0],
)
def test_a_faulty_file_is_reported(source: str, tmp_path: Path) -> None:
    """A failing example, none, an import that a copy lacks, output, a warning."""
    module = tmp_path / "faulty.py"
    module.write_text(source, encoding="utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(AssertionError):
        run_alone(DOCTEST, module, find_interpreters()[0], folder)


def test_a_thread_started_by_an_import_is_reported(tmp_path: Path) -> None:
    """A broken file that begins its mischief too early."""
    module = tmp_path / "faulty.py"
    module.write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        encoding="utf-8",
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(AssertionError):
        run_alone(IMPORT, module, find_interpreters()[0], folder)
