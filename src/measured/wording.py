"""Write durations, ratios and verdicts as a reader sees them."""

import math

from measured.estimates import Estimate
from measured.verdict import Decision, Judged

__all__ = ["SIGNS", "figure_of", "interval", "number", "seconds", "told", "words"]

ROUNDS_TO_1000 = 999.5
SIGNS = {Decision.HOLDS: "✓", Decision.FAILS: "✗", Decision.OPEN: "?"}


def seconds(value: float) -> str:
    """Write a duration with three digits and the unit that suits it."""
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
    # What rounds to 1 of a unit is not written as 1000 of the next.
    unit, size = next((one for one in units if value >= 0.9995 * one[1]), units[-1])
    count = value / size
    return f"{count:.3g} {unit}" if count < ROUNDS_TO_1000 else f"{count:.0f} {unit}"


def number(ratio: Estimate) -> str:
    """Write a ratio as precisely as its interval allows, and the interval."""
    if ratio.low is None or ratio.high is None:
        digits = max(0, 1 - math.floor(math.log10(ratio.median)))
        return f"{ratio.median:.{digits}f} (no interval yet)"
    width = ratio.high - ratio.low
    most = max(3, 2 - math.floor(math.log10(ratio.median)))
    digits = min(most, max(0, 1 - math.floor(math.log10(width)))) if width > 0 else most
    return f"{ratio.median:.{digits}f} ({ratio.low:.{digits}f} to {ratio.high:.{digits}f})"


def interval(time: Estimate) -> str:
    """Write a duration with its interval."""
    if time.low is None or time.high is None:
        return seconds(time.median)
    return f"{seconds(time.median)} ({seconds(time.low)} to {seconds(time.high)})"


def words(arm: str) -> str:
    """Write the name of an arm as a reader does."""
    return arm.replace("_", " ")


def told(judged: Judged) -> str:
    """Write a verdict, with its reason if there is one."""
    verdict = judged.verdict
    return (
        f"{verdict.decision.value}: {verdict.reason}" if verdict.reason else verdict.decision.value
    )


def figure_of(judged: Judged) -> str:
    """Write a claim's ratio beside its bound."""
    claim = judged.claim
    ratio = f"{words(claim.over)} / {words(claim.under)}"
    return f"{ratio} is {number(judged.ratio)}, {claim.bound} claimed"
