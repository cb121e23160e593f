"""The built pages, found by what the navigation names."""

from pathlib import Path
from typing import Any

import pytest

from handbook.contents import built_pages

NAV: list[Any] = [
    {"Home": "index.md"},
    "choose.md",
    {
        "Threads": [
            "threads/index.md",
            {"Waits": "threads/waits.md"},
            {"Below": ["threads/reindex.md"]},
            {"Not built": "threads/gone.md"},
        ]
    },
    {"Elsewhere": "https://a.test/index.md"},
]
PAGE = '<meta charset="utf-8"><meta name="description" content="{}"><article>{}</article>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Make the pages that the navigation names, but for one."""
    for folder in ("", "choose", "threads", "threads/waits", "threads/reindex"):
        path = tmp_path / folder / "index.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        heading = f'<h1>In <em>{folder}</em><a class="headerlink" href="#">¶</a></h1>'
        path.write_text(PAGE.format("A &quot;word&quot; &lt;é&gt;", heading), encoding="utf-8")
    return tmp_path


def test_pages_come_in_reading_order(site: Path) -> None:
    """With chapter and address; `reindex` is no index, and what was not built is left out."""
    found = [(page.chapter, page.address) for page in built_pages(site, NAV)]

    assert found == [
        ("", ""),
        ("", "choose/"),
        ("Threads", "threads/"),
        ("Threads", "threads/waits/"),
        ("Threads", "threads/reindex/"),
    ]


def test_titles_and_descriptions_are_read_as_text(site: Path) -> None:
    """Without marks of HTML and without the link of the heading."""
    page = list(built_pages(site, NAV))[1]

    assert (page.title, page.description) == ("In choose", 'A "word" <é>')


def test_a_page_without_either_has_neither(site: Path) -> None:
    """Nothing fails."""
    (site / "choose" / "index.html").write_text("<p>Words", encoding="utf-8")
    page = list(built_pages(site, NAV))[1]

    assert (page.title, page.description) == ("", "")
