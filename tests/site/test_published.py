"""What is published beside the pages: Markdown, the list for machines, cards, feed, archive."""

import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from handbook.archive import ARCHIVE

ATOM = {"atom": "http://www.w3.org/2005/Atom"}
LINK = re.compile(
    r"^- \[(?P<title>[^\]]+)\]\((?P<path>[^)]+)\): (?P<description>.+)$", re.MULTILINE
)


@pytest.fixture(scope="module")
def listed(site: Path) -> list[re.Match[str]]:
    """Read the links of llms.txt."""
    return list(LINK.finditer((site / "llms.txt").read_text(encoding="utf-8")))


def test_every_page_is_listed_for_machines(site: Path, listed: list[re.Match[str]]) -> None:
    """Each page of the site, with a title and a description, as Markdown that is there."""
    folders = {path.parent for path in site.rglob("index.html")}

    assert {(site / link["path"]).parent for link in listed} == folders
    assert all((site / link["path"]).is_file() for link in listed)
    text = (site / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# Measured Concurrency\n\n> ")


def test_a_page_as_markdown_has_what_was_measured(site: Path) -> None:
    """Figure, verdict and plate; the whole file of the function; nothing of the page around it."""
    text = (site / "threads" / "overlap_waits" / "index.md").read_text(encoding="utf-8")

    assert text.startswith("# Wait for many things at once\n")
    assert re.search(r"^\| in threads \| [\d.]+ ms \|", text, re.MULTILINE)
    assert "Five overlapped waits take less than a third of the time" in text
    assert re.search(r"CPython 3\.\d+\.\d+ · .* cores? · ", text)
    assert "```python\n" in text
    assert "def overlap_waits(" in text
    assert "<" not in re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    assert "Edit this page" not in text
    assert "¶" not in text


def test_each_page_has_a_card(site: Path, listed: list[re.Match[str]]) -> None:
    """A picture of the size that is asked for, and no two alike."""
    cards = [(site / link["path"]).with_name("card.png") for link in listed]

    for card in cards:
        with Image.open(card) as picture:
            assert picture.size == (1200, 630)
        assert card.stat().st_size < 60_000
    assert len({card.read_bytes() for card in cards}) == len(cards)


def test_the_feed_has_an_entry_for_each_section_of_the_changelog(site: Path) -> None:
    """It is in order as Atom asks: ids, dates, titles; newest first."""
    feed = ET.parse(site / "feed.xml").getroot()  # noqa: S314 - we wrote it
    changelog = Path(__file__).resolve().parents[2] / "CHANGELOG.md"
    sections = re.findall(r"^## \[([^\]]+)\]", changelog.read_text(encoding="utf-8"), re.MULTILINE)

    entries = feed.findall("atom:entry", ATOM)
    assert [entry.findtext("atom:title", "", ATOM) for entry in entries] == sections
    ids = [one.findtext("atom:id", "", ATOM) for one in (feed, *entries)]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    for one in (feed, *entries):
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:]{8}", one.findtext("atom:updated", "", ATOM))
    assert all("<li>" in entry.findtext("atom:content", "", ATOM) for entry in entries)


def test_the_archive_holds_the_site(site: Path) -> None:
    """All files but itself, the index as a script, and no page with a link to a folder."""
    with zipfile.ZipFile(site / ARCHIVE) as packed:
        names = set(packed.namelist())
        pages = {name: packed.read(name).decode() for name in names if name.endswith(".html")}

    top = ARCHIVE.removesuffix(".zip")
    files = {path for path in site.rglob("*") if path.is_file()} - {site / ARCHIVE}
    script = f"{top}/search/search_index.js"  # for the search, which can fetch nothing from disk
    assert names == {f"{top}/{path.relative_to(site).as_posix()}" for path in files} | {script}
    for name, text in pages.items():
        if name.endswith("404.html"):
            continue  # a server shows it at any address, so its links begin at the top
        for target in re.findall(r'<a\b[^>]*?\shref="([^"#?]+)', text):
            if "//" not in target and not target.startswith("mailto:"):
                path = unquote(urljoin(name, target))
                assert path in names or path.endswith(ARCHIVE), f"{name}: {target}"


def test_the_archive_works_from_disk(site: Path, tmp_path: Path, browser: Browser) -> None:
    """Unpacked and opened as a file: it has its style, and a link leads on."""
    with zipfile.ZipFile(site / ARCHIVE) as packed:
        packed.extractall(tmp_path)
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda one: one.type == "error" and complaints.append(one.text))
    try:
        page.goto((tmp_path / ARCHIVE.removesuffix(".zip") / "index.html").as_uri())
        page.locator("article a[href*='overlap_waits']").first.click()
        expect(page.locator("h1").first).to_contain_text("Wait for many things at once")
        assert page.evaluate("document.styleSheets.length") > 0
        rules = "[...document.styleSheets].every((sheet) => sheet.cssRules === null)"
        width = page.evaluate(
            "getComputedStyle(document.querySelector('figure.measured')).borderTopWidth"
        )
        assert width == "1px", rules
    finally:
        page.close()
    assert complaints == []
