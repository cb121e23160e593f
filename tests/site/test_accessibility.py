"""What axe finds on every page, in light and dark, and what a keyboard reaches."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from npm_packages import find
from playwright.sync_api import Browser, Page

TOPIC = "threads/overlap_waits/"
PARTS = 8  # none takes long enough to be thought to hang
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = """async (asked) => {
    const settings = {runOnly: asked, resultTypes: ["violations"], preload: false};
    const {violations} = await axe.run(document, settings);
    return violations.flatMap(({id, nodes}) => nodes.map(({target}) => `${id}: ${target}`));
}"""
STOPS = """[...document.querySelectorAll(
    "a[href], button, input:not([type=radio]), select, textarea, summary, [tabindex='0']"
)].filter((one) => one.checkVisibility({visibilityProperty: true}))"""
FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    const {top, bottom} = one.getBoundingClientRect();
    return {
        place: stops.indexOf(one),
        name: `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 30)}`,
        seen: one.checkVisibility({opacityProperty: true, visibilityProperty: true})
            && bottom > 0 && top < innerHeight
            && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
    };
}"""


@pytest.fixture(scope="module")
def examine(browser: Browser) -> Iterator[Callable[[str], dict[str, list[str]]]]:
    """Give a function that lists what axe finds on a page in light, and its contrasts in dark."""
    script = find("axe-core/axe.min.js")
    if script is None:
        assert os.environ.get("CI") != "true", "no npm here that installs axe"
        pytest.skip("no npm here that installs axe: on Debian or Ubuntu, sudo apt install npm")
    # The page's own policy would not let axe in; a colour that changes slowly has no contrast yet.
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()

    def examine(address: str) -> dict[str, list[str]]:
        page.emulate_media(color_scheme="light")
        page.goto(address, wait_until="load")
        page.add_script_tag(path=script)
        found: dict[str, list[str]] = {"light": page.evaluate(AXE, TAGS)}
        page.emulate_media(color_scheme="dark")
        found["dark"] = page.evaluate(AXE, ["color-contrast"])
        return {scheme: faults for scheme, faults in found.items() if faults}

    yield examine
    context.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_axe_finds_nothing_on_any_page(
    examine: Callable[[str], dict[str, list[str]]], home: str, site: Path, part: int
) -> None:
    """By all rules for WCAG 2.0 to 2.2, A and AA, and its best practices."""
    every = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    pages = every[part::PARTS]
    found = {page: faults for page in pages if (faults := examine(home + page))}

    assert len(pages) > 5
    assert found == {}


def test_axe_finds_faults(examine: Callable[[str], dict[str, list[str]]], tmp_path: Path) -> None:
    """No language, a picture without words, and grey on white; in the dark grey on black."""
    page = tmp_path / "page.html"
    page.write_text(
        """<title>Page</title><main><h1>Page</h1><img src="data:,">
        <p style="color: #ccc; background: light-dark(#fff, #000)">light</p>
        <p style="color: #444; background: light-dark(#fff, #000)">dark</p></main>
        <style>:root { color-scheme: light dark }</style>""",
        encoding="utf-8",
    )
    found = examine(page.as_uri())

    assert {fault.split(":")[0] for fault in found["light"]} >= {"html-has-lang", "image-alt"}
    assert [fault for fault in found["light"] if "contrast" in fault] == [
        "color-contrast: p:nth-child(3)"
    ]
    assert found["dark"] == ["color-contrast: p:nth-child(4)"]


@pytest.mark.parametrize("address", [TOPIC, "choose/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tab_key_reaches_everything(
    open_page: Callable[..., Page], address: str, scheme: str
) -> None:
    """Each link, button, field and box that scrolls, in view and with a frame around it."""
    page = open_page(address, color_scheme=scheme, reduced_motion="reduce")
    count = page.evaluate(f"(window.stops = {STOPS}).length")
    reached: list[dict[str, Any]] = []
    for _ in range(count + 50):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["name"].startswith("BODY"):
            break
        reached.append(focused)

    assert [one["name"] for one in reached if not one["seen"]] == []
    places = {one["place"] for one in reached} - {-1}
    assert places == set(range(count))
