"""Draw one figure as an SVG file that stands alone: for a README, a slide, a mail.

Unlike the pictures on a page it brings its own style, and has a fixed width.
"""

from collections.abc import Sequence
from html import escape

from measured.pictures import Bar

__all__ = ["card"]

WIDTH, MARGIN, ROW = 640, 20, 50
WHOLE = WIDTH - 2 * MARGIN
STYLE = """
text { fill: #24292f; font: 15px system-ui, sans-serif; }
.heading { font-size: 17px; font-weight: 600; }
.plate { fill: #57606a; font-size: 13px; }
.card { fill: #fff; stroke: #d0d7de; }
.bar { fill: #0f766e; }
.first { fill: #5b6b7f; }
.interval { stroke: #24292f; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .plate { fill: #9da7b3; }
  .card { fill: #0d1117; stroke: #3d444d; }
  .bar { fill: #2dd4bf; }
  .first { fill: #93a3b5; }
  .interval { stroke: #e6edf3; }
}
"""


def card(title: str, rows: Sequence[Bar], notes: Sequence[str], plate: str) -> str:
    """Draw bars with intervals on a card.

    Args:
        title: Its heading.
        rows: The bars, from top to bottom; the first is the baseline.
        notes: Lines under the bars.
        plate: The last line: where, on what and when it was measured.

    Returns:
        The text of an SVG file.
    """
    scale = WHOLE / max(max(row.value, row.high or 0) for row in rows)
    parts = [f'<text class="heading" x="{MARGIN}" y="34">{escape(title)}</text>']
    for number, row in enumerate(rows):
        top = 48 + number * ROW
        kind = "bar" if number else "first"
        parts.append(
            f'<text x="{MARGIN}" y="{top + 18}">{escape(row.label)}</text>'
            f'<text x="{WIDTH - MARGIN}" y="{top + 18}" text-anchor="end">{escape(row.note)}</text>'
            f'<rect class="{kind}" x="{MARGIN}" y="{top + 28}" height="14" rx="2" '
            f'width="{max(2, row.value * scale):.1f}"/>'
        )
        if row.low is not None and row.high is not None:
            low, high = (f"{MARGIN + end * scale:.1f}" for end in (row.low, row.high))
            path = f"M{low} {top + 35}H{high}M{low} {top + 30}v10M{high} {top + 30}v10"
            parts.append(f'<path class="interval" d="{path}"/>')
    foot = 48 + len(rows) * ROW
    for number, note in enumerate(notes, start=1):
        parts.append(f'<text x="{MARGIN}" y="{foot + 22 * number}">{escape(note)}</text>')
    height = foot + 22 * len(notes) + 40
    parts.append(f'<text class="plate" x="{MARGIN}" y="{height - 16}">{escape(plate)}</text>')
    description = "; ".join([*(f"{row.label}: {row.note}" for row in rows), *notes])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="title description">\n<title id="title">{escape(title)}</title>\n'
        f'<desc id="description">{escape(description)}</desc>\n<style>{STYLE}</style>\n'
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
