"""Time the arms of a comparison, in pairs.

Runs inside blocks: standard library only. Under a build each run of a block adds
one pair; by hand a few pairs are taken at once and printed as a table.
"""

import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from measured import records

__all__ = ["Comparison", "compare"]

SHORTEST_SAMPLE_S = 0.2  # shorter samples are repeated: below it, the scheduler is what is measured
SHORTEST_GUESS_S = 0.02  # what one call takes is estimated from at least this long
PAIRS_BY_HAND = 5

Arm = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm, timed once.

    Attributes:
        calls: How often the arm was called.
        wall_s: Seconds per call.
        cpu_s: CPU seconds per call, of this process and of the children that it has waited for.
    """

    calls: int
    wall_s: float
    cpu_s: float


def cpu_seconds() -> float:
    """Read the CPU seconds used so far by this process and the children it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def sample(arm: Arm, calls: int) -> Sample:
    """Time `calls` calls of `arm` in a row."""
    gc.collect()
    cpu, wall = cpu_seconds(), time.perf_counter()
    for _ in range(calls):
        arm()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return Sample(calls, wall / calls, cpu / calls)


def warm_up(arm: Arm) -> tuple[object, int]:
    """Call `arm` until it is known how many calls make a sample long enough.

    Returns:
        The arm's result and that number of calls.
    """
    start = time.perf_counter()
    result = arm()
    taken_s, calls = time.perf_counter() - start, 1
    while taken_s < SHORTEST_GUESS_S:
        calls *= 10
        taken_s = sample(arm, calls).wall_s * calls
    return result, max(1, math.ceil(SHORTEST_SAMPLE_S * calls / taken_s))


def warm_up_all(title: str, arms: dict[str, Arm]) -> dict[str, int]:
    """Warm every arm up and refuse those that disagree with the first.

    Returns:
        For each arm the number of calls that make a sample.

    Raises:
        ValueError: If there are fewer than two arms, or an arm's result differs.
    """
    if len(arms) < 2:  # noqa: PLR2004 - a pair
        raise ValueError(f"{title!r} needs two arms or more, got {len(arms)}")
    warm = {name: warm_up(arm) for name, arm in arms.items()}
    (baseline, (expected, _)), *others = warm.items()
    for name, (result, _) in others:
        if result != expected:
            raise ValueError(
                f"{title!r} compares arms that disagree: {baseline} gives {shorten(expected)}, "
                f"{name} gives {shorten(result)}"
            )
    return {name: calls for name, (_, calls) in warm.items()}


def shorten(result: object) -> str:
    """Write a result in 60 characters."""
    text = repr(result)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - as said above


@dataclass(frozen=True, slots=True)
class Comparison:
    """Pairs of the arms of one comparison, as measured by this run.

    Attributes:
        title: What is compared.
        rounds: For each round the sample of each arm, by name.
    """

    title: str
    rounds: tuple[dict[str, Sample], ...]

    def claim(
        self,
        text: str,
        *,
        ratio: tuple[str, str],
        at_least: float | None = None,
        at_most: float | None = None,
        needs: Sequence[str] = (),
    ) -> None:
        """Tie a sentence of the page to a bound on the ratio of two arms.

        Args:
            text: The sentence, as a reader should remember it.
            ratio: Names of two arms; the ratio is the time of the first over that of the second.
            at_least: Lower bound on the ratio.
            at_most: Upper bound on the ratio. Give one of the two bounds.
            needs: What the machine must have for the sentence to be decided: `"gil"`,
                `"free-threaded"`, a number of cores as `"2 cores"`, or a Python as `"3.14"`.

        Raises:
            ValueError: If an arm is unknown, or not exactly one bound is given.
        """
        unknown = [arm for arm in ratio if arm not in self.rounds[0]]
        if unknown:
            raise ValueError(f"{self.title!r} has no arm {unknown[0]!r}")
        if (at_least is None) == (at_most is None):
            raise ValueError(f"a claim needs one bound, at_least or at_most: {text!r}")
        if records.under_a_build():
            record = {"kind": "claim", "of": self.title, "text": text, "ratio": list(ratio)}
            bound = {"at_least": at_least, "at_most": at_most, "needs": list(needs)}
            records.emit({**record, **bound})
            return
        over, under = ratio
        middle = statistics.median(pair[over].wall_s / pair[under].wall_s for pair in self.rounds)
        words = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
        print(f"{text}\n  {over} / {under}: {middle:.2f} here, {words} claimed")  # noqa: T201 - by hand


def compare(title: str, /, **arms: Arm) -> Comparison:
    """Time the arms back to back; each round is one pair with the first arm.

    The order of the arms turns around from round to round. Each arm is called often enough
    for a sample of 0.2 s, and once or more before, to warm up.

    Args:
        title: What is compared, as the title of the figure.
        arms: Callables without arguments, by name. The first is the baseline. All must return
            equal results.

    Returns:
        The samples, on which claims are made.

    Raises:
        ValueError: If there are fewer than two arms, or their results differ.
    """
    calls = warm_up_all(title, arms)
    by_hand = not records.under_a_build()
    first = records.round_number()
    rounds = []
    for number in range(first, first + (PAIRS_BY_HAND if by_hand else 1)):
        order = list(arms) if number % 2 == 0 else list(reversed(arms))
        samples = {name: sample(arms[name], calls[name]) for name in order}
        rounds.append({name: samples[name] for name in arms})
    comparison = Comparison(title, tuple(rounds))
    if by_hand:
        print_table(comparison)
    else:
        fields = {
            name: {"calls": taken.calls, "wall_s": taken.wall_s, "cpu_s": taken.cpu_s}
            for name, taken in rounds[0].items()
        }
        records.emit({"kind": "comparison", "title": title, "arms": fields})
    return comparison


def print_table(comparison: Comparison) -> None:
    """Print the medians of a comparison that was run by hand."""
    baseline, *_ = comparison.rounds[0]
    print(f"{comparison.title} ({len(comparison.rounds)} pairs)")  # noqa: T201 - by hand
    for name in comparison.rounds[0]:
        wall_s = statistics.median(pair[name].wall_s for pair in comparison.rounds)
        ratio = statistics.median(
            pair[baseline].wall_s / pair[name].wall_s for pair in comparison.rounds
        )
        print(f"  {name:<20} {wall_s:10.6f} s   {baseline} / {name}: {ratio:.2f}")  # noqa: T201 - by hand
