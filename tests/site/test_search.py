"""The search of the site: what it finds, what it loads and when, and how it is used."""

import gzip
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from handbook.archive import ARCHIVE
from handbook.search_index import INDEX, write_search_index

QUERIES: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("search_queries.json").read_text(encoding="utf-8")
)
MOST_BYTES = 60_000
CODE_AND_INDEX = ("search.js", "minisearch.js", "search_index.json")
SIZES = {"phone": {"width": 390, "height": 844}, "laptop": {"width": 1280, "height": 800}}
START = "threads/overlap_waits/"
CONTRAST = """(span) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    const light = (color) => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const parts = [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)]
            .map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const panel = span.closest(".handbook-found");
    const pair = [getComputedStyle(span).color, getComputedStyle(panel).backgroundColor];
    const [dim, bright] = pair.map(light).sort((one, other) => one - other);
    return (bright + 0.05) / (dim + 0.05);
}"""

Open = Callable[..., Page]


def field_of(page: Page) -> Locator:
    """Give the field of the search."""
    return page.get_by_role("combobox", name="Search", exact=True)


def options_of(page: Page) -> Locator:
    """Give the pages that are listed."""
    return page.get_by_role("listbox", name="Pages found").get_by_role("option")


def found(page: Page, query: str) -> list[str]:
    """Type a query; give the addresses of the pages found, below the site, best first."""
    field_of(page).fill("")
    expect(options_of(page)).to_have_count(0)
    field_of(page).fill(query)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^\d pages?$"))
    root = page.url[: -len(START)]
    links = [str(option.get_attribute("href")) for option in options_of(page).all()]
    return [link.removeprefix(root).partition("#")[0] for link in links]


def test_what_readers_type_finds_its_page(open_page: Open, site: Path) -> None:
    """Each of 40 queries in readers' words brings the page that answers it first or second."""
    page = open_page(START)
    answers = {query: found(page, query)[:2] for query in QUERIES}

    assert len(QUERIES) >= 40
    wanted = {address for pages in QUERIES.values() for address in pages}
    assert [address for address in wanted if not (site / address / "index.html").is_file()] == []
    missed = {query: got for query, got in answers.items() if not {*got} & {*QUERIES[query]}}
    assert missed == {}


def test_the_index_is_small(site: Path) -> None:
    """A reader with little bandwidth waits for some tens of kilobytes, once."""
    assert len(gzip.compress((site / INDEX).read_bytes(), 9)) < MOST_BYTES


def test_the_index_is_condensed_once(site: Path) -> None:
    """A site that is finished twice has the same index."""
    before = (site / INDEX).read_bytes()
    write_search_index(site, [])

    assert (site / INDEX).read_bytes() == before


def test_nothing_loads_before_the_search_is_used(open_page: Open) -> None:
    """Index and code are requested at the first focus of the field, each once."""
    page = open_page(START)
    loaded = "performance.getEntriesByType('resource').map(entry => entry.name.split('/').pop())"
    before = page.evaluate(loaded)
    page.keyboard.press("/")
    page.wait_for_load_state("networkidle")
    found(page, "deadlock")
    after: list[str] = page.evaluate(loaded)

    assert not {*CODE_AND_INDEX} & {*before}
    assert [after.count(name) for name in CODE_AND_INDEX] == [1, 1, 1]


@pytest.mark.parametrize("size", SIZES)
def test_the_keyboard_suffices(open_page: Open, size: str) -> None:
    """Slash leads to the field, arrows to a page, Escape out, Enter to the page, or the first."""
    page = open_page(START, viewport=SIZES[size])
    field, options = field_of(page), options_of(page)
    page.keyboard.press("/")
    expect(field).to_be_focused()
    expect(field).to_have_value("")

    page.keyboard.type("pool hangs")
    expect(page.get_by_role("status")).to_have_text("8 pages")
    expect(field).to_have_attribute("aria-expanded", "true")
    for key, place in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 7)):
        page.keyboard.press(key)
        expect(options.nth(place)).to_have_attribute("aria-selected", "true")
        named = str(options.nth(place).get_attribute("id"))
        expect(field).to_have_attribute("aria-activedescendant", named)
        expect(options.and_(page.get_by_role("option", selected=True))).to_have_count(1)
        expect(options.nth(place)).to_be_in_viewport()

    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(field).to_have_value("pool hangs")
    page.keyboard.press("Escape")
    expect(field).to_have_value("")

    page.keyboard.type("kill a thread")
    page.keyboard.press("Enter")
    page.wait_for_url("**/threads/stop_worker/**")


def test_a_key_in_a_field_stays_there(open_page: Open) -> None:
    """Whoever types a slash into the search gets one."""
    page = open_page(START)
    page.keyboard.press("/")
    page.keyboard.type("I/O")

    expect(field_of(page)).to_have_value("I/O")


def test_nothing_found_is_told(open_page: Open) -> None:
    """A word that no page has gets a sentence, and no list."""
    page = open_page(START)
    field_of(page).fill("xyzzyqwvk")

    expect(page.get_by_role("status")).to_have_text("No page has these words.")
    expect(options_of(page)).to_have_count(0)


def test_an_index_that_is_missing_is_told(browser: Browser, home: str) -> None:
    """The form says so in a line, and tries again at the next word."""
    page = browser.new_page()
    page.route("**/search_index.json", lambda route: route.abort())
    page.goto(home + START)
    field_of(page).fill("pool")
    expect(page.get_by_role("status")).to_have_text("The search could not be loaded.")

    page.unroute("**/search_index.json")
    field_of(page).fill("pool hangs")
    expect(page.get_by_role("status")).to_have_text("8 pages")
    page.close()


def test_the_search_works_from_disk(site: Path, tmp_path: Path, browser: Browser) -> None:
    """In the archive the index is a script too, and a page found is a file."""
    with zipfile.ZipFile(site / ARCHIVE) as packed:
        packed.extractall(tmp_path)
    top = tmp_path / ARCHIVE.removesuffix(".zip")
    page = browser.new_page()
    page.goto((top / START / "index.html").as_uri())
    field_of(page).fill("deadlock two locks")
    expect(options_of(page).first).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/threads/take_locks/index.html*")

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.close()


def test_the_search_works_below_a_folder(open_page: Open, site: Path) -> None:
    """A site that is published below a path finds its own pages."""
    below = site / "below"
    parts = ("assets", "search", "threads")
    try:
        for part in parts:
            shutil.copytree(site / part, below / part)
        page = open_page("below/" + START)
        assert found(page, "race condition")[0] == "foundations/races/"
        link = str(options_of(page).first.get_attribute("href"))
        assert "/below/foundations/races/" in link
    finally:
        shutil.rmtree(below)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_found_can_be_read(open_page: Open, size: str, scheme: Any) -> None:  # noqa: ANN401 - Playwright's own
    """The list lies within the window, above the page, in colours that can be told apart."""
    viewport = SIZES[size]
    page = open_page(START, viewport=viewport, color_scheme=scheme)
    found(page, "Ctrl-C does not stop")
    box = page.locator(".handbook-found").bounding_box()

    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= viewport["width"]
    assert box["y"] + box["height"] <= viewport["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    for part in ("page", "lead", "section"):
        text = page.locator(f".handbook-found-{part}").first
        assert text.evaluate(CONTRAST) >= 4.5, part
    options_of(page).first.click()
    page.wait_for_url("**/exit_gracefully/**")


def test_without_scripts_there_is_no_field(browser: Browser, home: str) -> None:
    """What cannot answer is not shown."""
    page = browser.new_page(java_script_enabled=False)
    page.goto(home + START)

    expect(page.get_by_role("search")).to_have_count(0)
    page.close()


def test_the_index_of_zensical_is_read_too(tmp_path: Path) -> None:
    """It becomes the file that the script asks for; tags stay with their page."""
    section = {"level": 1, "title": "Locks", "text": "<p>One. Two three.</p>", "path": ["Locks"]}
    places = ("locks/", "locks/#hold")
    items = [{"location": place, "tags": ["mutex"], **section} for place in places]
    other = {"config": {"lang": ["en"]}, "items": items}
    (tmp_path / "search.json").write_text(json.dumps(other), encoding="utf-8")
    write_search_index(tmp_path, [])

    docs = json.loads((tmp_path / INDEX).read_text(encoding="utf-8"))["docs"]
    assert [doc["location"] for doc in docs] == list(places)
    assert [doc.get("tags") for doc in docs] == [["mutex"], None]
    assert docs[0]["text"].startswith("One.")
