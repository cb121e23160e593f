"""Tell whether the machine was fit for a figure to decide anything.

More rounds make an interval narrower; they do not make a busy machine quiet. So each verdict
passes gates first. One that fails for a *bias* withholds the verdict. One that fails for *noise*
says that the interval is not to be trusted; then every single pair must be on the claim's side.
"""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from measured.control import COMPUTING, COPIES, WAITING
from measured.estimates import LEAST_SAMPLES, autocorrelation, estimate
from measured.runs import Run, rounds_of
from measured.sampling import Sample

__all__ = ["Conditions", "Gate", "conditions_of", "gates_of"]

LEAST_CORE = 0.95
MOST_PRESSURE = 0.1
MOST_APART = 0.02
MOST_CONTROL_WIDTH = 0.1
LEAST_CEILING = 0.8
MOST_WIDTH = {"computing": 0.2, "waiting": 0.1}

COMPUTES = 0.2  # of a core: an arm that uses more depends on cores, not only on waits
SERIAL = (0.9, 1.1)  # of a core, at its best and in the median: one thread that computes throughout
SEVERAL = 1.2  # of a core: more than one thread can use

COMPLAINTS = {
    "control": "the build's control is missing",
    "core": "the machine was busy",
    "pressure": "the machine was busy",
    "ceiling": "too few cores were free",
    "same": "the same code did not measure the same",
    "same width": "the same code measured twice varied much",
    "alike": "its rounds resemble their neighbours",
    "width": "its pairs vary much",
}
"""What to say if a gate of a kind is not met."""

Round = Mapping[str, Sample]


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on the machine or on the samples, and whether it was met.

    Attributes:
        kind: What sort of condition it is.
        name: What is looked at.
        found: What was found, in words.
        bound: What is asked for, in words.
        passed: Whether it is met. What a system does not tell counts as met.
        noise: Whether failing means noise; else it means a bias.
    """

    kind: str
    name: str
    found: str
    bound: str
    passed: bool
    noise: bool = False

    @property
    def reason(self) -> str:
        """Why nothing is decided, if it is not met."""
        return f"{COMPLAINTS[self.kind]} ({self.name}: {self.found}, asked for: {self.bound})"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the control of a build found of its machine.

    Attributes:
        computing: Gates of every figure with an arm that computes.
        waiting: Gates of every figure whose arms only wait.
        several: The gate of figures that need so many cores, for each number of copies measured.
    """

    computing: tuple[Gate, ...] = ()
    waiting: tuple[Gate, ...] = ()
    several: Mapping[int, Gate] = field(default_factory=dict)

    def ceiling_for(self, cores: int) -> list[Gate]:
        """Choose the gate of a figure that needs so many cores; none if the control is missing."""
        enough = [copies for copies in self.several if copies >= cores] or [*self.several][-1:]
        return [self.several[copies] for copies in enough[:1]]


def core_share(samples: Sequence[Sample]) -> list[float]:
    """List for each round which share of its time an arm had a core."""
    return [one.cpu_s / one.wall_s for one in samples]


def core_gate(name: str, samples: Sequence[Sample]) -> Gate:
    """Ask whether an arm that computes in one thread had a core all the time."""
    share = statistics.median(core_share(samples))
    return Gate("core", name, f"{share:.2f}", f"at least {LEAST_CORE:g}", share >= LEAST_CORE)


def pressure_gate(name: str, samples: Sequence[Sample]) -> Gate:
    """Ask whether anything waited for a core while an arm ran."""
    told = [one.pressure for one in samples if one.pressure is not None]
    share = statistics.median(told) if told else 0.0
    found = f"{share:.2f}" if told else "not told by this system"
    return Gate("pressure", name, found, f"at most {MOST_PRESSURE:g}", share <= MOST_PRESSURE)


def same_code_gates(kind: str, rounds: Sequence[Round]) -> tuple[Gate, ...]:
    """Ask whether the same code, measured twice, comes out as the same."""
    ratio = estimate([arms["first"].wall_s / arms["second"].wall_s for arms in rounds])
    name = f"The same {kind} code against itself"
    if ratio.low is None or ratio.high is None or ratio.width is None:
        few = Gate(
            "same",
            name,
            f"measured {ratio.samples} times",
            f"at least {LEAST_SAMPLES}",
            passed=False,
        )
        return (few,)
    apart = max(ratio.low - 1, 1 - ratio.high, 0.0)
    return (
        Gate(
            "same",
            name,
            f"{ratio.low:.3f} to {ratio.high:.3f}",
            f"1, give or take {MOST_APART:g}",
            apart <= MOST_APART,
        ),
        Gate(
            "same width",
            f"{name}, width",
            f"{ratio.width:.1%}",
            f"at most {MOST_CONTROL_WIDTH:.0%}",
            ratio.width <= MOST_CONTROL_WIDTH,
            noise=True,
        ),
    )


def ceiling_gate(copies: int, rounds: Sequence[Round]) -> Gate:
    """Ask whether so many independent copies found as many cores."""
    reached = statistics.median(
        copies * arms["1"].wall_s / arms[str(copies)].wall_s for arms in rounds
    )
    least = LEAST_CEILING * copies
    return Gate(
        "ceiling",
        f"The ceiling of {copies} independent copies",
        f"{reached:.2f} cores",
        f"at least {least:g}",
        reached >= least,
    )


def conditions_of(runs: Sequence[Run]) -> Conditions:
    """Read what the rounds of a build's control say of the machine."""
    missing = Gate("control", "The build's control", "not measured", "every round", passed=False)
    computing, waiting, copied = (rounds_of(runs, one) for one in (COMPUTING, WAITING, COPIES))
    if not copied:  # the last that it measures
        return Conditions((missing,), (missing,))
    serial = [arms["first"] for arms in computing]
    return Conditions(
        (
            core_gate("CPU time / wall time of a computation in one thread", serial),
            pressure_gate("CPU pressure beside it", serial),
            *same_code_gates("computing", computing),
        ),
        same_code_gates("waiting", waiting),
        {copies: ceiling_gate(copies, copied) for copies in map(int, copied[0]) if copies > 1},
    )


def gates_of(
    rounds: Sequence[Round], ratio: tuple[str, str], needs: Sequence[str], build: Conditions
) -> tuple[list[Gate], list[Gate]]:
    """List the gates of a ratio: those of the build that concern it, and those of its samples.

    Args:
        rounds: The samples of every arm of its figure.
        ratio: The two arms.
        needs: What its claim needs.
        build: What the build's control found.

    Returns:
        Those of the build, and its own.
    """
    shares = {arm: core_share([arms[arm] for arms in rounds]) for arm in rounds[0]}
    middle = {arm: statistics.median(share) for arm, share in shares.items()}
    kind = "computing" if max(middle.values()) > COMPUTES else "waiting"
    shared = list(build.computing if kind == "computing" else build.waiting)
    asked = [int(found[1]) for need in needs if (found := re.fullmatch(r"(\d+) cores", need))]
    cores = max([*asked, *(math.ceil(middle[arm] + 1 - SEVERAL) for arm in ratio)])
    if cores > 1:
        shared += build.ceiling_for(cores)
    own = []
    for arm in dict.fromkeys(ratio):
        if max(shares[arm]) >= SERIAL[0] and middle[arm] <= SERIAL[1]:
            samples = [arms[arm] for arms in rounds]
            words = arm.replace("_", " ")
            own.append(core_gate(f"CPU time / wall time of '{words}'", samples))
            own.append(pressure_gate(f"CPU pressure beside '{words}'", samples))
    over, under = ratio
    ratios = [arms[over].wall_s / arms[under].wall_s for arms in rounds]
    return shared, own + noise_gates(ratios, kind)


def noise_gates(ratios: Sequence[float], kind: str) -> list[Gate]:
    """Ask whether the pairs are independent, and near enough to each other."""
    found = estimate(ratios)
    if found.width is None:
        return []  # no interval: nothing is decided anyway
    alike, most = autocorrelation(ratios), 2 / math.sqrt(len(ratios))
    width = MOST_WIDTH[kind]
    return [
        Gate(
            "alike",
            "Autocorrelation of the pairs",
            f"{alike:.2f}",
            f"at most {most:.2f}",
            alike <= most,
            noise=True,
        ),
        Gate(
            "width",
            "Width of the interval",
            f"{found.width:.1%}",
            f"at most {width:.0%}",
            found.width <= width,
            noise=True,
        ),
    ]
