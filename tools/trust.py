"""Measure a reference set forty times, as a tutorial does and as the handbook does.

The rounds of all repeats are taken in turn, so that those of one repeat are spread over the whole
run, as in a build. What came of it is written where docs/about/trust.md shows it. It can be
stopped, and goes on from there.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from measured import machine
from measured.blocks import Block, key_of
from measured.control import COMPUTING
from measured.estimates import Estimate, estimate
from measured.gates import Conditions, conditions_of, gates_of
from measured.interpreters import own_interpreter
from measured.progress import progress_of
from measured.runner import Job, run
from measured.runs import Run, rounds_of
from measured.schedule import CONTROL
from measured.store import Store
from measured.verdict import Claim, Decision, Setting, decide
from measured.wording import words

ROOT = Path(__file__).parents[1]
PATHS = [ROOT / "src"]
BURNER = "while True: pass"

REFERENCE = ROOT / "tools" / "trust_reference.py"

CLAIMS = {
    "Five waits": Claim("", "in_turn", "in_threads", 4, None, ()),
    "Two computations, two threads": Claim("", "in_turn", "in_threads", None, 1.2, ("gil",)),
    "Two computations, two processes": Claim(
        "", "in_turn", "in_processes", 1.4, None, ("2 cores",)
    ),
    COMPUTING: Claim("", "first", "second", None, 1.05, ()),
}
"""What is known to be true where there are two cores and the GIL: any other verdict is wrong."""


@dataclass(frozen=True)
class Round:
    """One round of everything.

    Attributes:
        reference: The run of the reference set.
        control: The run of the control.
    """

    reference: Run
    control: Run


def measure(store: Store, rounds: int) -> list[Round]:
    """Take the rounds that the store lacks; return all."""
    blocks = [
        Block("trust", 0, "reference", REFERENCE.read_text(encoding="utf-8"), timing=True),
        CONTROL,
    ]
    where = own_interpreter(), machine.describe_machine(), "", PATHS
    keys = [key_of(block, *where) for block in blocks]
    known = [store.load(key) for key in keys]
    with progress_of(rounds - len(known[1])) as progress:
        for number in range(len(known[1]), rounds):
            progress.begins("a round")
            for block, key, runs in zip(blocks, keys, known, strict=True):
                if len(runs) > number:
                    continue
                one = run(Job(block.source, own_interpreter(), PATHS, block.timeout_s, number))
                if one.failure:
                    sys.exit(f"the {block.name} {one.failure}\n{one.errors}")
                store.append(key, one)
                runs.append(one)
            progress.done("a round")
    return [Round(*pair) for pair in zip(*known, strict=False)][:rounds]


def naive_ratios(rounds: Sequence[Round], title: str) -> list[float]:
    """List what a tutorial would have printed in each round."""
    claim = CLAIMS[title]
    return [
        record["arms"][claim.over] / record["arms"][claim.under]
        for one in rounds
        for record in one.reference.records
        if record["kind"] == "naive" and record["title"] == title
    ]


def own_runs(rounds: Sequence[Round], title: str) -> list[Run]:
    """List the runs that hold the pairs of a title: the identical arms are the control's."""
    return [one.control if title == COMPUTING else one.reference for one in rounds]


def pair_ratios(rounds: Sequence[Round], title: str) -> list[float]:
    """List the ratios of the pairs of a title."""
    claim = CLAIMS[title]
    pairs = rounds_of(own_runs(rounds, title), title)
    return [arms[claim.over].wall_s / arms[claim.under].wall_s for arms in pairs]


def decision(rounds: Sequence[Round], title: str, *, gated: bool) -> Decision:
    """Decide the claim of a title from the rounds of one repeat."""
    where, claim = machine.describe_machine(), CLAIMS[title]
    conditions = conditions_of([one.control for one in rounds])
    setting = Setting(own_interpreter(), where, conditions if gated else Conditions())
    pairs, ratio = rounds_of(own_runs(rounds, title), title), (claim.over, claim.under)
    build, own = gates_of(pairs, ratio, claim.needs, conditions)
    ratios = pair_ratios(rounds, title)
    return decide(claim, ratios, build + own if gated else [], setting).decision


def tables(rounds: Sequence[Round], repeats: int) -> list[dict[str, object]]:
    """Set what a tutorial prints beside what the handbook does, for each of the reference set."""
    ours = [rounds[first::repeats] for first in range(repeats)]
    spreads, verdicts = [], []
    for title, claim in CLAIMS.items():
        truth = statistics.median(pair_ratios(rounds, title))
        naive = naive_ratios(rounds, title)[:: len(rounds) // repeats][:repeats]
        found = [estimate(pair_ratios(one, title)) for one in ours]
        covered = sum(covers(one, truth) for one in found)
        middle = [one.median for one in found]
        name = title.removeprefix("Control: ").capitalize()
        spreads.append(
            (
                name,
                f"{truth:.3f}",
                f"{min(naive):.2f} to {max(naive):.2f}",
                f"{min(middle):.2f} to {max(middle):.2f}",
                f"{statistics.median(one.width or 0 for one in found):.1%}",
                f"{covered} of {repeats}",
            )
        )
        wrong = sum(not claim.holds_for(ratio) for ratio in naive)
        bare = [decision(one, title, gated=False) for one in ours]
        gated = [decision(one, title, gated=True) for one in ours]
        verdicts.append(
            (
                f"{name}: {words(claim.over)} / {words(claim.under)} is {claim.bound}",
                f"{wrong} of {repeats}",
                f"{bare.count(Decision.FAILS)} of {repeats}",
                f"{gated.count(Decision.FAILS)} of {repeats}",
                f"{gated.count(Decision.OPEN)} of {repeats}",
                f"{gated.count(Decision.HOLDS)} of {repeats}",
            )
        )
    return [
        {
            "heads": (
                "Reference",
                "Ratio, all pairs",
                "One timing of each",
                "Medians of pairs",
                "Width of the interval",
                "Intervals that cover it",
            ),
            "rows": spreads,
        },
        {
            "heads": (
                "True of two free cores and the GIL",
                "One timing: wrong",
                "Interval, no gates: wrong",
                "With gates: wrong",
                "Withheld",
                "Right",
            ),
            "rows": verdicts,
        },
    ]


def covers(found: Estimate, truth: float) -> bool:
    """Tell whether an interval holds the long-run value."""
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def plate(rounds: Sequence[Round], repeats: int, burners: int) -> str:
    """Say in one line on what, when and beside what this was measured."""
    where = machine.describe_machine()
    first = [arms["first"] for arms in rounds_of([one.control for one in rounds], COMPUTING)]
    told = [one.pressure for one in first if one.pressure is not None]
    pressure = f"CPU pressure {statistics.median(told):.2f}" if told else "CPU pressure not told"
    facts = (
        own_interpreter().name,
        where.processor,
        f"{where.cores} cores",
        where.system,
        f"{repeats} repeats of {len(rounds) // repeats} pairs",
        *([f"beside {burners} computing processes"] if burners else []),
        pressure,
        f"{datetime.now(UTC):%Y-%m-%d}",
    )
    return " · ".join(facts)


@contextmanager
def burning(count: int) -> Iterator[None]:
    """Keep so many processes computing meanwhile."""
    burners = [subprocess.Popen([sys.executable, "-S", "-c", BURNER]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def main() -> None:
    """Measure, and write the tables that the page shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--beside", type=int, default=0, help="so many computing processes")
    parser.add_argument("--name", help="name of the record; trust, or trust_busy beside others")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that burners end
    name = asked.name or ("trust_busy" if asked.beside else "trust")
    with burning(asked.beside):
        rounds = measure(Store(ROOT / ".measured" / name), asked.repeats * asked.pairs)
    record = {
        "plate": plate(rounds, asked.repeats, asked.beside),
        "tables": tables(rounds, asked.repeats),
    }
    text = json.dumps(record, indent=1) + "\n"
    (ROOT / "docs" / "assets" / "records" / f"{name}.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
