"""What is left of the index of MkDocs."""

import json
from pathlib import Path

from bs4 import BeautifulSoup

from handbook.contents import BuiltPage
from handbook.search_index import INDEX, write_search_index


def texts(site: Path, *sections: tuple[str, str], description: str = "") -> dict[str, str]:
    """Condense the index of a page "a/", and give the text of each section."""
    docs = [{"location": place, "title": "T", "text": text} for place, text in sections]
    (site / INDEX).parent.mkdir()
    (site / INDEX).write_text(json.dumps({"config": {}, "docs": docs}), encoding="utf-8")
    others = [BuiltPage("", f"{name}/", "", "", BeautifulSoup("", "html.parser")) for name in "bcd"]
    page = BuiltPage("", "a/", "T", description, BeautifulSoup("", "html.parser"))
    write_search_index(site, [page, *others])
    found = json.loads((site / INDEX).read_text(encoding="utf-8"))["docs"]
    return {section["location"]: section["text"] for section in found}


OTHERS = tuple((f"{name}/", "<p>Other.</p>") for name in "bcde")


def test_text_is_kept_as_it_is_read(tmp_path: Path) -> None:
    """The sentence that is shown has no entity, and no entity is a word."""
    found = texts(
        tmp_path,
        ("a/", "<p>It takes a &lt; b &amp; c. Then &quot;more&quot;.</p>"),
        ("a/#b", "<p>Less &lt; more &amp; lost</p>"),
        *OTHERS,
    )

    assert found["a/"] == "It takes a < b & c. then more"
    assert found["a/#b"] == "less lost"


def test_words_of_any_script_are_kept_whole(tmp_path: Path) -> None:
    """The search reads them so too."""
    found = texts(tmp_path, ("a/", "<p>First. A naïve Über-größe.</p>"), *OTHERS)

    assert found["a/"] == "First. naïve über größe"


def test_the_description_is_shown(tmp_path: Path) -> None:
    """Before what the page begins with, as it stands, and each word of it once."""
    found = texts(tmp_path, ("a/", "<p>Words, again.</p>"), *OTHERS, description="Words & <b>.")

    assert found["a/"] == "Words & <b>. again"
