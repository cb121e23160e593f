"""From samples to a median and its interval, and how far samples hang together."""

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measured.estimates import LEAST_SAMPLES, Estimate, autocorrelation, estimate, rank_of_low_end

NUMBERS = st.floats(min_value=1e-9, max_value=1e9, allow_nan=False)


@pytest.mark.parametrize(
    ("samples", "rank"), [(15, 4), (31, 10), (6, 1), (9, 2), (5, None), (1, None), (2, None)]
)
def test_the_interval_begins_at_the_rank_of_the_tables(samples: int, rank: int | None) -> None:
    """15 pairs: from the 4th to the 12th; 31: from the 10th to the 22nd; below 6 none."""
    assert rank_of_low_end(samples) == rank
    found = estimate(range(1, samples + 1))
    if rank is None:
        assert (found.low, found.high) == (None, None)
    else:
        assert (found.low, found.high) == (rank, samples + 1 - rank)


@pytest.mark.parametrize("samples", range(6, 40))
def test_the_interval_covers_as_often_as_it_says_and_no_wider(samples: int) -> None:
    """Counted over all outcomes of fair coins: 95 % at least, and one rank further in, less."""
    rank = rank_of_low_end(samples)
    assert rank is not None

    def coverage(low: int) -> float:
        return sum(math.comb(samples, k) for k in range(low, samples - low + 1)) / 2**samples

    assert coverage(rank) >= 0.95 > coverage(rank + 1)


def test_the_coverage_is_true_of_every_order_of_small_samples() -> None:
    """Six samples all on one side of the median: twice in 64, and only then is it missed."""
    missed = 0
    for signs in itertools.product((-1, 1), repeat=6):
        found = estimate([sign * (1 + place) for place, sign in enumerate(signs)])
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= 0 <= found.high
    assert missed == 2


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_the_interval_holds_the_median_and_order_does_not_matter(
    values: list[float], chance: object
) -> None:
    """Both ends are samples; shuffled samples give the same."""
    found = estimate(values)
    assert found.samples == len(values)
    assert found.median == statistics.median(values)
    if len(values) >= 6:
        assert found.low in values
        assert found.high in values
        assert found.low <= found.median <= found.high
    else:
        assert found.low is found.high is None
    chance.shuffle(values)  # type: ignore[attr-defined]
    assert estimate(values) == found


def test_the_fewest_samples_of_an_interval() -> None:
    """What a page says of too few pairs is what the ranks say."""
    assert rank_of_low_end(LEAST_SAMPLES) == 1
    assert rank_of_low_end(LEAST_SAMPLES - 1) is None


def test_the_width_is_a_share_of_the_median() -> None:
    """None where there is no interval."""
    assert Estimate(4.0, 3.0, 5.0, 15).width == 0.5
    assert Estimate(4.0, None, None, 3).width is None


@pytest.mark.parametrize(
    ("values", "like"),
    [
        ([1, 1, 1, 1], 0.0),
        ([1, 2] * 50, -0.99),
        ([1] * 50 + [2] * 50, 0.97),
    ],
)
def test_neighbours_that_are_alike_are_told(values: list[float], like: float) -> None:
    """Equal values tell nothing; ones that alternate are unlike; two spells are alike."""
    assert autocorrelation(values) == pytest.approx(like, abs=0.011)


def test_independent_values_are_hardly_alike() -> None:
    """Of a thousand draws, within what chance allows."""
    chance = random.Random(4)  # noqa: S311 - no secret
    values = [chance.random() for _ in range(1000)]

    assert abs(autocorrelation(values)) < 2 / math.sqrt(1000)
