"""Time one arm once: how long it took, what CPU it used, how busy the machine was meanwhile.

Runs inside blocks: standard library only.
"""

import gc
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from measured import machine

__all__ = ["Repeat", "Sample", "Sampler"]

SHORTEST_SAMPLE_S = 0.2  # shorter samples are repeated: below it, the scheduler is what is measured
SHORTEST_POINT_S = 0.1  # one of many points; pyperf's least time of a value
SHORTEST_GUESS_S = 0.02  # what one call takes is estimated from at least this long
MOST_SUSPENDED_S = 0.01  # the two clocks are not read at the same instant
ATTEMPTS = 5

Repeat = Callable[[int], object]
"""Does a thing so many times."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm, timed once.

    Attributes:
        calls: How often the arm was called.
        wall_s: Seconds per call.
        cpu_s: CPU seconds per call, of this process and of the children that it has waited for.
        pressure: Share of the time in which something on the machine waited for a core; None
            where the system does not tell.
    """

    calls: int
    wall_s: float
    cpu_s: float
    pressure: float | None


def sample(repeat: Repeat, calls: int) -> Sample:
    """Time `calls` calls in a row."""
    gc.collect()
    waited, cpu, wall = machine.pressure_s(), machine.cpu_seconds(), time.perf_counter()
    repeat(calls)
    wall, cpu = time.perf_counter() - wall, machine.cpu_seconds() - cpu
    waited_after = machine.pressure_s()
    pressure = None if waited is None or waited_after is None else (waited_after - waited) / wall
    return Sample(calls, wall / calls, cpu / calls, pressure)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Takes samples that are long enough.

    Attributes:
        least_s: Seconds that a sample takes at least.
    """

    least_s: float

    @classmethod
    def of_pairs(cls) -> "Sampler":
        """Make one for arms that are compared in pairs."""
        return cls(SHORTEST_SAMPLE_S)

    @classmethod
    def of_points(cls) -> "Sampler":
        """Make one for the many points of a sweep or a cost."""
        return cls(min(SHORTEST_POINT_S, SHORTEST_SAMPLE_S))

    def calls_for(self, repeat: Repeat, taken_s: float, calls: int) -> int:
        """Find how many calls make a sample long enough, going on from a first measurement.

        Args:
            repeat: Does the thing to measure so many times.
            taken_s: How long it took.
            calls: How many calls that were.

        Returns:
            The number of calls.
        """
        while taken_s < SHORTEST_GUESS_S:
            calls *= 10
            taken_s = sample(repeat, calls).wall_s * calls
        return max(1, math.ceil(self.least_s * calls / taken_s))

    def take(self, repeat: Repeat, calls: int) -> Sample:
        """Time `calls` calls, or more where the warm-up was slower than the calls that followed."""
        taken = sample(repeat, calls)
        while taken.wall_s * taken.calls < self.least_s / 2:
            taken = sample(repeat, self.calls_for(repeat, taken.wall_s * taken.calls, taken.calls))
        return taken

    def take_round(
        self, arms: Mapping[str, Repeat], calls: Mapping[str, int], *, backwards: bool
    ) -> dict[str, Sample]:
        """Time each arm once, back to back.

        A round in which the machine was suspended is dropped and taken again.

        Args:
            arms: What to time, by name.
            calls: For each arm the number of calls.
            backwards: Whether to begin with the last arm.

        Returns:
            The samples, in the order of `arms`.

        Raises:
            RuntimeError: If the machine was suspended in each of five attempts.
        """
        order = list(arms)[::-1] if backwards else list(arms)
        for _ in range(ATTEMPTS):
            before = machine.suspended_s()
            samples = {name: self.take(arms[name], calls[name]) for name in order}
            if machine.suspended_s() - before <= MOST_SUSPENDED_S:
                return {name: samples[name] for name in arms}
        raise RuntimeError(f"the machine was suspended in each of {ATTEMPTS} attempts at a round")
