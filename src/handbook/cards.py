"""Draw the picture that a link to a page shows elsewhere."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from handbook.contents import BuiltPage

__all__ = ["write_cards"]

SIZE = 1200, 630
"""Width and height that the Open Graph protocol's readers ask for."""

MARGIN = 80
GROUND, TEXT, ACCENT, MUTED = "#14313d", "#ffffff", "#5eead4", "#c9d6dc"


def write_cards(site: Path, pages: Sequence[BuiltPage], name: str) -> None:
    """Write `card.png` beside each page.

    Args:
        site: The folder of the built site.
        pages: Its pages.
        name: The site's name.
    """
    for page in pages:
        card = card_of(page.title, page.description, name)
        card.save(site / page.address / "card.png", optimize=True)


def card_of(title: str, description: str, name: str) -> Image.Image:
    """Draw one card: the title, what the page says, the site's name."""
    card = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, 0, 16, SIZE[1]), fill=ACCENT)
    lines = textwrap.wrap(title, 30)[:3]
    draw.multiline_text((MARGIN, 90), "\n".join(lines), fill=TEXT, font=font(66), spacing=18)
    below = 90 + len(lines) * 92 + 30
    told = textwrap.wrap(description, 66)
    room = max(1, (SIZE[1] - 130 - below) // 46)
    if len(told) > room:
        told = [*told[: room - 1], told[room - 1].rstrip(",.;- ") + " …"]
    draw.multiline_text((MARGIN, below), "\n".join(told), fill=MUTED, font=font(32), spacing=12)
    draw.text((MARGIN, SIZE[1] - 90), name, fill=ACCENT, font=font(36))
    return card.quantize(32)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give the typeface that Pillow brings along."""
    return ImageFont.load_default(size)
