"""Condense the search index that MkDocs or Zensical wrote to what finds and shows a page."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

from handbook.contents import BuiltPage

__all__ = ["INDEX", "write_search_index"]

INDEX = Path("search", "search_index.json")
OF_ZENSICAL = Path("search.json")
CODE = re.compile(r"<(pre|table|figure|svg)\b.*?</\1>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)
WORD = re.compile(r"[^\W\d_]\w+")
LARGEST_SHARE = 0.25
"""Of the pages: a word that is on more of them tells none from the others."""


def write_search_index(site: Path, pages: Sequence[BuiltPage]) -> None:
    """Leave of each page a sentence to show, and each word once; safe to do twice.

    Args:
        site: The folder of the built site.
        pages: Its pages, whose descriptions are found and shown too.
    """
    index = read_index(site)
    if index is None or index["config"].get("condensed"):
        return
    index["docs"] = [section for section in index["docs"] if not is_list_of_sources(section)]
    descriptions = {page.address: page.description for page in pages}
    for section in index["docs"]:
        text = unescape(TAG.sub(" ", CODE.sub(" ", section["text"])))
        section["text"] = " ".join(f"{descriptions.get(section['location'], '')} {text}".split())
    common = words_of_many_pages(index["docs"])
    known: dict[str, set[str]] = {}
    for section in index["docs"]:
        on_page = known.setdefault(page_of(section), set(common))
        first = "#" not in section["location"]
        section["text"] = condensed(section["text"], on_page, with_sentence=first)
    index["config"]["condensed"] = True
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (site / INDEX).parent.mkdir(exist_ok=True)
    (site / INDEX).write_text(text, encoding="utf-8", newline="\n")


def is_list_of_sources(section: dict[str, Any]) -> bool:
    """Tell whether a section is the names and addresses that a page ends with."""
    return section["title"] == "Sources" and "#" in section["location"]


def read_index(site: Path) -> dict[str, Any] | None:
    """Read what the builder wrote, in the form of MkDocs; None if it wrote nothing."""
    if (site / INDEX).is_file():
        ours: dict[str, Any] = json.loads((site / INDEX).read_text(encoding="utf-8"))
        return ours
    if not (site / OF_ZENSICAL).is_file():
        return None
    other = json.loads((site / OF_ZENSICAL).read_text(encoding="utf-8"))
    for section in other["items"]:
        if "#" in section["location"]:
            section.pop("tags", None)  # those of its page
        del section["level"], section["path"]
    return {"config": other["config"], "docs": other["items"]}


def page_of(section: dict[str, Any]) -> str:
    """Name the page of a section."""
    address: str = section["location"]
    return address.partition("#")[0]


def words_of_many_pages(sections: Sequence[dict[str, Any]]) -> set[str]:
    """Find the words that stand on a large share of the pages."""
    pages: dict[str, set[str]] = {}
    for section in sections:
        pages.setdefault(page_of(section), set()).update(WORD.findall(section["text"].lower()))
    counts = Counter(word for words in pages.values() for word in words)
    return {word for word, count in counts.items() if count > LARGEST_SHARE * len(pages)}


def condensed(text: str, known: set[str], *, with_sentence: bool) -> str:
    """Keep the words that are not known yet; they are known from now on.

    Args:
        text: The text, without code and tags.
        known: Words that need not be named again.
        with_sentence: Whether the first sentence is kept as it stands, to be shown.
    """
    found = SENTENCE.match(text) if with_sentence else None
    sentence = found[0] if found else ""
    known.update(WORD.findall(sentence.lower()))
    words = [word for word in dict.fromkeys(WORD.findall(text.lower())) if word not in known]
    known.update(words)
    return " ".join([sentence, *words]).strip()
