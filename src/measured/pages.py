"""Write what a reader sees of a result: output, figures, verdicts, plates, notices."""

import math
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from html import escape

from measured import cards, pictures
from measured.blocks import Block
from measured.machine import Interpreter, Machine
from measured.pictures import Bar, Span
from measured.runs import Run
from measured.verdict import Decision, Estimate, Judged, arms_of, estimate, judge_claims

__all__ = [
    "build_facts",
    "build_table",
    "card_of",
    "failure_notice",
    "lesson",
    "message_notice",
    "output_of",
    "result_of",
    "seconds",
    "waiting_notice",
]

Row = tuple[Block, Interpreter, Sequence[Run]]

SHOWN_LINES, SHOWN_COLUMNS = 12, 300
ROUNDS_TO_1000 = 999.5
SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|&]")
SIGNS = {Decision.HOLDS: "✓", Decision.FAILS: "✗", Decision.OPEN: "?"}
CLASSES = {Decision.HOLDS: "holds", Decision.FAILS: "fails", Decision.OPEN: "open"}


def seconds(value: float) -> str:
    """Write a duration with three digits and the unit that suits it."""
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
    # What rounds to 1 of a unit is not written as 1000 of the next.
    unit, size = next((one for one in units if value >= 0.9995 * one[1]), units[-1])
    count = value / size
    return f"{count:.3g} {unit}" if count < ROUNDS_TO_1000 else f"{count:.0f} {unit}"


def number(ratio: Estimate) -> str:
    """Write a ratio as precisely as its interval allows, and the interval."""
    if ratio.low is None or ratio.high is None:
        digits = max(0, 1 - math.floor(math.log10(ratio.median)))
        return f"{ratio.median:.{digits}f} (no interval yet)"
    width = ratio.high - ratio.low
    digits = min(3, max(0, 1 - math.floor(math.log10(width)))) if width > 0 else 3
    return f"{ratio.median:.{digits}f} ({ratio.low:.{digits}f} to {ratio.high:.{digits}f})"


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


def result_of(
    block: Block,
    runs: Sequence[Run],
    interpreter: Interpreter,
    machine: Machine,
    show: Callable[[str], str] = output_of,
) -> str:
    """Show a result: printed text and figures, in the order in which the block gave them.

    Args:
        block: The block.
        runs: Its rounds.
        interpreter: What ran it.
        machine: Where.
        show: Makes HTML of printed text.

    Returns:
        HTML.

    Raises:
        ValueError: If a claim needs something that is not known.
    """
    last = runs[-1]
    parts, shown, figures = [], 0, 0
    for record in last.records:
        if record["kind"] == "claim":
            continue
        printed = len(last.output) if record["printed"] is None else record["printed"]
        parts.append(show(last.output[shown:printed]))
        shown = max(shown, printed)
        figures += 1
        name = f"{block.name}-{figures}" if figures > 1 else block.name
        paired = record["kind"] == "comparison"
        if paired:
            judged = judge_claims(runs, record["title"], interpreter, machine)
            body = bars_of(name, record["title"], arms_of(runs, record["title"]), judged)
        else:
            body = lanes_of(name, record["title"], [Span(*span) for span in record["spans"]])
        plate = escape(plate_text(runs, interpreter, machine, paired=paired))
        body += f'<p class="measured-plate">{plate}</p>'
        parts.append(f'<figure class="measured" id="{escape(name)}">{body}</figure>')
    parts.append(show(last.output[shown:]))
    return "".join(parts)


def bars_of(
    name: str, title: str, rounds: Sequence[dict[str, float]], judged: Iterable[Judged]
) -> str:
    """Draw a comparison, with its table and the verdicts on its claims."""
    baseline, *others = rounds[0]
    times = {arm: estimate([arms[arm] for arms in rounds]) for arm in rounds[0]}
    rows = bars_for(times)
    ratios = {arm: estimate([arms[baseline] / arms[arm] for arms in rounds]) for arm in others}
    table = table_of(
        ("arm", "time of a call", f"{words(baseline)} takes so many times as long"),
        [
            (words(arm), interval(times[arm]), number(ratios[arm]) if arm in ratios else "baseline")
            for arm in times
        ],
    )
    return (
        f"<figcaption>{escape(title)}</figcaption>{pictures.bars(name, title, rows)}{table}"
        f"{''.join(map(verdict_of, judged))}"
    )


def bars_for(times: Mapping[str, Estimate]) -> list[Bar]:
    """Make a bar of each arm's time."""
    return [
        Bar(words(arm), seconds(time.median), time.median, time.low, time.high)
        for arm, time in times.items()
    ]


def card_of(runs: Sequence[Run], interpreter: Interpreter, machine: Machine) -> str:
    """Draw the first comparison of a block as an SVG file that stands alone.

    Raises:
        ValueError: If the block compares nothing.
    """
    titles = [record["title"] for record in runs[-1].records if record["kind"] == "comparison"]
    if not titles:
        raise ValueError("this block compares nothing")
    rounds = arms_of(runs, titles[0])
    times = {arm: estimate([arms[arm] for arms in rounds]) for arm in rounds[0]}
    notes = []
    for judged in judge_claims(runs, titles[0], interpreter, machine):
        decision = judged.verdict.decision
        notes += [f"{SIGNS[decision]} {decision.value.capitalize()}: {figure_of(judged)}."]
    return cards.card(
        titles[0], bars_for(times), notes, plate_text(runs, interpreter, machine, paired=True)
    )


def words(arm: str) -> str:
    """Write the name of an arm as a reader does."""
    return arm.replace("_", " ")


def interval(time: Estimate) -> str:
    """Write a duration with its interval."""
    if time.low is None or time.high is None:
        return seconds(time.median)
    return f"{seconds(time.median)} ({seconds(time.low)} to {seconds(time.high)})"


def verdict_of(judged: Judged) -> str:
    """Say in words and by a sign what this build found of a claim."""
    decision, verdict = judged.verdict.decision, told(judged)
    return (
        f'<p class="measured-verdict measured-{CLASSES[decision]}">'
        f'<span class="measured-sign" aria-hidden="true">{SIGNS[decision]}</span> '
        f"<span><strong>{escape(verdict[0].upper() + verdict[1:])}.</strong> "
        f"{escape(judged.claim.text)} <small>({escape(figure_of(judged))})</small></span></p>"
    )


def told(judged: Judged) -> str:
    """Write a verdict, with its reason if there is one."""
    verdict = judged.verdict
    return (
        f"{verdict.decision.value}: {verdict.reason}" if verdict.reason else verdict.decision.value
    )


def figure_of(judged: Judged) -> str:
    """Write a claim's ratio beside its bound."""
    claim = judged.claim
    ratio = f"{words(claim.over)} / {words(claim.under)}"
    return f"{ratio} is {number(judged.ratio)}, {claim.bound} claimed"


def lanes_of(name: str, title: str, spans: Sequence[Span]) -> str:
    """Draw a timeline, with its legend and its table."""
    labels = list(dict.fromkeys(span.label for span in spans))
    instants = {span.label for span in spans if span.start == span.end}
    classes = {
        label: "mark" if label in instants else pictures.label_class(label, labels)
        for label in labels
    }
    legend = "".join(
        f'<li><span class="measured-key measured-{classes[label]}"></span>{escape(label)}</li>'
        for label in labels
    )
    table = table_of(
        ("lane", "what", "from", "to"),
        [(span.lane, span.label, seconds(span.start), seconds(span.end)) for span in spans],
    )
    whole = max((span.end for span in spans), default=0.0)
    return (
        f"<figcaption>{escape(title)}</figcaption>"
        f"{pictures.lanes(name, title, spans, seconds(whole))}"
        f'<ul class="measured-legend">{legend}</ul>'
        f"<details><summary>As a table</summary>{table}</details>"
    )


def plate_text(
    runs: Sequence[Run], interpreter: Interpreter, machine: Machine, *, paired: bool
) -> str:
    """Say in one line where, on what and when a figure was measured."""
    facts = [interpreter.name, machine.processor, f"{machine.cores} cores", machine.system]
    if paired:
        facts.append("1 pair" if len(runs) == 1 else f"{len(runs)} pairs")
    facts.append(runs[-1].started[:10])
    return " · ".join(facts)


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


def waiting_notice() -> str:
    """Say that a block's result is still to come."""
    return '<p class="measured-waiting">Not measured yet. This page refreshes when it is.</p>'


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
    interpreters = {interpreter.name: interpreter for _, interpreter, _ in rows}
    rounds = sorted(len(runs) for block, _, runs in rows if block.timing) or [0]
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
    return markdown_table(("", "This build"), [(name, plain(one)) for name, one in facts.items()])


def build_table(rows: Sequence[Row], page: str) -> str:
    """List every block with its time, memory and date, in Markdown."""
    cells = []
    for block, interpreter, runs in rows:
        last = runs[-1]
        cells.append(
            (
                link_to(block, page, block.name),
                plain(interpreter.name),
                str(len(runs)),
                seconds(last.wall_s),
                f"{last.peak_kib / 1024:.0f} MiB" if last.peak_kib else "not told",
                last.started.replace("T", " ")[:16],
                plain(last.surprise(block.fails) or "as it should"),
            )
        )
    heads = ("Block", "Interpreter", "Runs", "Time of a run", "Memory", "Last run, UTC")
    return markdown_table((*heads, "Ended"), cells)
