"""What a fence on a page asks for, and of what its result depends."""

import ast
import difflib
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

from measured.machine import Interpreter, Machine

__all__ = ["Block", "key_of", "local_modules", "nearest"]

NAME = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+"
MODULE_NAME = re.compile(NAME)
RUN_MODULE = re.compile(rf"-m[\s'\",]+({NAME})")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code on a page.

    Attributes:
        page: The page's path below the documentation's folder.
        line: The line of the fence, from 1; 0 if the page does not show it (generated text).
        name: The fence's `id`, or its place on the page.
        source: The script.
        timing: Whether it measures.
        fails: The failure that it is meant to end with, or an empty string.
        timeout_s: Seconds after which it is ended.
        everywhere: Whether it runs on every interpreter found.
    """

    page: str
    line: int
    name: str
    source: str
    timing: bool = False
    fails: str = ""
    timeout_s: float = 60.0
    everywhere: bool = False

    def __str__(self) -> str:
        """Name the block as a message does; the build's own stands on no page."""
        return f"{self.page}:{self.line} block '{self.name}'" if self.page else self.name


def nearest(name: str, known: Sequence[str]) -> str:
    """Name the known word that was probably meant."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"; did you mean {close[0]!r}?" if close else ""


def key_of(
    block: Block, interpreter: Interpreter, machine: Machine, lock: str, paths: Sequence[Path]
) -> str:
    """Name a result by all that it depends on.

    Args:
        block: What is run.
        interpreter: What runs it.
        machine: Where.
        lock: Digest of the lock file: the versions of what is installed.
        paths: Folders from which the block imports.

    Returns:
        A digest that changes when one of them does, or a local module that the block imports.
    """
    beside = "\nimport measured.control" * block.timing  # whose rounds are taken beside its own
    modules = {
        name: digest_of(path, path.stat().st_mtime_ns)
        for name, path in local_modules(block.source + beside, paths).items()
    }
    facts = {
        "source": block.source,
        "timing": block.timing,
        "fails": block.fails,
        "modules": modules,
        "interpreter": [interpreter.name, interpreter.build],
        "machine": asdict(machine),
        "lock": lock,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def digest_of(path: Path, changed: int) -> str:  # noqa: ARG001 - part of the key
    """Digest a file, read again when it changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def local_modules(source: str, paths: Sequence[Path]) -> dict[str, Path]:
    """Find the local modules that a script imports, and those that they import.

    A string that is a dotted name counts as well, and one after `-m` in a string: they go to
    `python -m`. An import by a name that is put together at run time is not seen.

    Args:
        source: The script.
        paths: Folders in which local modules are looked for.

    Returns:
        Each module's file by its name.
    """
    found: dict[str, Path] = {}
    waiting = list(names_in(source, package=""))
    while waiting:
        name = waiting.pop()
        if name.partition(".")[0] in sys.stdlib_module_names:
            continue
        path = find_module(name, paths)
        if path is None or name in found:
            continue
        found[name] = path
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += names_in_file(path, package, path.stat().st_mtime_ns)
    return found


@cache
def names_in_file(path: Path, package: str, changed: int) -> tuple[str, ...]:  # noqa: ARG001 - part of the key
    """List the module names in a file, read again when it changed."""
    return names_in(path.read_bytes(), package)


@lru_cache(maxsize=4096)
def names_in(source: str | bytes, package: str) -> tuple[str, ...]:
    """List every name in a source that may be that of a module."""
    return tuple(read_names(source, package))


def read_names(source: str | bytes, package: str) -> Iterator[str]:
    """Yield every name in a source that may be that of a module."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if MODULE_NAME.fullmatch(node.value):
                yield node.value
            yield from RUN_MODULE.findall(node.value)


def find_module(name: str, paths: Sequence[Path]) -> Path | None:
    """Find a module's file below the given folders, without importing anything."""
    parts = name.split(".")
    for folder in paths:
        base = folder.joinpath(*parts)
        for path in (base / "__init__.py", base.with_name(base.name + ".py")):
            if path.is_file():
                return path
    return None
