"""From an interval and its gates to a verdict."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from measured.estimates import LEAST_SAMPLES, Estimate, estimate
from measured.gates import Conditions, Gate, gates_of
from measured.machine import Interpreter, Machine
from measured.runs import Run, rounds_of

__all__ = ["Claim", "Decision", "Judged", "Setting", "Verdict", "decide", "judge_claims", "unmet"]


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

    def holds_for(self, ratio: float) -> bool:
        """Tell whether a ratio is on the claim's side of its bound."""
        above = self.at_least is None or ratio >= self.at_least
        return above and (self.at_most is None or ratio <= self.at_most)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What this build says of a claim.

    Attributes:
        decision: One of three.
        reason: Why it is open, or an empty string.
    """

    decision: Decision
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """On what, and in what state of the machine, figures were measured.

    Attributes:
        interpreter: What ran the rounds.
        machine: Where.
        conditions: What the build's control found.
    """

    interpreter: Interpreter
    machine: Machine
    conditions: Conditions


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


def decide(
    claim: Claim, ratios: Sequence[float], gates: Sequence[Gate], setting: Setting
) -> Verdict:
    """Decide a claim: the whole interval must lie on one side of its bound, if all gates are met.

    Args:
        claim: The claim.
        ratios: The ratio of its arms in each round.
        gates: The gates that concern it. If one fails for a bias, nothing is decided. If one
            fails for noise, every single ratio must lie on one side.
        setting: On what and where the rounds were run.
    """
    if missing := unmet(claim.needs, setting.interpreter, setting.machine):
        return Verdict(Decision.OPEN, f"it needs {missing}")
    interval = estimate(ratios)
    if interval.low is None or interval.high is None:
        return Verdict(Decision.OPEN, f"{len(ratios)} of at least {LEAST_SAMPLES} pairs measured")
    failed = [gate for gate in gates if not gate.passed]
    if biased := [gate for gate in failed if not gate.noise]:
        return Verdict(Decision.OPEN, biased[0].reason)
    low, high = (min(ratios), max(ratios)) if failed else (interval.low, interval.high)
    if claim.holds_for(low) and claim.holds_for(high):
        return Verdict(Decision.HOLDS)
    if not claim.holds_for(low) and not claim.holds_for(high):
        return Verdict(Decision.FAILS)
    what, why = ("pairs lie", f"; {failed[0].reason}") if failed else ("interval lies", "")
    return Verdict(Decision.OPEN, f"the {what} on both sides of the bound{why}")


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with what this build found.

    Attributes:
        claim: The claim.
        ratio: The estimate of its ratio.
        build_gates: The gates of the build that concern it.
        own_gates: The gates of its own samples.
        verdict: What follows.
    """

    claim: Claim
    ratio: Estimate
    build_gates: tuple[Gate, ...]
    own_gates: tuple[Gate, ...]
    verdict: Verdict


def judge_claims(runs: Sequence[Run], title: str, setting: Setting) -> list[Judged]:
    """Decide every claim that a block makes on a comparison.

    Raises:
        ValueError: If a claim needs something that is not known.
    """
    rounds, judged = rounds_of(runs, title), []
    for record in runs[-1].records:
        if record["kind"] == "claim" and record["of"] == title:
            over, under = record["ratio"]
            bounds = record["at_least"], record["at_most"]
            claim = Claim(record["text"], over, under, *bounds, tuple(record["needs"]))
            ratios = [arms[over].wall_s / arms[under].wall_s for arms in rounds]
            shared, own = gates_of(rounds, (over, under), claim.needs, setting.conditions)
            verdict = decide(claim, ratios, shared + own, setting)
            judged.append(Judged(claim, estimate(ratios), tuple(shared), tuple(own), verdict))
    return judged
