"""The strict build passes, without a word of complaint."""

import re
import subprocess
from pathlib import Path


def test_the_strict_build_passes(build: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Exit code 0 and no warning; else the log says which block of which page."""
    folder, done = build
    complaints = re.findall(r"^.*\b(?:WARNING|ERROR|CRITICAL)\b.*$", done.stdout, re.MULTILINE)
    assert complaints == []
    assert done.returncode == 0, done.stdout
    assert (folder / "index.html").is_file()
