"""The real site, built once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="session")
def build(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Build the site strictly, into a folder of its own; the store's results are used."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=1200,
        check=False,
    )
    return folder, done


@pytest.fixture(scope="session")
def site(build: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """Give the folder of the built site; a build that only warned has one too."""
    folder, _ = build
    if not (folder / "index.html").exists():
        pytest.skip("the site was not built: see test_build.py")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests time: the first waits for all blocks that were never run."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.timeout(1500))
