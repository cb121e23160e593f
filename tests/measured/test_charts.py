"""Curves, dots and crossings: well-formed, in the right place, and told in words."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measured.charts import Axis, Curve, curve_key, curves, dots, log_ticks
from measured.crossings import crossings, leads
from measured.estimates import Estimate
from measured.pictures import Bar
from measured.wording import seconds

SVG = "{http://www.w3.org/2000/svg}"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=20)
POSITIVE = st.floats(min_value=1e-9, max_value=1e6, allow_nan=False)


def read(svg: str) -> ET.Element:
    """Parse a picture, which must be well-formed."""
    return ET.fromstring(svg)  # noqa: S314 - our own


def exact(value: float) -> Estimate:
    """Make an estimate without doubt."""
    return Estimate(value, value, value, 15)


@given(
    TEXT, st.lists(st.tuples(POSITIVE, POSITIVE), min_size=2, max_size=6, unique_by=lambda p: p[0])
)
def test_curves_are_well_formed_and_read_out(title: str, points: list[tuple[float, float]]) -> None:
    """Whatever the texts and heights are; equal heights and few values too."""
    points.sort()
    axis = Axis("<n> & more", [value for value, _ in points])
    drawn = [
        Curve("a & b", [exact(height) for _, height in points]),
        Curve("law", [Estimate(1.0, None, None, 1)] * len(points), computed=True),
    ]

    picture = read(curves("n", title, axis, drawn))

    assert (picture.findtext(f"{SVG}title") or "") == title
    description = picture.findtext(f"{SVG}desc") or ""
    for value, height in points:
        assert f"{seconds(height)} at {value}" in description
    marks = picture.findall(f"{SVG}g/{SVG}svg")
    assert len(marks) == len(points)  # the computed curve has none


@given(TEXT, st.lists(st.builds(Bar, TEXT, TEXT, POSITIVE), min_size=2, max_size=6))
def test_dots_are_well_formed_and_inside(title: str, rows: list[Bar]) -> None:
    """One dot for each row, between the left and the right end."""
    picture = read(dots("n", title, rows))

    found = [float((dot.get("cx") or "").rstrip("%")) for dot in picture.findall(f"{SVG}circle")]
    assert len(found) == len(rows)
    assert all(0 <= place <= 100 for place in found)
    by_value = [place for _, place in sorted(zip((row.value for row in rows), found, strict=True))]
    assert by_value == sorted(by_value)


def test_a_logarithmic_scale_gives_equal_steps_to_equal_factors() -> None:
    """Ten times as much is as far from a hundred times as from one."""
    rows = [Bar("a", "", 1.0), Bar("b", "", 10.0), Bar("c", "", 100.0)]
    picture = read(dots("n", "t", rows))

    one, two, three = (
        float((dot.get("cx") or "").rstrip("%")) for dot in picture.findall(f"{SVG}circle")
    )
    assert two - one == pytest.approx(three - two, abs=0.02)


def test_values_that_are_no_numbers_stand_side_by_side() -> None:
    """Equal distances, in the order given."""
    drawn = [Curve("a", [exact(1.0), exact(2.0), exact(3.0)])]
    picture = read(curves("n", "t", Axis("start method", ["fork", "spawn", "other"]), drawn))

    xs = [float((mark.get("x") or "").rstrip("%")) for mark in picture.findall(f"{SVG}g/{SVG}svg")]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.5, 2000.0, [1, 10, 100, 1000]),
        (3.0, 40.0, [5, 10, 20]),
        (0.9, 12.0, [1, 10]),
        (2.2, 4.8, [3, 4]),
        (22.0, 24.9, [22, 23, 24]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    """Powers of ten, and steps between them where these are few."""
    assert log_ticks(low, high) == pytest.approx(ticks)


def test_a_computed_curve_has_no_mark_in_the_legend() -> None:
    """Nothing was measured at its points."""
    assert "<svg x" in curve_key(0, Curve("a", []))
    assert "<svg x" not in curve_key(0, Curve("a", [], computed=True))


def sure(lead: int) -> Estimate:
    """Make a ratio with a lead: of the arm, of the baseline, or of neither."""
    return {
        1: Estimate(2, 1.5, 3, 15),
        -1: Estimate(0.5, 0.4, 0.6, 15),
        0: Estimate(1, 0.8, 1.2, 15),
    }[lead]


@pytest.mark.parametrize(
    ("signs", "found"),
    [
        ([-1, -1, 1], [(1, 2)]),
        ([-1, 0, 0, 1], [(0, 3)]),
        ([-1, 1, -1], [(0, 1), (1, 2)]),
        ([1, 1, 1], []),
        ([0, 0], []),
        ([0, 1, 0], []),
    ],
)
def test_a_crossing_lies_between_the_values_that_are_sure(
    signs: list[int], found: list[tuple[int, int]]
) -> None:
    """Where neither surely leads, nothing is said; without a change there is no crossing."""
    assert crossings([sure(sign) for sign in signs]) == found


def test_without_an_interval_nobody_leads() -> None:
    """One pair decides nothing."""
    assert leads(Estimate(5.0, None, None, 1)) == 0
