"""Pages as a reader meets them: policy, weight, lines, figures, keys, colours, paper."""

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from handbook.last_changes import changes_in

ROOT = Path(__file__).resolve().parents[2]
FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"

Open = Callable[..., Page]

MOST_BYTES, MOST_REQUESTS, MOST_NODES = 75_000, 8, 900
PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
TOPIC = "threads/overlap_waits/"
VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


def pages_of(site: Path) -> list[str]:
    """List the addresses of all pages."""
    return sorted(
        path.parent.relative_to(site).as_posix().removeprefix(".") + "/" * (path.parent != site)
        for path in site.rglob("index.html")
    )


@pytest.fixture
def watched(browser: Browser) -> Iterator[Page]:
    """Give a page that counts what its policy forbids."""
    context = browser.new_context()
    context.add_init_script(VIOLATIONS)
    yield context.new_page()
    context.close()


def test_every_page_keeps_to_its_policy(watched: Page, home: str, site: Path) -> None:
    """Nothing that a page loads, runs or styles is refused."""
    found = {}
    for address in pages_of(site):
        watched.goto(home + address, wait_until="load")
        policies = watched.locator("meta[http-equiv=Content-Security-Policy]")
        assert policies.count() == 1, address
        found[address] = watched.evaluate("violations")

    assert len(found) > 50
    assert {address: seen for address, seen in found.items() if seen} == {}


@pytest.mark.parametrize(
    ("attempt", "directive"),
    [
        (
            "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
            "script-src",
        ),
        (
            "document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">a</p>')",
            "style-src",
        ),
        (
            "document.body.insertAdjacentHTML('beforeend', '<img src=\"https://example.org/a.png\">')",
            "img-src",
        ),
        ("fetch('https://example.org/').catch(() => null)", "connect-src"),
    ],
    ids=lambda text: text if text.endswith("src") else "",
)
def test_the_policy_refuses(watched: Page, home: str, attempt: str, directive: str) -> None:
    """An inline script, a style attribute and other hosts are not let in."""
    watched.goto(home + TOPIC)
    watched.evaluate(attempt)
    watched.wait_for_function("violations.length > 0")

    assert watched.evaluate("violations")[0].startswith(directive)


def test_every_page_is_light(browser: Browser, home: str, site: Path) -> None:
    """What Chromium asks for when it loads a page, compressed as a server does, and its nodes."""
    context = browser.new_context()
    page = context.new_page()
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - Playwright wants a function
    heavy = {}
    for address in pages_of(site):
        asked.clear()
        page.goto(home + address, wait_until="networkidle")
        files = [urlsplit(one.url).path for one in asked if not one.url.startswith("data:")]
        size = sum(len(gzip.compress(file_of(site, path).read_bytes(), 9)) for path in files)
        nodes = page.evaluate(
            "document.querySelectorAll('*').length"
            " - document.querySelectorAll('.highlight, .highlight *, pre *').length"
        )
        # What lists the whole build, or every function, is no chapter's page.
        most_nodes = MOST_NODES if address.count("/") == 2 and "about/" not in address else 10_000
        if size > MOST_BYTES or len(files) > MOST_REQUESTS or nodes > most_nodes:
            heavy[address] = (size, files, nodes)
    context.close()

    assert heavy == {}


def file_of(site: Path, path: str) -> Path:
    """Find the file that is served under an address."""
    file = site / path.lstrip("/")
    return file / "index.html" if file.is_dir() else file


def test_a_page_loads_without_a_shift(browser: Browser, home: str) -> None:
    """Nothing moves once it is drawn, on a phone too."""
    context = browser.new_context(viewport=PHONE)
    context.add_init_script("""
        window.shifts = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((one) => shifts += one.value))
            .observe({type: "layout-shift", buffered: true});
    """)
    page = context.new_page()
    moved = {}
    for address in ("", TOPIC, "performance/threads_or_asyncio/"):
        page.goto(home + address, wait_until="networkidle")
        moved[address] = page.evaluate("shifts")
    context.close()

    assert set(moved.values()) == {0}, moved


def test_a_line_has_some_seventy_characters(open_page: Open) -> None:
    """Of 16 pixels, counted in the longest lines of prose."""
    page = open_page(TOPIC, viewport=LAPTOP)
    assert page.evaluate("getComputedStyle(document.querySelector('article p')).fontSize") == "16px"
    lengths = page.evaluate("""() => {
        const lengths = [];
        for (const paragraph of document.querySelectorAll("article > p:not([class])")) {
            const lines = new Map();
            const walk = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
            for (let node; (node = walk.nextNode()); ) {
                for (let at = 0; at < node.length; at++) {
                    const range = document.createRange();
                    range.setStart(node, at);
                    range.setEnd(node, at + 1);
                    const line = Math.round(range.getBoundingClientRect().bottom / 12);
                    lines.set(line, (lines.get(line) ?? 0) + 1);
                }
            }
            if (lines.size > 2) lengths.push(Math.max(...lines.values()));
        }
        return lengths.sort((one, other) => one - other);
    }""")

    assert len(lengths) > 5
    assert 65 <= lengths[len(lengths) // 2] <= 75, lengths


@pytest.mark.parametrize("width", [320, 390, 820, 1280])
@pytest.mark.parametrize(
    "address", ["", TOPIC, "performance/threads_or_asyncio/", "about/this_build/", "choose/"]
)
def test_only_boxes_scroll_sideways(open_page: Open, address: str, width: int) -> None:
    """Long code scrolls in its box and wide tables in theirs; the page does not."""
    page = open_page(address, viewport={"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [760, 820, 1280])
def test_the_chapters_fit_in_one_row(open_page: Open, width: int) -> None:
    """All of them are seen without scrolling, and the name above them does not wrap."""
    page = open_page(TOPIC, viewport={"width": width, "height": 800})
    row = page.locator(".handbook-header > .handbook-chapters")
    name = page.locator(".handbook-name > span")

    assert row.get_by_role("link").count() > 8
    assert row.evaluate("row => row.scrollWidth <= row.clientWidth")
    assert name.evaluate(
        "name => name.offsetHeight < 2 * parseFloat(getComputedStyle(name).fontSize)"
    )


def test_a_table_of_prose_is_read_downwards_on_a_phone(open_page: Open) -> None:
    """No cell is out of sight at the side."""
    page = open_page("about/faults/", viewport=PHONE)
    cells = page.locator(".handbook-faults table").first.locator("tbody td")

    ends = cells.evaluate_all("cells => cells.map((one) => one.getBoundingClientRect().right)")

    assert len(ends) > 50
    assert max(ends) <= PHONE["width"]


def test_the_text_of_a_figure_fits_a_phone(open_page: Open) -> None:
    """Each is 12 pixels high at least and within its picture, and no two words collide."""
    page = open_page("performance/starting_costs/", viewport=PHONE)
    faults = page.evaluate("""() => [...document.querySelectorAll("figure.measured > svg")]
        .flatMap((picture) => {
            const frame = picture.getBoundingClientRect();
            const texts = [...picture.querySelectorAll("text")];
            const boxes = texts.map((text) => text.getBoundingClientRect());
            return texts.filter((text, place) => parseFloat(getComputedStyle(text).fontSize) < 12
                || boxes[place].left < frame.left - 1 || boxes[place].right > frame.right + 1
                || boxes.some((box, other) => other > place
                    && box.left < boxes[place].right && boxes[place].left < box.right
                    && Math.abs(box.top - boxes[place].top) < 6)).map((text) => text.textContent);
        })""")

    assert page.locator("figure.measured > svg text").count() > 20
    assert faults == []


def test_a_figure_has_what_a_reader_checks(open_page: Open) -> None:
    """A name and a description with its result, a table, a verdict in words, plate, block, link."""
    page = open_page(TOPIC)
    figure = page.locator("figure.measured").first
    picture = figure.get_by_role("img")
    expect(picture).to_have_accessible_name(
        re.compile("Five waits.*one by one takes .* times as long")
    )
    expect(figure.locator("table")).to_be_visible()
    expect(figure.locator(".measured-verdict strong")).to_have_text(
        re.compile("Holds|Does not hold|Not decided here", re.IGNORECASE)
    )
    expect(figure.locator(".measured-sign")).to_have_text(re.compile("[✓✗?]"))
    plate = figure.locator(".measured-plate").inner_text()
    assert re.fullmatch(r"CPython 3\S* · .+ cores · .+ pairs? · .*\d{4}-\d\d-\d\d", plate), plate
    block = page.locator("figure.measured + details.measured-source").first
    block.locator("summary").click()
    expect(block.locator("pre")).to_be_visible()
    figure.hover()
    figure.locator("a.headerlink").click()
    assert urlsplit(page.url).fragment == figure.get_attribute("id")


def test_the_home_page_shows_all_in_one_screen(open_page: Open) -> None:
    """What this is, a measured figure with its verdict, and both ways in."""
    page = open_page("", viewport=LAPTOP)
    expect(page.locator("h1")).to_be_in_viewport()
    expect(page.locator("figure.measured .measured-verdict")).to_be_in_viewport(ratio=1)
    for name, target in (("I have a problem", "choose/"), ("I want to learn", "foundations/")):
        way = page.get_by_role("link", name=name)
        expect(way).to_be_in_viewport(ratio=1)
        assert way.get_attribute("href") == target


def test_arrow_keys_turn_pages(open_page: Open) -> None:
    """To the right is the next page, to the left the one before; not while something is typed."""
    page = open_page(TOPIC)
    following = page.locator(".handbook-turn a[rel=next]").evaluate("link => link.href")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(following)
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/{TOPIC}")
    page.locator(".handbook-bar > .handbook-scheme select").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert page.url.endswith(TOPIC)


def test_the_reader_chooses_the_colours(open_page: Open) -> None:
    """Dark stays dark from page to page on a light system; then the system holds again."""
    page = open_page("", color_scheme="light", viewport=LAPTOP)
    shown = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(shown)
    choice = page.get_by_role("combobox", name="Colours")
    choice.select_option("Dark")
    dark = page.evaluate(shown)
    assert dark != light
    page.goto(page.url + TOPIC)
    assert page.evaluate(shown) == dark
    assert choice.input_value() == "dark"
    choice.select_option("System")
    assert page.evaluate(shown) == light
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(shown) == dark


def test_a_console_block_is_copied_without_prompts_and_output(open_page: Open) -> None:
    """What was typed, over several lines too, is all there is in the clipboard."""
    page = open_page(TOPIC, permissions=["clipboard-read", "clipboard-write"])
    console = page.locator(".highlight:has(.gp)").first
    shown = console.locator("code").inner_text()
    assert ">>> " in shown
    console.hover()
    console.get_by_role("button", name="Copy").click()
    expect(console.get_by_role("button")).to_have_text("Copied")

    copied = page.evaluate("navigator.clipboard.readText()")
    typed = [line[4:] for line in shown.splitlines() if line.startswith((">>> ", "... "))]
    assert copied.splitlines() == typed


def test_a_reader_can_mend_and_report(open_page: Open) -> None:
    """Links to edit it and to see its source, the form with the page filled in, the last change."""
    page = open_page(TOPIC)
    foot = page.locator(".handbook-foot")
    edit = foot.get_by_role("link", name="Edit this page").get_attribute("href") or ""
    assert urlsplit(edit).path == "/owner/handbook/edit/main/docs/threads/overlap_waits.md"
    source = foot.get_by_role("link", name="View source").get_attribute("href") or ""
    assert urlsplit(source).path == "/owner/handbook/blob/main/docs/threads/overlap_waits.md"
    report = urlsplit(foot.get_by_role("link", name="Report a fault").get_attribute("href") or "")
    asked = parse_qs(report.query)
    assert report.path == "/owner/handbook/issues/new"
    assert asked["page"] == ["threads/overlap_waits.md"]
    form = (FORMS / asked["template"][0]).read_text(encoding="utf-8")
    assert re.search(r"^    id: page$", form, re.MULTILINE)
    changed = changes_in(ROOT).get("threads/overlap_waits.md")  # a clone cut off knows of none
    days = foot.locator("time").evaluate_all("(times) => times.map((time) => time.dateTime)")
    assert days == ([str(changed)] if changed else [])


def test_the_keyboard_alone_suffices(open_page: Open) -> None:
    """The first key skips to the text; on a phone the menu opens, leads on and closes by keys."""
    page = open_page(TOPIC, viewport=PHONE)
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    expect(skip).to_have_text("Skip to content")
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector(':target').tagName") == "H1"
    menu = page.locator(".handbook-menu > summary")
    menu.focus()
    page.keyboard.press("Enter")
    inside = page.locator(".handbook-panel").get_by_role("link", name="Guard a counter")
    expect(inside).to_be_visible()
    page.keyboard.press("Escape")
    expect(inside).to_be_hidden()
    expect(menu).to_be_focused()
    unreachable = page.evaluate("""() =>
        [...document.querySelectorAll("article :is(pre > code, table)")]
            .filter((box) => box.checkVisibility() && box.tabIndex < 0
                && box.scrollWidth > box.clientWidth).length""")
    assert unreachable == 0


def test_a_reader_who_wants_no_motion_gets_none(open_page: Open) -> None:
    """Nothing glides, neither a colour nor the page."""
    page = open_page(TOPIC, reduced_motion="reduce")
    moving = page.evaluate("""() => [...document.querySelectorAll("*")].filter((one) => {
        const style = getComputedStyle(one);
        return style.animationName !== "none" || style.scrollBehavior === "smooth"
            || style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0
                && style.transitionProperty !== "none");
    }).length""")

    assert moving == 0


def test_a_page_prints(open_page: Open) -> None:
    """Text, figures and folded blocks are on paper; what is for the screen is not."""
    page = open_page(TOPIC)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("figure.measured svg").first).to_be_visible()
    expect(page.locator("details.measured-source pre").first).to_be_visible()
    for name in (".handbook-side", ".handbook-turn", ".handbook-menu", ".handbook-copy"):
        expect(page.locator(name).first).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(page.locator("details.measured-source pre").first).to_be_hidden()


def test_a_page_can_be_read_without_scripts(open_page: Open) -> None:
    """Text, figures, chapters and the menu are there; the switch that needs a script is not."""
    page = open_page(TOPIC, viewport=PHONE, java_script_enabled=False)
    expect(page.locator("figure.measured").first).to_be_visible()
    page.locator(".handbook-menu > summary").click()
    expect(page.locator(".handbook-panel").get_by_role("link", name="Performance")).to_be_visible()
    expect(page.locator(".handbook-scheme").first).to_be_hidden()
