"""Time the arms of a comparison, in pairs; over a range of values; or operation by operation.

Runs inside blocks: standard library only. Under a build each run of a block adds
one round; by hand a few rounds are taken at once and printed as a table.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from measured import records
from measured.sampling import Repeat, Sample, Sampler

__all__ = ["Comparison", "compare", "cost", "sweep"]

ROUNDS_BY_HAND = 5
LEAST_ARMS = 2

Value = TypeVar("Value", int, float, str)
Arm = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What this run measured of some arms.

    Attributes:
        title: What is compared.
        rounds: For each round the sample of each arm, by name.
    """

    title: str
    rounds: tuple[Mapping[str, Sample], ...]

    def time_s(self, arm: str) -> float:
        """Return the median seconds of a call of one arm, as this run measured it.

        Raises:
            ValueError: If there is no such arm.
        """
        self._check(arm)
        return statistics.median(samples[arm].wall_s for samples in self.rounds)

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
                An arm of a sweep is named with its value, as `"threads at 100"`.
            at_least: Lower bound on the ratio.
            at_most: Upper bound on the ratio. Give one of the two bounds.
            needs: What the machine must have for the sentence to be decided: `"gil"`,
                `"free-threaded"`, a number of cores as `"2 cores"`, or a Python as `"3.14"`.

        Raises:
            ValueError: If an arm is unknown, or not exactly one bound is given.
        """
        over, under = ratio
        self._check(over)
        self._check(under)
        if (at_least is None) == (at_most is None):
            raise ValueError(f"a claim needs one bound, at_least or at_most: {text!r}")
        if records.under_a_build():
            record = {"kind": "claim", "of": self.title, "text": text, "ratio": list(ratio)}
            bound = {"at_least": at_least, "at_most": at_most, "needs": list(needs)}
            records.emit({**record, **bound})
            return
        words = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
        middle = statistics.median(pair[over].wall_s / pair[under].wall_s for pair in self.rounds)
        print(f"{text}\n  {over} / {under}: {middle:.2f} here, {words} claimed")  # noqa: T201 - by hand

    def limit(self, name: str, times_s: Sequence[float]) -> None:
        """Draw a further curve into a sweep: what theory allows, computed and not measured.

        Args:
            name: What it is, as `"Amdahl's law"`.
            times_s: For each value of the sweep the seconds of a call.
        """
        if records.under_a_build():
            curve = {"name": name, "times_s": list(times_s)}
            records.emit({"kind": "limit", "of": self.title, **curve})
            return
        print(f"{name}: {', '.join(f'{time:.6f} s' for time in times_s)}")  # noqa: T201 - by hand

    def _check(self, arm: str) -> None:
        if arm not in self.rounds[0]:
            raise ValueError(f"{self.title!r} has no arm {arm!r}")


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
    check_count(title, arms, LEAST_ARMS)
    pairs = Sampler.of_pairs()
    calls = warm_up_alike(title, arms, pairs)
    return record({"kind": "comparison", "title": title}, repeating(arms), calls, pairs)


def sweep(
    title: str, parameter: str, values: Sequence[Value], /, **arms: Callable[[Value], object]
) -> Comparison:
    """Time the arms at each value of a parameter, to see which wins where.

    At each value the arms are timed back to back, as `compare` does, in samples of 0.1 s.

    Args:
        title: What is compared, as the title of the figure.
        parameter: What varies, with its unit, as `"requests in flight"`.
        values: The values, in ascending order. Numbers are drawn on a logarithmic scale, other
            values side by side.
        arms: Callables of one value, by name. The first is the baseline. At each value all must
            return equal results.

    Returns:
        The samples, on which claims are made. The arm `threads` at the value 100 is named
        `"threads at 100"`.

    Raises:
        ValueError: If there is no arm, fewer than two values, or results at one value differ.
    """
    check_count(title, arms, 1)
    if len(values) < LEAST_ARMS:
        raise ValueError(f"{title!r} needs two values or more, got {len(values)}")
    sampler = Sampler.of_points()
    points: dict[str, Arm] = {}
    calls: dict[str, int] = {}
    for value in values:
        here = {at(arm, value): bind(call, value) for arm, call in arms.items()}
        points |= here
        calls |= warm_up_alike(title, here, sampler)
    axes = {"parameter": parameter, "values": list(values), "curves": list(arms)}
    return record({"kind": "sweep", "title": title, **axes}, repeating(points), calls, sampler)


def cost(title: str, /, **arms: Repeat) -> Comparison:
    """Time single operations, from the cheapest to the dearest, on one logarithmic scale.

    Each arm is called with a number and does its operation so often, for a sample of 0.1 s. What it
    does once, such as starting a loop, should be small beside that.

    Args:
        title: What the operations have in common, as the title of the figure.
        arms: Callables that take the number of operations, by name. The first is the baseline.

    Returns:
        The samples, per operation, on which claims are made.

    Raises:
        ValueError: If there are fewer than two arms.
    """
    check_count(title, arms, LEAST_ARMS)
    sampler, calls = Sampler.of_points(), {}
    for name, repeat in arms.items():
        start = time.perf_counter()
        repeat(1)
        calls[name] = sampler.calls_for(repeat, time.perf_counter() - start, 1)
    return record({"kind": "cost", "title": title}, arms, calls, sampler)


def at(arm: str, value: float | str) -> str:
    """Name an arm of a sweep at one value."""
    return f"{arm} at {value}"


def bind(call: Callable[[Value], object], value: Value) -> Arm:
    """Make an arm of a callable of one value."""
    return lambda: call(value)


def check_count(title: str, arms: Mapping[str, object], least: int) -> None:
    """Refuse too few arms.

    Raises:
        ValueError: If there are fewer than `least`.
    """
    if len(arms) < least:
        raise ValueError(f"{title!r} needs {least} arms or more, got {len(arms)}")


def warm_up_alike(title: str, arms: Mapping[str, Arm], sampler: Sampler) -> dict[str, int]:
    """Call every arm until it is known how many calls make a sample; refuse those that disagree.

    Returns:
        For each arm the number of calls.

    Raises:
        ValueError: If an arm's result differs from the first's.
    """
    results, calls = {}, {}
    for name, arm in arms.items():
        start = time.perf_counter()
        results[name] = arm()
        calls[name] = sampler.calls_for(repeated(arm), time.perf_counter() - start, 1)
    baseline, *others = arms
    for name in others:
        if results[name] != results[baseline]:
            raise ValueError(
                f"{title!r} compares arms that disagree: {baseline} gives "
                f"{shorten(results[baseline])}, {name} gives {shorten(results[name])}"
            )
    return calls


def repeated(arm: Arm) -> Repeat:
    """Make of an arm a callable that repeats it."""

    def repeat(calls: int) -> None:
        for _ in range(calls):
            arm()

    return repeat


def repeating(arms: Mapping[str, Arm]) -> dict[str, Repeat]:
    """Make of every arm a callable that repeats it."""
    return {name: repeated(arm) for name, arm in arms.items()}


def shorten(result: object) -> str:
    """Write a result in 60 characters."""
    text = repr(result)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - as said above


def record(
    figure: Mapping[str, object],
    arms: Mapping[str, Repeat],
    calls: Mapping[str, int],
    sampler: Sampler,
) -> Comparison:
    """Take the rounds of this run, and hand them to the build or print them.

    Args:
        figure: What kind of figure it is, its title, and its axes if it has some.
        arms: What to time, by name.
        calls: For each arm the number of calls of a sample.
        sampler: Takes the samples.
    """
    by_hand = not records.under_a_build()
    first = records.round_number()
    rounds = tuple(
        sampler.take_round(arms, calls, backwards=number % 2 == 1)
        for number in range(first, first + (ROUNDS_BY_HAND if by_hand else 1))
    )
    comparison = Comparison(str(figure["title"]), rounds)
    if by_hand:
        print_table(comparison)
    else:
        samples = {name: asdict(taken) for name, taken in rounds[0].items()}
        records.emit({**figure, "arms": samples})
    return comparison


def print_table(comparison: Comparison) -> None:
    """Print the medians of a comparison that was run by hand."""
    baseline, *_ = comparison.rounds[0]
    print(f"{comparison.title} ({len(comparison.rounds)} rounds)")  # noqa: T201 - by hand
    for name in comparison.rounds[0]:
        ratio = statistics.median(
            samples[baseline].wall_s / samples[name].wall_s for samples in comparison.rounds
        )
        print(f"  {name:<24} {comparison.time_s(name):12.9f} s   {baseline} / {name}: {ratio:.2f}")  # noqa: T201 - by hand
