"""Find where the curves of two arms cross."""

from collections.abc import Sequence
from itertools import pairwise

from measured.estimates import Estimate

__all__ = ["Crossing", "crossings", "leads"]

Crossing = tuple[int, int]
"""Places of the last value at which one arm surely leads, and of the first where the other does."""


def leads(ratio: Estimate) -> int:
    """Tell which arm is surely quicker: 1 for the second, -1 for the baseline, 0 for neither.

    Args:
        ratio: The time of the baseline over that of the second arm.
    """
    if ratio.low is None or ratio.high is None:
        return 0
    return (ratio.low > 1) - (ratio.high < 1)


def crossings(ratios: Sequence[Estimate]) -> list[Crossing]:
    """List between which values the lead surely changes hands.

    Args:
        ratios: For each value the time of the baseline over that of the second arm.
    """
    sure = [place for place, ratio in enumerate(ratios) if leads(ratio)]
    return [
        (one, other) for one, other in pairwise(sure) if leads(ratios[one]) != leads(ratios[other])
    ]
