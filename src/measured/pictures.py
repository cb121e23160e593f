"""Draw results as inline SVG: bars with intervals, and lanes.

Widths are percentages and text keeps its size, so a picture fits a phone. Colours come from
classes that the site's stylesheet sets for light and dark; without it, all is drawn in the
colour of the text. Each picture has a title and a description that say its result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Bar", "Span", "bars", "lanes"]

BAR_ROW, BAR_THICK = 44, 14
SEEN_SHARE = 0.006  # of the width of a phone, two pixels
LANE_ROW, LANE_THICK = 46, 18
KNOWN_LABELS = ("wait", "compute", "hold")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: What it stands for.
        note: Its value, in words.
        value: Its length.
        low: Lower end of its interval, or None.
        high: Upper end of its interval, or None.
    """

    label: str
    note: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """What a lane did for a while; an instant where start and end are one.

    Attributes:
        lane: Name of the lane.
        label: What it did.
        start: When it began, in seconds from the start of the picture.
        end: When it ended.
    """

    lane: str
    label: str
    start: float
    end: float


def frame(name: str, title: str, description: str, height: int, body: str) -> str:
    """Put a picture into its SVG element."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="{height}" role="img" '
        f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(description)}</desc>{body}</svg>'
    )


def percent(value: float, whole: float) -> str:
    """Write a share as SVG does."""
    return f"{100 * value / whole:.2f}%" if whole else "0%"


def bars(name: str, title: str, rows: Sequence[Bar], found: str = "") -> str:
    """Draw one bar for each row, the longest over the whole width.

    Args:
        name: Name of the picture, unique on its page.
        title: Its title.
        rows: The bars, from top to bottom.
        found: What they show, in words.

    Returns:
        The SVG element.
    """
    whole = max(max(row.value, row.high or 0) for row in rows)
    parts = []
    for number, row in enumerate(rows):
        top = number * BAR_ROW
        middle = top + 22 + BAR_THICK / 2
        seen = whole and row.value >= SEEN_SHARE * whole
        width = percent(row.value, whole) if seen else "2"
        parts.append(
            f'<text x="0" y="{top + 15}" fill="currentColor">{escape(row.label)}</text>'
            f'<text x="100%" y="{top + 15}" fill="currentColor" text-anchor="end">'
            f"{escape(row.note)}</text>"
            f'<rect class="measured-bar-{min(number, 1)}" x="0" y="{top + 22}" rx="2" '
            f'width="{width}" height="{BAR_THICK}" fill="currentColor"/>'
        )
        if row.low is not None and row.high is not None:
            low, high = percent(row.low, whole), percent(row.high, whole)
            parts.append(
                f'<g class="measured-interval" stroke="currentColor" stroke-width="2">'
                f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>'
                f'<line x1="{low}" x2="{low}" y1="{middle - 5}" y2="{middle + 5}"/>'
                f'<line x1="{high}" x2="{high}" y1="{middle - 5}" y2="{middle + 5}"/></g>'
            )
    height = len(rows) * BAR_ROW
    return frame(name, title, description_of(rows, found), height, "".join(parts))


def description_of(rows: Sequence[Bar], found: str) -> str:
    """Say each value in words, and what they show."""
    values = "; ".join(f"{row.label}: {row.note}" for row in rows)
    return f"{values}. {found}" if found else values


def lanes(name: str, title: str, spans: Sequence[Span], axis: str) -> str:
    """Draw who did what when: a lane for each name, in the order of first appearance.

    Args:
        name: Name of the picture, unique on its page.
        title: Its title.
        spans: The spans and instants.
        axis: What the whole width stands for, in words.

    Returns:
        The SVG element.
    """
    names = list(dict.fromkeys(span.lane for span in spans))
    labels = list(dict.fromkeys(span.label for span in spans))
    whole = max((span.end for span in spans), default=0.0)
    parts = []
    for number, lane in enumerate(names):
        top = number * LANE_ROW
        parts.append(
            f'<text x="0" y="{top + 15}" fill="currentColor">{escape(lane)}</text>'
            f'<line class="measured-lane" x1="0" x2="100%" y1="{top + 42}" y2="{top + 42}" '
            f'stroke="currentColor"/>'
        )
        parts += [draw_span(span, labels, top + 22, whole) for span in spans if span.lane == lane]
    foot = len(names) * LANE_ROW + 16
    parts.append(
        f'<text class="measured-axis" x="0" y="{foot}" fill="currentColor">0</text>'
        f'<text class="measured-axis" x="100%" y="{foot}" fill="currentColor" text-anchor="end">'
        f"{escape(axis)}</text>"
    )
    description = "; ".join(
        f"{span.lane}: {span.label} from {percent(span.start, whole)} to {percent(span.end, whole)}"
        for span in spans[:40]
    )
    return frame(name, title, description, foot + 6, "".join(parts))


def draw_span(span: Span, labels: Sequence[str], top: int, whole: float) -> str:
    """Draw one span, or an instant as a line."""
    start = percent(span.start, whole)
    if span.start == span.end:
        return (
            f'<line class="measured-mark" x1="{start}" x2="{start}" y1="{top - 4}" '
            f'y2="{top + LANE_THICK + 4}" stroke="currentColor" stroke-width="2"/>'
        )
    width = percent(span.end - span.start, whole)
    return (
        f'<rect class="measured-{label_class(span.label, labels)}" x="{start}" y="{top}" '
        f'width="{width}" height="{LANE_THICK}" rx="2" fill="currentColor"/>'
    )


def label_class(label: str, labels: Sequence[str]) -> str:
    """Name the class that colours a label: its own if it is known, else one of four in turn."""
    if label in KNOWN_LABELS:
        return label
    others = [one for one in labels if one not in KNOWN_LABELS]
    return f"other-{others.index(label) % 4}"
