"""Write under each page when its text was last changed, as git knows it."""

import re
import subprocess
from datetime import date
from html import escape
from pathlib import Path

__all__ = ["changes_in", "git", "write_last_changes"]

PLACE = re.compile(r'<span data-changed="(?P<page>[^"]*)">[^<]*(?:<time[^>]*>[^<]*</time>)?</span>')


def write_last_changes(site: Path, repository: Path) -> None:
    """Fill the place that each page has for its last change; without git it stays empty.

    Args:
        site: The folder of the built site.
        repository: The folder of the repository.
    """
    changes = changes_in(repository)

    def told(place: re.Match[str]) -> str:
        page = place["page"]
        day = changes.get(page)
        text = (
            f'Last changed <time datetime="{day}">{day.day} {day:%B %Y}</time>'
            if day is not None
            else ""
        )
        return f'<span data-changed="{escape(page)}">{text}</span>'

    for path in sorted(site.rglob("*.html")):
        before = path.read_text(encoding="utf-8")
        after = PLACE.sub(told, before)
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")


def changes_in(repository: Path) -> dict[str, date]:
    """Tell on which day each file of `docs` was last changed; nothing if git does not know.

    A clone that is cut off knows only its last commit, which changed every file as it seems.
    """
    try:
        if git(repository, "rev-parse", "--is-shallow-repository").strip() != "false":
            return {}
        log = git(repository, "log", "--format=@%cs", "--name-only", "--no-renames", "--", "docs")
    except (OSError, subprocess.SubprocessError):
        return {}
    changes: dict[str, date] = {}
    day = date.min
    for line in log.splitlines():
        if line.startswith("@"):
            day = date.fromisoformat(line[1:])
        elif line:
            changes.setdefault(line.removeprefix("docs/"), day)
    return changes


def git(repository: Path, *arguments: str) -> str:
    """Ask git about a folder."""
    command = ["git", "-C", str(repository), "-c", "core.quotePath=off", *arguments]
    return subprocess.run(  # noqa: S603 - arguments of our own
        command, check=True, capture_output=True, encoding="utf-8", timeout=60
    ).stdout
