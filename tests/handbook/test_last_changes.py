"""A page tells when its text was last changed, if git knows."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from handbook.last_changes import write_last_changes

PLACES = '<span data-changed="a.md"></span> <span data-changed="b/c.md"></span>'

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None, reason="no git here: on Debian or Ubuntu, sudo apt install git"
)


def git(folder: Path, *arguments: str, day: str = "2026-01-01") -> None:
    """Run git as nobody in particular, on a day."""
    who = {
        f"GIT_{role}_{what}": "a@b"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    when = {f"GIT_{role}_DATE": f"{day}T12:00:00Z" for role in ("AUTHOR", "COMMITTER")}
    nothing = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(
        [shutil.which("git") or "git", "-C", str(folder), *arguments],
        env={**os.environ, **who, **when, **nothing},
        capture_output=True,
        timeout=60,
        check=True,
    )


def commit(folder: Path, page: str, text: str, day: str) -> None:
    """Change a page on a day."""
    (folder / "docs" / page).parent.mkdir(parents=True, exist_ok=True)
    (folder / "docs" / page).write_text(text, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "a change", day=day)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository in which two pages were changed on different days."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, "a.md", "one", "2026-02-03")
    commit(folder, "b/c.md", "one", "2026-02-04")
    commit(folder, "a.md", "two", "2026-11-21")
    return folder


def finished(site: Path, repository: Path) -> str:
    """Finish a page that has places for two pages."""
    site.mkdir(exist_ok=True)
    page = site / "index.html"
    if not page.exists():
        page.write_text(PLACES, encoding="utf-8")
    write_last_changes(site, repository)
    return page.read_text(encoding="utf-8")


def test_each_page_has_the_day_of_its_last_change(tmp_path: Path, repository: Path) -> None:
    """The latest commit that touched it, and the same when it is done twice."""
    once = finished(tmp_path / "site", repository)
    assert '<time datetime="2026-11-21">21 November 2026</time>' in once
    assert '<time datetime="2026-02-04">4 February 2026</time>' in once
    assert finished(tmp_path / "site", repository) == once


def test_a_clone_that_is_cut_off_tells_nothing(tmp_path: Path, repository: Path) -> None:
    """Its one commit seems to have changed every page."""
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "shallow")
    assert finished(tmp_path / "site", tmp_path / "shallow") == PLACES


def test_without_a_repository_nothing_is_told(tmp_path: Path) -> None:
    """The place stays empty, and nothing fails."""
    assert finished(tmp_path / "site", tmp_path) == PLACES
