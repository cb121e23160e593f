"""Find the interpreters of this machine and ask each what it is."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from measured import machine
from measured.machine import Interpreter

__all__ = ["EXPECTED", "absent_versions", "find_interpreters", "own_interpreter"]

EXPECTED = ("3.11", "3.12", "3.13", "3.14", "3.15")
"""The versions that the handbook speaks of; each is named where it is absent."""

NAMES = (
    *(f"python{version}" for version in EXPECTED),
    *(f"python{version}t" for version in EXPECTED[2:]),
    "pypy3",
)


@cache
def own_interpreter() -> Interpreter:
    """Describe the interpreter that builds."""
    return machine.describe_interpreter()


@cache
def ask(executable: str) -> Interpreter | None:
    """Ask an interpreter what it is; None if it does not start or is not supported."""
    command = [executable, "-I", machine.__file__]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=30, check=True)  # noqa: S603 - found by name
        fields = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None  # a pyenv shim of a version that is not chosen, for one
    sequences = {name: tuple(fields[name]) for name in ("version", "prefixes")}
    found = Interpreter(**fields | sequences)
    return found if found.version >= (3, 11) else None


@cache
def find_interpreters() -> list[Interpreter]:
    """Find each supported interpreter once: the build's, `MEASURED_PYTHONS`, PATH, uv's.

    Returns:
        One interpreter for each version and build, in the order of their versions.
    """
    candidates = os.environ.get("MEASURED_PYTHONS", "").split(os.pathsep)
    candidates += [path for name in NAMES if (path := shutil.which(name))]
    for folder in pyenv_folders() + uv_folders():
        candidates += [str(folder / name) for name in NAMES if (folder / name).exists()]
    found = {own_interpreter().name: own_interpreter()}
    for candidate in filter(None, candidates):
        interpreter = ask(candidate)
        if interpreter is not None:
            found.setdefault(interpreter.name, interpreter)
    return sorted(found.values(), key=lambda one: (one.version, one.name))


def absent_versions() -> list[str]:
    """List the versions that the handbook speaks of and that this machine does not have."""
    found = {f"{one.version[0]}.{one.version[1]}" for one in find_interpreters()}
    return [version for version in EXPECTED if version not in found]


def pyenv_folders() -> list[Path]:
    """List the folders in which pyenv keeps its interpreters."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return sorted(root.glob("versions/*/bin"))


def uv_folders() -> list[Path]:
    """List the folders in which uv keeps its interpreters."""
    default = Path.home() / ".local" / "share" / "uv" / "python"
    root = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", default))
    return sorted(root.glob("*" if sys.platform == "win32" else "*/bin"))
