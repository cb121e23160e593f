"""A reader takes a file off its page, and finds every function in one list."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "src" / "examples"

Open = Callable[..., Page]


def topics() -> list[str]:
    """Name the topics that have a page, with their chapters."""
    found = (path.relative_to(EXAMPLES).with_suffix("") for path in EXAMPLES.glob("*/*.py"))
    names = [path.as_posix() for path in found if path.name != "__init__"]
    return sorted(name for name in names if (ROOT / "docs" / f"{name}.md").is_file())


def test_every_function_can_be_taken_off_its_page(site: Path) -> None:
    """The file as it was tested, its licence and its test, by a line under its box."""
    lacking = []
    for topic in topics():
        page = (site / topic / "index.html").read_text(encoding="utf-8")
        chapter, _, name = topic.partition("/")
        taken = site / "code" / chapter
        if page.count(f'<a href="../../code/{topic}.py" download>') != 1:
            lacking.append(topic)
        assert (taken / f"{name}.py").read_bytes() == (EXAMPLES / f"{topic}.py").read_bytes()
        assert (taken / f"test_{name}.py").is_file()

    assert len(topics()) > 40
    assert lacking == []


def test_every_broken_file_is_said_to_be_broken(site: Path) -> None:
    """As often as one is shown whole; none can be had."""
    for page in site.glob("*/*/index.html"):
        text = page.read_text(encoding="utf-8")
        shown = re.findall(r'<span class="filename">\w+_broken\.py</span>', text)
        assert text.count("Broken on purpose: to be looked at") == len(shown), page
    assert list(site.glob("code/*/*_broken.py")) == []


def test_a_reader_downloads_a_file(open_page: Open) -> None:
    """A click brings it, under its name."""
    page = open_page("performance/usable_cpus/")
    with page.expect_download() as coming:
        page.get_by_role("link", name="Download usable_cpus.py").click()

    assert coming.value.suggested_filename == "usable_cpus.py"
    kept = Path(coming.value.path())
    assert kept.read_bytes() == (EXAMPLES / "performance" / "usable_cpus.py").read_bytes()
    expect(page.locator(".handbook-take", has_text="uv run usable_cpus.py")).to_be_visible()


def test_the_list_leads_to_every_function(open_page: Open) -> None:
    """Each page twice: under what it solves, and under its chapter; and a Python tried it."""
    page = open_page("functions/")
    addresses = page.locator("article a:has(code)").evaluate_all(
        "(links) => [...new Set(links.map((link) => link.getAttribute('href')))]"
    )
    listed = {address.removeprefix("../").rstrip("/") for address in addresses}
    assert set(topics()) <= listed
    first = page.locator(".measured-pythons tr").first
    expect(first).to_contain_text("CPython 3.")
    counts = re.findall(r"(\d+) of (\d+) files pass", first.inner_text())
    assert len(counts) == len(list(EXAMPLES.glob("*/__init__.py")))
    assert all(passed == files != "0" for passed, files in counts)
