"""Draw results on logarithmic scales as inline SVG: curves with bands, and costs as dots.

As in `pictures`, widths are percentages and text keeps its size. Lines are drawn in a picture
inside the picture that is stretched to the width; their strokes are not. Curves are told apart by
dashes and marks too, not by colour alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from measured.estimates import Estimate
from measured.pictures import Bar, description_of, frame, percent
from measured.wording import seconds

__all__ = ["Axis", "Curve", "curve_key", "curves", "dots", "log_ticks", "written"]

PLOT_HEIGHT, TOP, FOOT = 240, 24, 44
LEFT, RIGHT = 20.0, 98.0  # percent of the width: the heights stand left of the curves
DOT_ROW = 44
STYLES = 6
DASHES = ("", "7 4", "2 3", "10 3 2 3", "14 4", "5 2")
COMPUTED = "3 3"
MARKS = (
    "M-4-4h8v8h-8z",
    "M0-5l5 9h-10z",
    "M0-5.5l5.5 5.5-5.5 5.5-5.5-5.5z",
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "M0 5l5-9h-10z",
    "M-5-1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",
)


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve.

    Attributes:
        label: What it stands for.
        points: For each value its height, with an interval where there is one.
        computed: Whether it was computed and not measured.
    """

    label: str
    points: Sequence[Estimate]
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """What curves run over.

    Attributes:
        label: What the values are.
        values: The values, from left to right.
    """

    label: str
    values: Sequence[float | str]


def log_ticks(low: float, high: float) -> list[float]:
    """List round numbers from `low` to `high`: powers of ten, and more between if these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    ladders: list[Sequence[float]] = [
        (1,),
        (1, 2, 5),
        (1, 1.5, 2, 3, 4, 5, 6, 7, 8),
        [one / 10 for one in range(10, 100)],
    ]
    for steps in ladders:
        every = (step * 10.0**power for power in powers for step in steps)
        ticks = sorted({tick for tick in every if low <= tick <= high})
        if len(ticks) > 1:
            break
    return ticks


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Map logarithms of numbers from `low` to `high` onto lengths from `start` to `end`."""
    whole = math.log(high / low)

    def place(number: float) -> float:
        return start + (end - start) * math.log(number / low) / whole if whole else start

    return place


def places_of(values: Sequence[float | str]) -> list[float]:
    """Place the values of a sweep from left to right, in percent: numbers by their logarithm."""
    numbers = [value for value in values if not isinstance(value, str) and value > 0]
    if len(numbers) == len(values):
        return [scale(min(numbers), max(numbers), LEFT, RIGHT)(number) for number in numbers]
    return [LEFT + (RIGHT - LEFT) * place / (len(values) - 1) for place in range(len(values))]


def curve_key(number: int, curve: Curve) -> str:
    """Draw the sign of a curve for a legend."""
    mark = "" if curve.computed else mark_at(number, "18", 6)
    return (
        f'<svg class="measured-curve-{number % STYLES}" width="36" height="12" aria-hidden="true">'
        f'<path d="M0 6h36" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-dasharray="{dashes(number, curve)}"/>{mark}</svg>'
    )


def dashes(number: int, curve: Curve) -> str:
    """Choose how a curve is dashed."""
    return COMPUTED if curve.computed else DASHES[number % STYLES]


def mark_at(number: int, x: str, y: float) -> str:
    """Draw the mark of a curve at a place."""
    return (
        f'<svg x="{x}" y="{y:.1f}" overflow="visible">'
        f'<path d="{MARKS[number % STYLES]}" fill="currentColor"/></svg>'
    )


def curves(
    name: str,
    title: str,
    axis: Axis,
    drawn: Sequence[Curve],
    found: str = "",
) -> str:
    """Draw curves over the values of a sweep, both scales logarithmic.

    Args:
        name: Name of the picture, unique on its page.
        title: Its title.
        axis: What the curves run over.
        drawn: The curves.
        found: What they show, in words.

    Returns:
        The SVG element.
    """
    heights = [
        height
        for curve in drawn
        for point in curve.points
        for height in (point.median, point.low, point.high)
        if height is not None
    ]
    low, high = min(heights) / 1.15, max(heights) * 1.15
    y_of, xs = scale(low, high, TOP + PLOT_HEIGHT, TOP), places_of(axis.values)
    bottom = TOP + PLOT_HEIGHT
    parts = [grid_line(y_of(tick), seconds(tick)) for tick in log_ticks(low, high)]
    parts += [value_label(x, bottom + 18, value) for x, value in zip(xs, axis.values, strict=True)]
    parts.append(
        f'<text class="measured-axis" x="50%" y="{bottom + 38}" fill="currentColor" '
        f'text-anchor="middle">{escape(axis.label)}</text>'
    )
    lines = "".join(line_of(number, curve, xs, y_of) for number, curve in enumerate(drawn))
    parts.append(
        f'<svg viewBox="0 0 100 {bottom}" width="100%" height="{bottom}" '
        f'preserveAspectRatio="none">{lines}</svg>'
    )
    parts += [
        f'<g class="measured-curve-{number % STYLES}">'
        + "".join(
            mark_at(number, f"{x:.2f}%", y_of(point.median))
            for x, point in zip(xs, curve.points, strict=True)
        )
        + "</g>"
        for number, curve in enumerate(drawn)
        if not curve.computed
    ]
    description = "; ".join(
        f"{curve.label}: "
        + ", ".join(
            f"{seconds(point.median)} at {value}"
            for value, point in zip(axis.values, curve.points, strict=True)
        )
        for curve in drawn
    )
    told = f"{found} {axis.label}. {description}".lstrip()
    return frame(name, title, told, bottom + FOOT, "".join(parts))


def grid_line(y: float, text: str) -> str:
    """Draw a line across the plot, with its height written on it."""
    return (
        f'<line class="measured-lane" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}" '
        f'stroke="currentColor"/><text class="measured-axis" x="0" y="{y - 4:.1f}" '
        f'fill="currentColor">{escape(text)}</text>'
    )


def value_label(x: float, y: float, value: float | str) -> str:
    """Write a value under the plot; the last one stays inside."""
    anchor = "end" if x >= RIGHT else "middle"
    return (
        f'<text class="measured-axis" x="{x:.2f}%" y="{y}" fill="currentColor" '
        f'text-anchor="{anchor}">{escape(written(value))}</text>'
    )


def written(value: float | str) -> str:
    """Write a value of a sweep; long numbers in groups of three digits."""
    return value if isinstance(value, str) else f"{value:,}"


def line_of(number: int, curve: Curve, xs: Sequence[float], y_of: Callable[[float], float]) -> str:
    """Draw a curve's band and its line."""
    path = "M" + "L".join(
        f"{x:.2f} {y_of(point.median):.1f}" for x, point in zip(xs, curve.points, strict=True)
    )
    line = (
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-dasharray="{dashes(number, curve)}" vector-effect="non-scaling-stroke"/>'
    )
    ends = [(x, point.low, point.high) for x, point in zip(xs, curve.points, strict=True)]
    upper = [f"{x:.2f} {y_of(high):.1f}" for x, _, high in ends if high is not None]
    lower = [f"{x:.2f} {y_of(low):.1f}" for x, low, _ in reversed(ends) if low is not None]
    band = ""
    if upper and not curve.computed:
        band = f'<path d="M{"L".join(upper + lower)}z" fill="currentColor" fill-opacity="0.2"/>'
    return f'<g class="measured-curve-{number % STYLES}">{band}{line}</g>'


def dots(name: str, title: str, rows: Sequence[Bar], found: str = "") -> str:
    """Draw one dot for each row on one logarithmic scale, with its interval.

    Args:
        name: Name of the picture, unique on its page.
        title: Its title.
        rows: What to draw, from top to bottom.
        found: What they show, in words.

    Returns:
        The SVG element.
    """
    low = min(row.low or row.value for row in rows) / 1.5
    high = max(row.high or row.value for row in rows) * 1.5
    x_of, bottom = scale(low, high, 0.0, 100.0), len(rows) * DOT_ROW + 4
    ticks = log_ticks(low, high)
    while len(ticks) > 5:  # noqa: PLR2004 - as many labels as fit on a phone
        ticks = ticks[::2]
    parts = [
        f'<line class="measured-lane" x1="{x_of(tick):.2f}%" x2="{x_of(tick):.2f}%" y1="0" '
        f'y2="{bottom}" stroke="currentColor"/><text class="measured-axis" x="{x_of(tick):.2f}%" '
        f'y="{bottom + 16}" fill="currentColor" text-anchor="middle">{escape(seconds(tick))}</text>'
        for tick in ticks
    ]
    for number, row in enumerate(rows):
        top = number * DOT_ROW
        middle = top + 30
        parts.append(
            f'<text x="0" y="{top + 16}" fill="currentColor">{escape(row.label)}</text>'
            f'<text x="100%" y="{top + 16}" fill="currentColor" text-anchor="end">'
            f"{escape(row.note)}</text>"
            f'<rect class="measured-bar-{min(number, 1)}" x="0" y="{middle - 1}" '
            f'width="{percent(x_of(row.value), 100)}" height="2" fill="currentColor"/>'
            f'<circle class="measured-bar-{min(number, 1)}" cx="{x_of(row.value):.2f}%" '
            f'cy="{middle}" r="6" fill="currentColor"/>'
        )
        if row.low is not None and row.high is not None:
            parts.append(
                f'<line class="measured-interval" x1="{x_of(row.low):.2f}%" '
                f'x2="{x_of(row.high):.2f}%" y1="{middle}" y2="{middle}" stroke="currentColor" '
                f'stroke-width="2"/>'
            )
    return frame(name, title, description_of(rows, found), bottom + 24, "".join(parts))
