"""The pages of the site in reading order, as the navigation of mkdocs.yml has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bs4 import BeautifulSoup

__all__ = ["BuiltPage", "built_pages"]


@dataclass(frozen=True, slots=True)
class BuiltPage:
    """A page of a built site.

    Attributes:
        chapter: Its chapter; empty for those at the top.
        address: Its folder below the site, as `threads/overlap_waits/`; empty for the home page.
        title: Its heading.
        description: What it says of itself to search engines.
        html: All of it.
    """

    chapter: str
    address: str
    title: str
    description: str
    html: BeautifulSoup


def built_pages(site: Path, nav: list[Any]) -> Iterator[BuiltPage]:
    """Read the pages that the navigation lists and that were built.

    Args:
        site: The folder of the built site.
        nav: The navigation, as mkdocs.yml has it.

    Yields:
        The pages, in reading order.
    """
    for chapter, source in entries(nav):
        page = PurePosixPath(source).with_suffix("")
        folder = page.parent if page.name == "index" else page
        address = f"{folder}/" if folder.name else ""
        path = site / address / "index.html"
        if not path.is_file():
            continue
        html = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        heading = html.h1
        if heading is not None:
            for link in heading.select(".headerlink"):
                link.decompose()
        described = html.find("meta", attrs={"name": "description"})
        yield BuiltPage(
            chapter,
            address,
            heading.get_text(" ", strip=True) if heading else "",
            str(described["content"]) if described else "",
            html,
        )


def entries(nav: list[Any], chapter: str = "") -> Iterator[tuple[str, str]]:
    """Yield the chapter and the source of each page of a navigation."""
    for entry in nav:
        if isinstance(entry, str):
            yield chapter, entry
            continue
        for name, below in entry.items():
            if isinstance(below, list):
                yield from entries(below, chapter or name)
            else:
                yield chapter, below
