"""Write what a build measured as one JSON document, and compare two of them.

`docs/assets/measurements.schema.json` describes the document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from measured import interpreters
from measured.estimates import estimate
from measured.gates import Gate
from measured.machine import Interpreter, load_average
from measured.runs import TIMED, Run, rounds_of
from measured.schedule import CONTROL
from measured.site import Site, commit_of
from measured.verdict import Judged, judge_claims

__all__ = ["SCHEMA", "differences", "export"]

SCHEMA = "measured-concurrency/measurements/2"
"""Name and version of the document's form."""


def export(site: Site) -> dict[str, Any]:
    """Gather every sample, estimate and verdict of a site.

    Args:
        site: The site. Nothing is run: what is missing is left out.

    Returns:
        A document of JSON types.
    """
    own = interpreters.own_interpreter()
    found = {own.name: own}
    blocks = []
    for block in (CONTROL, *site.blocks()):
        for task, runs in site.schedule.results(block):
            if runs:
                found[task.interpreter.name] = task.interpreter
                blocks.append(
                    {
                        "id": block.name,
                        "page": block.page,
                        "line": block.line,
                        "interpreter": task.interpreter.name,
                        "fails": block.fails,
                        "runs": [run_facts(run) for run in runs],
                        "failures": [run_facts(run) for run in site.schedule.failures(task)],
                        "comparisons": list(comparisons(site, runs, task.interpreter)),
                    }
                )
    return {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit_of(site.docs),
        "machine": asdict(site.schedule.machine),
        "load": load_average(),
        "gates": gates_of_build(site),
        "interpreters": [interpreter_facts(one) for one in found.values()],
        "blocks": blocks,
    }


def interpreter_facts(interpreter: Interpreter) -> dict[str, Any]:
    """Describe an interpreter without the paths of its machine."""
    return {
        "name": interpreter.name,
        "version": list(interpreter.version),
        "gil": interpreter.gil,
        "build": interpreter.build,
    }


def run_facts(run: Run) -> dict[str, Any]:
    """Describe one run of a block, without what it printed."""
    kept = ("started", "wall_s", "cpu_s", "peak_kib", "load", "failure")
    return {name: getattr(run, name) for name in kept}


def comparisons(site: Site, runs: list[Run], interpreter: Interpreter) -> Iterator[dict[str, Any]]:
    """Yield each comparison of a block: samples, ratios to the baseline, claims."""
    for record in runs[-1].records:
        if record["kind"] not in TIMED:
            continue
        title, setting = record["title"], site.setting(interpreter, runs)
        rounds = rounds_of(runs, title)
        baseline, *others = rounds[0]
        yield {
            "title": title,
            "kind": record["kind"],
            "parameter": record.get("parameter"),
            "values": record.get("values"),
            "baseline": baseline,
            "rounds": [
                {arm: asdict(taken) for arm, taken in samples.items()} for samples in rounds
            ],
            "ratios": {
                arm: asdict(estimate([arms[baseline].wall_s / arms[arm].wall_s for arms in rounds]))
                for arm in others
            },
            "claims": [claim_facts(one) for one in judge_claims(runs, title, setting)],
        }


def claim_facts(judged: Judged) -> dict[str, Any]:
    """Describe a claim and its verdict."""
    return {
        "text": judged.claim.text,
        "ratio": [judged.claim.over, judged.claim.under],
        "at_least": judged.claim.at_least,
        "at_most": judged.claim.at_most,
        "needs": list(judged.claim.needs),
        "estimate": asdict(judged.ratio),
        "verdict": judged.verdict.decision.value,
        "reason": judged.verdict.reason,
        "gates": [gate_facts(gate) for gate in judged.own_gates],
    }


def gates_of_build(site: Site) -> dict[str, list[dict[str, Any]]]:
    """List the gates that the build's control decides, by what they decide over."""
    found = site.conditions()
    kinds = {
        "computing": found.computing,
        "waiting": found.waiting,
        "several": found.several.values(),
    }
    return {kind: [gate_facts(gate) for gate in gates] for kind, gates in kinds.items()}


def gate_facts(gate: Gate) -> dict[str, Any]:
    """Describe a gate."""
    return {"name": gate.name, "found": gate.found, "bound": gate.bound, "met": gate.passed}


def differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    """Set the claims of two documents side by side.

    Args:
        ours: One document.
        theirs: The other.

    Returns:
        For each claim its sentence, and what each document found; None where it has no such claim.
    """
    mine, other = claims_of(ours), claims_of(theirs)
    names = dict.fromkeys([*mine, *other])
    return [(name[1], mine.get(name), other.get(name)) for name in names]


def claims_of(document: Mapping[str, Any]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """List the claims of a document by the block's id, the sentence and what it is about."""
    return {
        (block["id"], claim["text"], comparison["title"], *claim["ratio"]): claim
        for block in document["blocks"]
        for comparison in block["comparisons"]
        for claim in comparison["claims"]
    }
