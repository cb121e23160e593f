"""The built site in a real Chromium: it loads, finds, copies, follows light and dark."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "src" / "examples"
PAGES = ("", "foundations/the_gil/", "threads/overlap_waits/", "threads/guard_counter/")
PHONE = {"width": 360, "height": 740}

Open = Callable[..., Page]
each_page = pytest.mark.parametrize("address", PAGES, ids=lambda address: address or "home")


@each_page
def test_a_page_loads_without_complaint(open_page: Open, address: str) -> None:
    """It has a heading; an error in the console or a request to another host fails the test."""
    page = open_page(address)

    expect(page.locator("h1").first).to_be_visible()


@each_page
def test_a_page_fits_a_phone(open_page: Open, address: str) -> None:
    """Nothing sticks out at the side, so nothing scrolls there."""
    page = open_page(address, viewport=PHONE)

    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]


@each_page
def test_a_page_follows_light_and_dark(open_page: Open, address: str) -> None:
    """The background is bright for one reader and dim for the other."""
    script = """() => getComputedStyle(document.body).backgroundColor
        .match(/[0-9.]+/g).slice(0, 3).map(Number).reduce((sum, part) => sum + part)"""
    light, dark = (
        open_page(address, color_scheme=scheme).evaluate(script) for scheme in ("light", "dark")
    )

    assert light > 3 * 200
    assert dark < 3 * 80


def test_the_copy_button_copies_the_whole_file(open_page: Open, tmp_path: Path) -> None:
    """What it copies is the file, letter for letter, and saved alone it does what it says."""
    page = open_page("threads/overlap_waits/", permissions=["clipboard-read", "clipboard-write"])
    block = page.locator(".highlight").filter(
        has=page.locator(".filename", has_text="overlap_waits.py")
    )
    page.evaluate("navigator.clipboard.writeText('')")
    block.hover()
    block.get_by_role("button", name="Copy overlap_waits.py").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text !== '')")

    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.rstrip("\n") == (EXAMPLES / "threads" / "overlap_waits.py").read_text(
        encoding="utf-8"
    ).rstrip("\n")
    (tmp_path / "overlap_waits.py").write_text(copied, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-m", "doctest", "overlap_waits.py"],
        cwd=tmp_path,
        timeout=60,
        check=True,
    )
