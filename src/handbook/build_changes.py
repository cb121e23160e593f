"""Write what changed since the build before: verdicts that differ, and figures that moved."""

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from measured.estimates import Estimate
from measured.export import SCHEMA, differences
from measured.wording import number

__all__ = ["write_build_changes"]

BEGIN, END = "<!-- changes of this build -->", "<!-- end of the changes -->"
PLACE = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
PAGE = Path("about", "build_changes", "index.html")
KEPT = 2

Document = Mapping[str, Any]
Claim = Mapping[str, Any] | None


def write_build_changes(site: Path, kept: Path) -> None:
    """Fill the page of changes, and keep what this build measured for the next.

    Args:
        site: The folder of the built site; its `measurements.json` is this build's.
        kept: A folder of the documents of builds; the newest other one is the build before.
    """
    page = site / PAGE
    if not page.is_file():
        return
    text = "<p>This build was made without its <code>measurements.json</code>.</p>"
    if (site / "measurements.json").is_file():
        now = (site / "measurements.json").read_text(encoding="utf-8")
        document = json.loads(now)
        before = build_before(document, kept)
        text = changes_of(before, document) if before else "<p>No build before is known here.</p>"
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{re.sub('[^0-9]', '', document['made'])}.json").write_text(now, encoding="utf-8")
        for old in sorted(kept.glob("*.json"))[:-KEPT]:
            old.unlink()
    html = page.read_text(encoding="utf-8")
    filled = PLACE.sub(lambda _: f"{BEGIN}\n{text}\n{END}", html)
    page.write_text(filled, encoding="utf-8", newline="\n")


def build_before(document: Document, kept: Path) -> Document | None:
    """Find the newest document of another build that has the same form."""
    others = [
        one
        for path in kept.glob("*.json")
        if (one := read(path)).get("schema") == SCHEMA and one["made"] < document["made"]
    ]
    return max(others, key=lambda one: str(one["made"]), default=None)


def read(path: Path) -> Document:
    """Read a document; nothing if its file was cut off: a download or a build was ended."""
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return document


def changes_of(before: Document, now: Document) -> str:
    """Write both builds, and the claims whose verdict differs or whose interval moved away."""
    rows = [
        (text, told(old), told(new), what)
        for text, new, old in differences(now, before)
        if (what := difference(old, new))
    ]
    builds = table(
        ("What", "The build before", "This build"),
        [(name, facts(before)[name], facts(now)[name]) for name in facts(now)],
    )
    if not rows:
        return f"{builds}<p>No verdict differs, and every interval overlaps the one before.</p>"
    return builds + table(("Claim", "The build before", "This build", "What changed"), rows)


def facts(document: Document) -> dict[str, str]:
    """Name a build."""
    return {
        "Made": f"{document['made'][:16].replace('T', ' ')} UTC",
        "Commit": document["commit"] or "unknown",
        "Machine": f"{document['machine']['processor']}, {document['machine']['cores']} cores",
        "Interpreter": document["interpreters"][0]["name"],
    }


def told(claim: Claim) -> str:
    """Write a claim's verdict and ratio."""
    if claim is None:
        return "not there"
    return f"{claim['verdict']}: {number(Estimate(**claim['estimate']))}"


def difference(old: Claim, new: Claim) -> str:
    """Say what changed, in a few words; nothing if nothing did."""
    if old is None or new is None:
        return "new" if old is None else "gone"
    if old["verdict"] != new["verdict"]:
        return "the verdict"
    ranges = [(one["estimate"]["low"], one["estimate"]["high"]) for one in (old, new)]
    (old_low, old_high), (new_low, new_high) = ranges
    if None in (*ranges[0], *ranges[1]):
        return ""
    return "the figure" if new_low > old_high or new_high < old_low else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
