"""Write the changelog as an Atom feed (RFC 4287)."""

import re
import subprocess
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

from markdown import markdown

from handbook.last_changes import git

__all__ = ["write_feed"]

ATOM = "http://www.w3.org/2005/Atom"
SECTION = re.compile(
    r"^## \[(?P<version>[^\]]+)\](?: - (?P<day>\d{4}-\d\d-\d\d))?[ \t]*\n(?P<text>.*?)(?=^## |\Z)",
    re.MULTILINE | re.DOTALL,
)


def write_feed(site: Path, changelog: Path, name: str, home: str) -> None:
    """Write `feed.xml`: an entry for each version, and one for what is not released yet.

    Args:
        site: The folder of the built site.
        changelog: The changelog, in the form of Keep a Changelog.
        name: The site's name.
        home: The site's address; without one the entries are named by the site's name.

    Raises:
        ValueError: If the changelog has no section.
    """
    sections = list(SECTION.finditer(changelog.read_text(encoding="utf-8")))
    if not sections:
        raise ValueError(f"{changelog.name} has no section like '## [1.0.0] - 2026-01-31'")
    last = last_change(changelog)
    base = home or f"urn:x-{name.lower().replace(' ', '-')}:"
    feed = ET.Element("feed", xmlns=ATOM)
    add(feed, "title", f"{name}: what changed")
    add(feed, "id", base)
    add(feed, "updated", last)
    ET.SubElement(ET.SubElement(feed, "author"), "name").text = name
    if home:
        ET.SubElement(feed, "link", rel="self", href=f"{home}feed.xml")
        ET.SubElement(feed, "link", href=home)
    for section in sections:
        entry = ET.SubElement(feed, "entry")
        add(entry, "title", section["version"])
        add(entry, "id", f"{base}changelog#{section['version'].lower()}")
        add(entry, "updated", f"{section['day']}T00:00:00Z" if section["day"] else last)
        if home:
            ET.SubElement(entry, "link", href=f"{home}about/changelog/")
        content = ET.SubElement(entry, "content", type="html")
        content.text = markdown(section["text"].strip())
    ET.indent(feed)
    ET.ElementTree(feed).write(site / "feed.xml", encoding="utf-8", xml_declaration=True)


def add(parent: ET.Element, tag: str, text: str) -> None:
    """Add an element with text."""
    ET.SubElement(parent, tag).text = text


def last_change(path: Path) -> str:
    """Tell when a file was last changed: its last commit, else the file's own time."""
    try:
        told = git(path.parent, "log", "-1", "--format=%aI", "--", path.name).strip()
    except (OSError, subprocess.SubprocessError):
        told = ""
    return told or datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
