"""Write each page as Markdown too, with what was measured, and list them in llms.txt.

The form of the list is that of https://llmstxt.org.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from bs4 import Tag
from markdownify import MarkdownConverter

from handbook.contents import BuiltPage

__all__ = ["write_markdown"]

LEFT_OUT = ".headerlink, script, style, svg, template, button, nav, .handbook-foot"
"""What means nothing without a browser; each figure has a table beside its picture."""

LIST = """\
# {name}

> {description}

Every figure was measured by the build that published it: the machine and the verdicts are on each
page. All samples, with the machine: [measurements.json](measurements.json).
"""


def write_markdown(site: Path, pages: Sequence[BuiltPage], name: str, description: str) -> None:
    """Write `index.md` beside each `index.html`, and `llms.txt`.

    Args:
        site: The folder of the built site.
        pages: Its pages, in reading order.
        name: The site's name.
        description: What the site is, in a sentence.
    """
    parts = [LIST.format(name=name, description=description)]
    for chapter, below in groupby(pages, lambda page: page.chapter):
        lines = [f"\n## {chapter or 'Start here'}\n"]
        for page in below:
            path = site / page.address / "index.md"
            path.write_text(markdown_of(page), encoding="utf-8", newline="\n")
            lines.append(f"- [{page.title}]({page.address}index.md): {page.description}")
        parts.append("\n".join(lines) + "\n")
    (site / "llms.txt").write_text("".join(parts), encoding="utf-8", newline="\n")


def markdown_of(page: BuiltPage) -> str:
    """Convert the content of a page."""
    article = page.html.article or page.html
    for piece in article.select(LEFT_OUT):
        piece.decompose()
    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", code_language_callback=language_of
    )
    text: str = converter.convert_soup(article)
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def language_of(code: Tag) -> str:
    """Name the language of a code block, as the highlighter notes it on the box around it."""
    box = code.find_parent("div", class_="highlight")
    classes = box.get_attribute_list("class") if box else []
    return next((one[9:] for one in classes if one and one.startswith("language-")), "")
