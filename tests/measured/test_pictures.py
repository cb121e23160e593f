"""Pictures are well-formed, escape what they are given, and say their result in words."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from measured.pictures import Bar, Span, bars, lanes

SVG = "{http://www.w3.org/2000/svg}"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=20)
SECONDS = st.floats(min_value=0, max_value=1e6, allow_nan=False)


def read(svg: str) -> ET.Element:
    """Parse a picture, which must be well-formed."""
    return ET.fromstring(svg)  # noqa: S314 - our own


@given(TEXT, st.lists(st.builds(Bar, TEXT, TEXT, SECONDS), min_size=1, max_size=5))
def test_bars_are_well_formed_and_read_out(title: str, rows: list[Bar]) -> None:
    """Whatever the texts are, the picture parses and names them."""
    picture = read(bars("n", title, rows))
    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == "n-t n-d"
    assert (picture.findtext(f"{SVG}title") or "") == title
    description = picture.findtext(f"{SVG}desc") or ""
    for row in rows:
        assert f"{row.label}: {row.note}" in description
    assert len(picture.findall(f"{SVG}rect")) == len(rows)


@given(TEXT, st.lists(st.builds(Span, TEXT, TEXT, SECONDS, SECONDS), max_size=8))
def test_lanes_are_well_formed_and_read_out(title: str, spans: list[Span]) -> None:
    """One lane for each name, whatever the names are; none at all too."""
    spans = [Span(s.lane, s.label, min(s.start, s.end), max(s.start, s.end)) for s in spans]
    picture = read(lanes("n", title, spans, "1 s"))
    assert (picture.findtext(f"{SVG}title") or "") == title
    names = len({span.lane for span in spans})
    assert len(picture.findall(f"{SVG}line[@class='measured-lane']")) == names
    marks = picture.findall(f"{SVG}line[@class='measured-mark']")
    assert len(marks) + len(picture.findall(f"{SVG}rect")) == len(spans)


def test_the_longest_bar_fills_the_width_and_the_others_their_share() -> None:
    """Lengths are percentages, so that a picture fits any screen."""
    picture = read(bars("n", "t", [Bar("a", "", 4.0), Bar("b", "", 1.0)]))
    assert [rect.get("width") for rect in picture.findall(f"{SVG}rect")] == ["100.00%", "25.00%"]


def test_an_interval_is_drawn_and_stays_inside() -> None:
    """Its upper end sets the scale if it is beyond every bar."""
    picture = read(bars("n", "t", [Bar("a", "", 4.0, 2.0, 8.0), Bar("b", "", 1.0)]))
    lines = picture.findall(f".//{SVG}line")
    assert [(line.get("x1"), line.get("x2")) for line in lines] == [
        ("25.00%", "100.00%"),
        ("25.00%", "25.00%"),
        ("100.00%", "100.00%"),
    ]
    assert picture.findall(f"{SVG}rect")[0].get("width") == "50.00%"


def test_known_labels_have_their_colour_and_others_their_own() -> None:
    """A fifth unknown label takes the first colour again."""
    spans = [Span("m", label, 0, 1) for label in ("wait", "a", "hold", "b", "c", "d", "e")]
    picture = read(lanes("n", "t", spans, "1 s"))
    classes = [rect.get("class") for rect in picture.findall(f"{SVG}rect")]
    assert classes == [
        f"measured-{name}"
        for name in ("wait", "other-0", "hold", "other-1", "other-2", "other-3", "other-0")
    ]
