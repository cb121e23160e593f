"""Durations and ratios, written so that a reader reads them right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measured import wording
from measured.estimates import Estimate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.34, "12.3 s"),
        (1.0, "1 s"),
        (0.9994, "999 ms"),
        (0.99999, "1 s"),
        (0.0123, "12.3 ms"),
        (1.5e-5, "15 µs"),
        (3.2e-8, "32 ns"),
        (0.0, "0 ns"),
        (4321.0, "4321 s"),
    ],
)
def test_a_duration_has_three_digits_and_its_unit(value: float, text: str) -> None:
    """Nobody reads 0.0000123 s, nor 1e+03 ms."""
    assert wording.seconds(value) == text


@given(st.floats(min_value=1e-10, max_value=1e6))
def test_no_duration_is_written_with_an_exponent(value: float) -> None:
    """Neither long nor short ones."""
    assert "e" not in wording.seconds(value)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (Estimate(4.8123, 4.7987, 4.8298, 15), "4.812 (4.799 to 4.830)"),
        (Estimate(4.8123, 4.2, 5.4, 15), "4.8 (4.2 to 5.4)"),
        (Estimate(48.123, 40.2, 58.4, 15), "48 (40 to 58)"),
        (Estimate(2.0, 2.0, 2.0, 15), "2.000 (2.000 to 2.000)"),
        (Estimate(4.8123, None, None, 3), "4.8 (no interval yet)"),
        (Estimate(481.23, None, None, 3), "481 (no interval yet)"),
    ],
)
def test_a_ratio_is_as_precise_as_its_interval(ratio: Estimate, text: str) -> None:
    """No digit is printed that the interval does not bear, and never an exponent."""
    assert wording.number(ratio) == text
