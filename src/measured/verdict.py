"""From samples to an interval, and from an interval to a verdict."""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from measured.machine import Interpreter, Machine
from measured.runs import Run

__all__ = [
    "Claim",
    "Decision",
    "Estimate",
    "Judged",
    "Verdict",
    "arms_of",
    "decide",
    "estimate",
    "judge_claims",
    "unmet",
]

CONFIDENCE = 0.95
"""The interval covers the true median at least this often, if rounds are independent."""


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


class Decision(Enum):
    """What a build can say of a claim."""

    HOLDS = "holds here"
    FAILS = "does not hold here"
    OPEN = "not decided here"


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of a page, tied to a bound on a ratio of two arms.

    Attributes:
        text: The sentence.
        over: The arm whose time is above the line.
        under: The arm whose time is below it.
        at_least: Lower bound, or None.
        at_most: Upper bound, or None.
        needs: What the machine must have.
    """

    text: str
    over: str
    under: str
    at_least: float | None
    at_most: float | None
    needs: tuple[str, ...]

    @property
    def bound(self) -> str:
        """The bound, in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What this build says of a claim.

    Attributes:
        decision: One of three.
        reason: Why it is open, or an empty string.
    """

    decision: Decision
    reason: str = ""


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


def unmet(needs: Sequence[str], interpreter: Interpreter, machine: Machine) -> str:
    """Name the first need that is not met here; an empty string if all are.

    Raises:
        ValueError: If a need is none of those known.
    """
    for need in needs:
        if cores := re.fullmatch(r"(\d+) cores", need):
            met = machine.cores >= int(cores[1])
        elif version := re.fullmatch(r"(\d+)\.(\d+)", need):
            met = interpreter.version[:2] >= (int(version[1]), int(version[2]))
        elif need in {"gil", "free-threaded"}:
            met = interpreter.gil is (need == "gil")
        else:
            raise ValueError(
                f"unknown need {need!r}: gil, free-threaded, '2 cores' and '3.14' are known"
            )
        if not met:
            return {"gil": "the GIL", "free-threaded": "a free-threaded build"}.get(
                need, f"Python {need}" if "." in need else need
            )
    return ""


def decide(claim: Claim, ratio: Estimate, interpreter: Interpreter, machine: Machine) -> Verdict:
    """Decide a claim: the whole interval must lie on one side of its bound."""
    if missing := unmet(claim.needs, interpreter, machine):
        return Verdict(Decision.OPEN, f"it needs {missing}")
    if ratio.low is None or ratio.high is None:
        return Verdict(Decision.OPEN, f"{ratio.samples} of at least 6 pairs measured")
    if claim.at_least is not None:
        right, wrong = ratio.low >= claim.at_least, ratio.high < claim.at_least
    else:
        assert claim.at_most is not None  # noqa: S101 - a claim has one of the two
        right, wrong = ratio.high <= claim.at_most, ratio.low > claim.at_most
    if right:
        return Verdict(Decision.HOLDS)
    if wrong:
        return Verdict(Decision.FAILS)
    return Verdict(Decision.OPEN, "the interval lies on both sides of the bound")


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with what this build found.

    Attributes:
        claim: The claim.
        ratio: The estimate of its ratio.
        verdict: What follows.
    """

    claim: Claim
    ratio: Estimate
    verdict: Verdict


def arms_of(runs: Sequence[Run], title: str) -> list[dict[str, float]]:
    """List for each round the seconds of each arm of a comparison."""
    return [
        {name: arm["wall_s"] for name, arm in record["arms"].items()}
        for run in runs
        for record in run.records
        if record["kind"] == "comparison" and record["title"] == title
    ]


def judge_claims(
    runs: Sequence[Run], title: str, interpreter: Interpreter, machine: Machine
) -> list[Judged]:
    """Decide every claim that a block makes on a comparison.

    Raises:
        ValueError: If a claim needs something that is not known.
    """
    rounds, judged = arms_of(runs, title), []
    for record in runs[-1].records:
        if record["kind"] == "claim" and record["of"] == title:
            over, under = record["ratio"]
            bounds = record["at_least"], record["at_most"]
            claim = Claim(record["text"], over, under, *bounds, tuple(record["needs"]))
            ratio = estimate([arms[over] / arms[under] for arms in rounds])
            judged.append(Judged(claim, ratio, decide(claim, ratio, interpreter, machine)))
    return judged
