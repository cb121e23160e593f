"""From samples to a median, an interval, and how far the samples hang together."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["LEAST_SAMPLES", "Estimate", "autocorrelation", "estimate"]

CONFIDENCE = 0.95
"""The interval covers the true median at least this often, if rounds are independent."""

LEAST_SAMPLES = 6
"""Fewer give no interval of that confidence."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median and the order-statistic interval around it.

    Attributes:
        median: The median of the samples.
        low: Lower end, or None where there are too few samples for an interval.
        high: Upper end, or None likewise.
        samples: How many samples there are.
    """

    median: float
    low: float | None
    high: float | None
    samples: int

    @property
    def width(self) -> float | None:
        """The interval's width as a share of the median, or None where there is no interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / self.median


def rank_of_low_end(samples: int) -> int | None:
    """Find which smallest sample begins the interval; None if there are too few samples.

    The median lies below the k-th smallest of n samples with the probability that fewer than k
    of n fair coins show heads. The interval leaves out as many at the other end.
    """
    missed, rank = 0.0, None
    for k in range(1, samples // 2 + 1):
        missed += math.comb(samples, k - 1) / 2**samples
        if 2 * missed > 1 - CONFIDENCE:
            break
        rank = k
    return rank


def estimate(values: Sequence[float]) -> Estimate:
    """Estimate the median of what `values` are samples of."""
    ordered = sorted(values)
    median, rank = statistics.median(ordered), rank_of_low_end(len(ordered))
    if rank is None:
        return Estimate(median, None, None, len(ordered))
    return Estimate(median, ordered[rank - 1], ordered[-rank], len(ordered))


def autocorrelation(values: Sequence[float]) -> float:
    """Tell how much each value is like the one before it: 0 not at all, 1 wholly.

    Source:
        The lag-1 sample autocorrelation, as in Box and Jenkins, "Time Series Analysis", 1970.
    """
    mean = statistics.fmean(values)
    apart = [value - mean for value in values]
    whole = sum(one * one for one in apart)
    if whole == 0:
        return 0.0
    return sum(one * following for one, following in pairwise(apart)) / whole
