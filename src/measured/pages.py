"""Write what a reader sees besides figures: output, notices, and the tables of a build."""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from measured.blocks import Block
from measured.gates import Conditions, Gate
from measured.machine import Interpreter, Machine
from measured.runs import Run
from measured.verdict import Judged
from measured.wording import SIGNS, figure_of, seconds, told, words

__all__ = [
    "blocks_table",
    "build_facts",
    "failure_notice",
    "gates_of_build",
    "gates_of_claims",
    "lesson",
    "message_notice",
    "output_of",
    "pythons_table",
    "record_tables",
    "waiting_notice",
]

Row = tuple[Block, Interpreter, Sequence[Run], str]
"""A block, what ran it, its runs, and what is wrong with it if anything is."""

SHOWN_LINES, SHOWN_COLUMNS = 12, 300
SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|&]")


def table_of(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; the first cell of a row is its heading."""
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr><th scope=row>{escape(first)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def output_of(text: str) -> str:
    """Show what a block printed."""
    if not text.strip():
        return ""
    return f'<pre class="measured-output"><code>{escape(text.rstrip())}</code></pre>'


def last_lines(text: str) -> str:
    """Keep the end of a long text."""
    lines = text.rstrip().splitlines()
    kept = ["...", *lines[-SHOWN_LINES:]] if len(lines) > SHOWN_LINES else lines
    return "\n".join(
        line if len(line) <= SHOWN_COLUMNS else line[:SHOWN_COLUMNS] + "..." for line in kept
    )


def lesson(run: Run) -> str:
    """Show a failure that the page is about: what was printed, then how it ended."""
    end = run.errors.rstrip()
    if run.failure_name in {"timeout", "flood", "threads", "processes", "bytes"} or not end:
        end = f"{end}\n(the block {run.failure})".lstrip()
    return (
        output_of(run.output)
        + f'<pre class="measured-output measured-lesson"><code>{escape(end)}</code></pre>'
    )


def failure_notice(block: Block, run: Run, failure: str) -> str:
    """Show a block that failed against its author's will: what it printed, and how it ended."""
    return message_notice(
        f"Block '{block.name}' {failure}", last_lines(run.errors), output_of(run.output)
    )


def pythons_table(rows: Iterable[tuple[str, str]], absent: str) -> str:
    """Show what a block gave on each interpreter, and which ones are absent.

    Args:
        rows: The name of each interpreter, and HTML.
        absent: The builds that are absent, or an empty string.

    Returns:
        HTML.
    """
    body = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{shown}</td></tr>" for name, shown in rows
    )
    note = f'<p class="measured-plate">Not on this machine: {absent}.</p>' if absent else ""
    return f'<table class="measured-pythons"><tbody>{body}</tbody></table>{note}'


def waiting_notice(block: Block) -> str:
    """Say that a block's result is still to come, where links to its figure lead."""
    text = "Not measured yet. This page refreshes when it is."
    return f'<p class="measured-waiting" id="{escape(block.name)}">{text}</p>'


def message_notice(title: str, text: str, before: str = "") -> str:
    """Show that something on this page is not as it should be."""
    details = f"<pre><code>{escape(text)}</code></pre>" if text else ""
    return (
        f'{before}<div class="admonition failure measured-failure">'
        f'<p class="admonition-title">{escape(title)}</p>{details}</div>'
    )


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table whose cells are Markdown, so that links in it are followed and checked."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def plain(text: str) -> str:
    """Write a text so that Markdown shows it as it is."""
    return SPECIAL.sub(r"\\\g<0>", text)


def link_to(block: Block, page: str, text: str) -> str:
    """Link to the page of a block, from another page."""
    target = posixpath.relpath(block.page, posixpath.dirname(page) or ".")
    return f"[{plain(text)}]({target})"


def claims_table(rows: Iterable[tuple[Block, Judged]], page: str) -> str:
    """List every claim of the site with its verdict and its figure, in Markdown."""
    return markdown_table(
        ("Claim", "Verdict", "Figure"),
        [
            (
                link_to(block, page, judged.claim.text),
                f"{SIGNS[judged.verdict.decision]} {plain(told(judged))}",
                plain(figure_of(judged)),
            )
            for block, judged in rows
        ],
    )


def build_facts(
    machine: Machine, rows: Sequence[Row], load: float | None, now: datetime, commit: str
) -> str:
    """Say where, on what and when this build was made, in Markdown."""
    interpreters = {interpreter.name: interpreter for _, interpreter, _, _ in rows}
    rounds = sorted(len(runs) for block, _, runs, _ in rows if block.timing) or [0]
    facts = {
        "Processor": f"{machine.processor}, {machine.cores} cores usable",
        "System": machine.system,
        "Interpreters": ", ".join(
            f"{name} {'with' if one.gil else 'without'} the GIL"
            for name, one in interpreters.items()
        ),
        "Rounds of the figures": f"{rounds[0]} to {rounds[-1]}",
        "Load average": "not told" if load is None else f"{load:.1f}",
        "Date": f"{now:%Y-%m-%d %H:%M} UTC",
        "Commit": commit or "not under version control",
    }
    return markdown_table(
        ("What", "This build"), [(name, plain(one)) for name, one in facts.items()]
    )


def gates_of_build(conditions: Conditions) -> str:
    """List the gates that the build's control decides, in Markdown."""
    kinds = (
        ("figures that compute", conditions.computing),
        ("figures that only wait", conditions.waiting),
        *((f"figures of {n} cores or fewer", (gate,)) for n, gate in conditions.several.items()),
    )
    rows = [
        (plain(gate.name), plain(gate.found), plain(gate.bound), met(gate), kind)
        for kind, gates in kinds
        for gate in gates
    ]
    return markdown_table(("Gate", "Found", "Asked for", "Met", "Decides over"), rows)


def gates_of_claims(judged: Iterable[tuple[Block, Judged]], page: str) -> str:
    """List what the gates of each claim's own samples found, in Markdown."""
    heads = {
        "core": "CPU / wall time",
        "pressure": "Pressure",
        "alike": "Autocorrelation",
        "width": "Width of the interval",
    }
    rows = []
    for block, one in judged:
        ratio = f"{words(one.claim.over)} / {words(one.claim.under)}"
        cells = [
            ", ".join(
                f"{plain(gate.found)}\N{NO-BREAK SPACE}{met(gate)}"
                for gate in one.own_gates
                if gate.kind == kind
            )
            for kind in heads
        ]
        rows.append((link_to(block, page, ratio), *cells))
    return markdown_table(("Claim on", *heads.values()), rows)


def record_tables(record: Mapping[str, Any]) -> str:
    """Show the tables that a command wrote, and what they were measured on, in Markdown."""
    tables = [
        markdown_table(
            [plain(head) for head in table["heads"]],
            [[plain(cell) for cell in row] for row in table["rows"]],
        )
        for table in record["tables"]
    ]
    return "\n\n".join([*tables, f"*{plain(record['plate'])}*"])


def met(gate: Gate) -> str:
    """Say by a sign whether a gate is met."""
    return "✓" if gate.passed else "✗"


def blocks_table(rows: Sequence[Row], page: str) -> str:
    """List every block with its time, memory and date, in Markdown."""
    cells = []
    for block, interpreter, runs, trouble in rows:
        last = runs[-1]
        cells.append(
            (
                link_to(block, page, block.name),
                plain(interpreter.name),
                str(len(runs)),
                seconds(last.wall_s),
                f"{last.peak_kib / 1024:.0f} MiB" if last.peak_kib else "not told",
                last.started.replace("T", " ")[:16],
                plain(trouble or "as it should"),
            )
        )
    heads = ("Block", "Interpreter", "Runs", "Time of a run", "Memory", "Last run, UTC")
    return markdown_table((*heads, "Ended"), cells)
