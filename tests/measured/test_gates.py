"""What must be met before a figure decides anything."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from measured.blocks import Block
from measured.control import COMPUTING, COPIES, WAITING, measure_control
from measured.gates import Conditions, Gate, conditions_of, gates_of
from measured.interpreters import own_interpreter
from measured.runs import Run
from measured.sampling import Sample
from measured.schedule import CONTROL, Schedule, Task
from measured.site import Site
from measured.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.measured.conftest import Site as SmallSite

COMPUTED = Sample(1, 0.2, 0.2, 0.0)
WAITED = Sample(1, 0.2, 0.001, 0.0)


def fields(sample: Sample) -> dict[str, object]:
    """Write a sample as a record has it."""
    return {name: getattr(sample, name) for name in Sample.__slots__}


def control(
    serial: Sequence[Sample],
    second: Sequence[Sample] | None = None,
    reached: Mapping[int, float] = MappingProxyType({2: 2.0}),
) -> list[Run]:
    """Make the rounds of a control.

    Args:
        serial: The computation in one thread, for each round.
        second: The same computation again; equal to the first if not given.
        reached: How many cores so many copies side by side reach.
    """
    arms: Mapping[str, Callable[[int], dict[str, Sample]]] = {
        COMPUTING: lambda n: {"first": serial[n], "second": (second or serial)[n]},
        WAITING: lambda _: {"first": WAITED, "second": WAITED},
        COPIES: lambda _: {
            "1": COMPUTED,
            **{str(n): replace(COMPUTED, wall_s=0.2 * n / cores) for n, cores in reached.items()},
        },
    }
    return [
        Run(
            records=[
                {
                    "kind": "comparison",
                    "title": title,
                    "arms": {arm: fields(one) for arm, one in samples(number).items()},
                }
                for title, samples in arms.items()
            ]
        )
        for number in range(len(serial))
    ]


def failed(gates: Sequence[Gate]) -> list[str]:
    """List the kinds of the gates that are not met."""
    return [gate.kind for gate in gates if not gate.passed]


def test_a_quiet_machine_meets_every_gate() -> None:
    """And the ceiling is told in cores."""
    found = conditions_of(control([COMPUTED] * 15))

    assert failed([*found.computing, *found.waiting, *found.several.values()]) == []
    assert [gate.found for gate in found.several.values()] == ["2.00 cores"]


@pytest.mark.parametrize(
    ("sample", "kinds"),
    [
        (replace(COMPUTED, cpu_s=0.18), ["core"]),
        (replace(COMPUTED, pressure=0.2), ["pressure"]),
        (replace(COMPUTED, pressure=None), []),
    ],
)
def test_a_busy_machine_is_told(sample: Sample, kinds: list[str]) -> None:
    """Without a core for a tenth of the time, or with others waiting; untold counts as met."""
    found = conditions_of(control([sample] * 15))

    assert failed(found.computing) == kinds
    assert failed(found.waiting) == []


def test_some_busy_rounds_do_not_matter() -> None:
    """Gates look at the median, as figures do."""
    serial = [COMPUTED] * 9 + [replace(COMPUTED, cpu_s=0.1, pressure=0.9)] * 6

    assert failed(conditions_of(control(serial)).computing) == []


@pytest.mark.parametrize(("copies", "kinds"), [(1.3, ["ceiling"]), (1.6, []), (2.0, [])])
def test_the_ceiling_gates_figures_of_several_cores(copies: float, kinds: list[str]) -> None:
    """Four fifths of the cores are asked for."""
    found = conditions_of(control([COMPUTED] * 15, reached={2: copies}))

    assert failed([*found.several.values()]) == kinds


def test_the_same_code_must_measure_the_same() -> None:
    """A second arm that is always slower is a bias; one that varies is noise."""
    slower = [replace(COMPUTED, wall_s=0.21)] * 15
    varying = [replace(COMPUTED, wall_s=0.2 * (0.8 + 0.4 * (n % 2))) for n in range(15)]

    biased = conditions_of(control([COMPUTED] * 15, second=slower)).computing
    noisy = conditions_of(control([COMPUTED] * 15, second=varying)).computing

    assert failed(biased) == ["same"]
    assert "same width" in failed(noisy)
    assert all(gate.noise for gate in noisy if gate.kind == "same width")


@pytest.mark.parametrize("rounds", [0, 5])
def test_without_a_control_nothing_passes(rounds: int) -> None:
    """None at all, or too few rounds for an interval."""
    found = conditions_of(control([COMPUTED] * rounds))

    for gates in (found.computing, found.waiting):
        assert failed(gates)
        assert not any(gate.noise for gate in gates if not gate.passed)


def test_a_control_that_failed_is_a_control_that_is_missing() -> None:
    """It ended before it had measured all."""
    found = conditions_of([Run(records=control([COMPUTED])[0].records[:1])])

    assert found.several == {}
    for gates in (found.computing, found.waiting):
        assert [gate.reason for gate in gates] == [
            (
                "the build's control is missing (The build's control: not measured, "
                "asked for: every round)"
            )
        ]


def independent(sample: Sample, spread: float = 0.01) -> list[Sample]:
    """Draw fifteen samples that differ by chance, the same ones each time."""
    chance = random.Random(11)  # noqa: S311 - no secret
    return [
        replace(sample, wall_s=sample.wall_s * chance.uniform(1, 1 + spread)) for _ in range(15)
    ]


def rounds(**arms: Sequence[Sample]) -> list[dict[str, Sample]]:
    """Set the samples of arms side by side, round by round."""
    return [dict(zip(arms, samples, strict=True)) for samples in zip(*arms.values(), strict=True)]


BUILD = Conditions(
    computing=(Gate("pressure", "computing", "", "", passed=True),),
    waiting=(Gate("same", "waiting", "", "", passed=True),),
    several={2: Gate("ceiling", "several", "", "", passed=True)},
)


@pytest.mark.parametrize(
    ("first", "second", "needs", "concern"),
    [
        (WAITED, WAITED, (), ["waiting"]),
        (COMPUTED, WAITED, (), ["computing"]),
        (COMPUTED, COMPUTED, (), ["computing"]),
        (COMPUTED, replace(COMPUTED, cpu_s=0.38), (), ["computing", "several"]),
        (COMPUTED, WAITED, ("2 cores",), ["computing", "several"]),
        (WAITED, WAITED, ("3.14",), ["waiting"]),
    ],
)
def test_a_figure_meets_the_gates_that_concern_it(
    first: Sample, second: Sample, needs: tuple[str, ...], concern: list[str]
) -> None:
    """Waits need no quiet cores; several cores need the ceiling."""
    samples = rounds(first=independent(first), second=independent(second))

    shared, _ = gates_of(samples, ("first", "second"), needs, BUILD)

    assert [gate.name for gate in shared] == concern


@pytest.mark.parametrize(
    ("cpu_s", "needs", "missed"),
    [
        (0.2, (), []),
        (0.4, (), []),
        (0.4, ("2 cores",), []),
        (0.4, ("4 cores",), ["ceiling"]),
        (1.6, (), ["ceiling"]),
        (1.6, ("2 cores",), ["ceiling"]),
        (0.4, ("1000 cores",), ["ceiling"]),
    ],
)
def test_a_figure_of_two_cores_needs_no_more(
    cpu_s: float, needs: tuple[str, ...], missed: list[str]
) -> None:
    """Four cores of two threads each: two copies find two cores, eight find five and no more."""
    build = conditions_of(control([COMPUTED] * 15, reached={2: 1.95, 8: 5.2}))
    samples = rounds(
        first=independent(COMPUTED), second=independent(replace(COMPUTED, cpu_s=cpu_s))
    )

    assert failed(gates_of(samples, ("first", "second"), needs, build)[0]) == missed


def test_an_arm_that_computes_alone_is_looked_at_itself() -> None:
    """It had a core in one round and shared it in most: busy, whatever the control says."""
    shared_core = [
        replace(COMPUTED, cpu_s=0.2 if n == 0 else 0.12, pressure=0.5) for n in range(15)
    ]
    samples = rounds(
        alone=shared_core, waiting=independent(WAITED), mixed=[replace(COMPUTED, cpu_s=0.1)] * 15
    )

    _, own = gates_of(samples, ("alone", "mixed"), (), BUILD)

    assert [(gate.kind, gate.passed) for gate in own if not gate.noise] == [
        ("core", False),
        ("pressure", False),
    ]


def test_rounds_that_resemble_their_neighbours_are_noise() -> None:
    """A slow spell of half of the rounds; the same rounds shuffled pass."""
    spell = [replace(WAITED, wall_s=0.2 if n < 7 else 0.209) for n in range(15)]
    shuffled = [spell[7 * place % 15] for place in range(15)]

    def noise(second: Sequence[Sample]) -> list[str]:
        return failed(gates_of(rounds(a=[WAITED] * 15, b=second), ("a", "b"), (), BUILD)[1])

    assert noise(spell) == ["alike"]
    assert noise(shuffled) == []


@pytest.mark.parametrize(("sample", "spread"), [(WAITED, 0.4), (COMPUTED, 1.2)])
def test_a_wide_interval_is_noise(sample: Sample, spread: float) -> None:
    """Waits may vary less than computations."""
    samples = rounds(a=[sample] * 15, b=independent(sample, spread))

    assert "width" in failed(gates_of(samples, ("a", "b"), (), BUILD)[1])


def test_the_control_measures_what_the_gates_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Run for real: three comparisons, from which conditions can be told."""
    file = tmp_path / "records"
    monkeypatch.setenv("MEASURED_RECORDS", str(file))
    measure_control()

    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found = conditions_of([Run(records=records)] * 6)
    assert [record["title"] for record in records] == [COMPUTING, WAITING, COPIES]
    assert 2 in found.several
    assert all(gate.found for gate in (*found.computing, *found.waiting, *found.several.values()))


CLAIM = """
from measured import compare, sampling
import time
sampling.SHORTEST_SAMPLE_S = sampling.SHORTEST_GUESS_S = 0.001
much, little = range(300_000), range(30_000)
figure = compare("Sums", much=lambda: sum(much) > 0, little=lambda: sum(little) > 0)
figure.claim("Much takes longer.", ratio=("much", "little"), at_least=1)
"""


@pytest.mark.parametrize(("pressure", "decided"), [(0.0, True), (0.4, False)])
def test_the_page_says_why_nothing_is_decided(
    site: SmallSite, pressure: float, *, decided: bool
) -> None:
    """The same samples: decided on a quiet machine, withheld on a busy one, with the figure."""
    site.control().rename(site.folder / "before")
    site.keep_control(pressure=pressure)
    site.add("sums", CLAIM, timing="on")
    site.write("docs/gates.md", "# Gates\n\n[[measured gates]]\n")

    assert site.run("measured", "run", "--rounds", "7").code == 0
    built = site.build("--strict")

    assert built.code == 0, built.log
    withheld = "the machine was busy (CPU pressure beside it: 0.40, asked for: at most 0.1)"
    assert (withheld in built.shown("sums")) is not decided
    assert decided or "busy machine" in built.shown("sums")
    assert f"{pressure:.2f}" in built.text("gates")
    assert "much / little" in built.text("gates")


def begun(runs: Sequence[Run], *moments: str) -> list[Run]:
    """Let runs begin at the given moments of one day."""
    return [
        replace(run, started=f"2026-01-01T{moment}:00+00:00")
        for run, moment in zip(runs, moments, strict=True)
    ]


def test_only_rounds_of_the_control_beside_a_figure_tell_of_its_machine(tmp_path: Path) -> None:
    """A quiet morning says nothing of the evening, nor does one busy round between two others."""
    busy, quiet = replace(COMPUTED, pressure=0.5), COMPUTED
    mornings = [f"08:0{minute}" for minute in range(6)]
    evenings = [f"20:0{minute}" for minute in range(6)]
    control_runs = begun(control([quiet] * 6 + [busy] * 6), *mornings, *evenings)
    schedule = Schedule(Store(tmp_path / "store"), [], "")
    for run in control_runs:
        schedule.store.append(schedule.tasks(CONTROL)[0].key, run)
    found = Site(tmp_path, schedule, list)

    def missed(*moments: str) -> list[str]:
        figure = begun([Run()] * len(moments), *moments)
        return failed(found.setting(own_interpreter(), figure).conditions.computing)

    assert missed(*mornings) == []
    assert missed(*evenings) == ["pressure"]
    assert missed("14:00", "14:01") == ["control"]
    assert missed("08:12") == ["same"]  # of six rounds four are near


@pytest.mark.parametrize(
    ("kept", "figures", "taken"),
    [
        ([], [7], 7),  # nothing is known
        ([5] * 7, [7], 7),  # a figure is measured anew, hours after the control
        ([0] * 7, [7], 0),  # its block was edited just now
        ([0] * 3, [4, 4], 4),  # both were stopped in the middle, and go on
        ([5] * 3, [4, 4], 4),  # likewise, hours later
        ([5] * 7, [0], 0),  # nothing is left to measure
    ],
)
def test_the_control_is_measured_beside_whatever_is_measured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: list[int],
    figures: list[int],
    taken: int,
) -> None:
    """As many rounds as the figures lack, in turn with theirs, unless some were taken just now.

    `kept` tells how many hours ago each round of the control was taken, `figures` how many of
    seven rounds each figure lacks, `taken` how many rounds of the control follow.
    """
    now = datetime.now(UTC)
    blocks = [Block("p", 1, f"f{n}", f"# {n}", timing=True) for n in range(len(figures))]
    schedule = Schedule(Store(tmp_path / "store"), [], "")
    [control_task] = schedule.tasks(CONTROL)
    for hours in kept:
        began = now - timedelta(hours=hours)
        schedule.store.append(control_task.key, Run(started=began.isoformat()))
    for block, lacking in zip(blocks, figures, strict=True):
        for _ in range(7 - lacking):
            schedule.store.append(schedule.tasks(block)[0].key, Run(started=now.isoformat()))
    order: list[str] = []

    def run_once(task: Task) -> None:
        order.append(task.block.name)
        schedule.store.append(task.key, Run(started=now.isoformat()))

    monkeypatch.setattr(schedule, "_run_once", run_once)
    schedule.run_missing(blocks, 7)

    assert order.count("control") == taken
    assert len(order) == taken + sum(figures)
    if taken:
        assert order[: len(blocks) + 1] == ["control", *(block.name for block in blocks)]
