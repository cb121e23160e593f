"""Find the interpreters of this machine and ask each what it is."""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from measured import machine
from measured.machine import Interpreter

__all__ = ["EXPECTED", "absent_builds", "find_interpreters", "own_interpreter"]

EXPECTED = ("3.11", "3.12", "3.13", "3.14", "3.15")
"""The versions that the handbook speaks of; each is named where it is absent."""

FREE_THREADED = EXPECTED[2:]
"""Those of them that have a free-threaded build, which is looked for likewise."""

NAMES = (
    *(f"python{version}" for version in EXPECTED),
    *(f"python{version}t" for version in FREE_THREADED),
    *("pypy3", "pypy3.11", "graalpy"),
    *(["python"] if sys.platform == "win32" else []),  # no number in a name there
)

log = logging.getLogger("mkdocs.plugins.measured")


@cache
def own_interpreter() -> Interpreter:
    """Describe the interpreter that builds, as a block finds it.

    What a build imports may have enabled the GIL of a free-threaded one; a block begins without.
    """
    found = machine.describe_interpreter()
    return replace(found, gil="free-threaded" not in found.name)


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
    """Find the interpreters of this machine.

    Returns:
        The build's own and those of `MEASURED_PYTHONS`; of each other version and build the first
        that is on PATH, pyenv's or uv's. CPython's come first, by version.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most builds ask nobody

    found = {own_interpreter().name: own_interpreter()}
    for asked in filter(None, os.environ.get("MEASURED_PYTHONS", "").split(os.pathsep)):
        if interpreter := ask(asked):
            found.setdefault(interpreter.name, interpreter)
        else:
            log.warning("MEASURED_PYTHONS: %s is no Python 3.11 or newer", asked)
    path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders = dict.fromkeys(folder.resolve() for folder in path + pyenv_folders() + uv_folders())
    folders.pop((pyenv() / "shims").resolve(), None)  # slow, and they stand for what is beside
    builds = set(map(build_of, found.values()))
    candidates = [
        candidate
        for folder in folders  # all of them: a shim that does not start may stand before a Python
        for name in NAMES
        if (candidate := shutil.which(name, path=str(folder)))
    ]
    with ThreadPoolExecutor() as pool:
        for interpreter in pool.map(ask, candidates):
            if interpreter and build_of(interpreter) not in builds:
                found[interpreter.name] = interpreter
                builds.add(build_of(interpreter))
    return sorted(
        found.values(), key=lambda one: ("CPython" not in one.name, one.version, one.name)
    )


def build_of(interpreter: Interpreter) -> str:
    """Name what an interpreter is a build of, as `"CPython 3.13 free-threaded"`."""
    return re.sub(r"(\d+\.\d+)\.\d+", r"\1", interpreter.name)


def absent_builds() -> str:
    """Name the builds of CPython that the handbook speaks of and that this machine does not have.

    Returns:
        Their versions, or an empty string.
    """
    found = set(map(build_of, find_interpreters()))
    absent = {
        "CPython": [one for one in EXPECTED if f"CPython {one}" not in found],
        "free-threaded": [
            one for one in FREE_THREADED if f"CPython {one} free-threaded" not in found
        ],
    }
    return "; ".join(
        f"{kind} {', '.join(versions)}" for kind, versions in absent.items() if versions
    )


def pyenv() -> Path:
    """Name the folder of pyenv."""
    return Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))


def pyenv_folders() -> list[Path]:
    """List the folders in which pyenv keeps its interpreters, the newest first."""

    def version_of(folder: Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", folder.parent.name)]

    return sorted(pyenv().glob("versions/*/bin"), key=version_of, reverse=True)


def uv_folders() -> list[Path]:
    """List the folders in which uv keeps its interpreters."""
    default = Path.home() / ".local" / "share" / "uv" / "python"
    root = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", default))
    return sorted(root.glob("*" if sys.platform == "win32" else "*/bin"))
