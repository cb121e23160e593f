"""From results to a figure: the picture, its table, its verdicts, its plate."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import combinations
from typing import Any

from measured import cards, charts, pictures
from measured.blocks import Block
from measured.charts import Axis, Curve
from measured.crossings import crossings, leads
from measured.estimates import Estimate, estimate
from measured.pages import output_of, table_of
from measured.pictures import Bar, Span
from measured.runs import TIMED, Run, rounds_of
from measured.sampling import Sample
from measured.verdict import Decision, Judged, Setting, judge_claims
from measured.wording import SIGNS, figure_of, interval, number, seconds, words

__all__ = ["card_of", "result_of"]

CLASSES = {Decision.HOLDS: "holds", Decision.FAILS: "fails", Decision.OPEN: "open"}

MOST_ROWS = 16

Rounds = Sequence[Mapping[str, Sample]]


def result_of(
    block: Block,
    runs: Sequence[Run],
    setting: Setting,
    show: Callable[[str], str] = output_of,
) -> str:
    """Show a result: printed text and figures, in the order in which the block gave them.

    Args:
        block: The block.
        runs: Its rounds.
        setting: On what and where it was run.
        show: Makes HTML of printed text.

    Returns:
        HTML.

    Raises:
        ValueError: If a claim needs something that is not known.
    """
    last = runs[-1]
    parts, shown, figures = [], 0, 0
    for record in last.records:
        if record["kind"] in {"claim", "limit"}:
            continue
        printed = len(last.output) if record["printed"] is None else record["printed"]
        parts.append(show(last.output[shown:printed]))
        shown = max(shown, printed)
        figures += 1
        name = f"{block.name}-{figures}" if figures > 1 else block.name
        title, judged = record["title"], list[Judged]()
        if record["kind"] in TIMED:
            judged = judge_claims(runs, title, setting)
            body = timed_of(name, record, runs) + "".join(map(verdict_of, judged))
        else:
            body = lanes_of(name, title, [Span(*span) for span in record["spans"]])
        plate = plate_text(runs, setting, record["kind"], judged)
        parts.append(
            f'<figure class="measured" id="{escape(name)}"><figcaption>{escape(title)}'
            f'<a class="headerlink" href="#{escape(name)}" title="Link to this figure">&para;</a>'
            f'</figcaption>{body}<p class="measured-plate">{escape(plate)}</p></figure>'
        )
    parts.append(show(last.output[shown:]))
    return "".join(parts)


def timed_of(name: str, record: Mapping[str, Any], runs: Sequence[Run]) -> str:
    """Draw a comparison, a sweep or a cost, with its table."""
    title, rounds = record["title"], rounds_of(runs, record["title"])
    if record["kind"] == "sweep":
        return curves_of(name, record, rounds, limits_of(runs, title))
    times = times_of(rounds)
    rows = bars_for(times)
    baseline, *others = times
    if record["kind"] == "cost":  # read from the cheapest up
        heads = ("operation", "time of one", f"times as long as {words(baseline)}")
        ratios = {arm: ratio_of(rounds, arm, baseline) for arm in others}
        found = " ".join(
            f"{words(arm)} takes {number(ratio)} times as long as {words(baseline)}."
            for arm, ratio in ratios.items()
        )
        picture = charts.dots(name, title, rows, found)
    else:
        heads = ("arm", "time of a call", f"{words(baseline)} takes so many times as long")
        ratios = {arm: ratio_of(rounds, baseline, arm) for arm in others}
        found = " ".join(
            f"{words(baseline)} takes {number(ratio)} times as long as {words(arm)}."
            for arm, ratio in ratios.items()
        )
        picture = pictures.bars(name, title, rows, found)
    return picture + table_of(
        heads,
        [
            (words(arm), interval(times[arm]), number(ratios[arm]) if arm in ratios else "baseline")
            for arm in times
        ],
    )


def times_of(rounds: Rounds) -> dict[str, Estimate]:
    """Estimate the seconds of a call of each arm."""
    return {arm: estimate([arms[arm].wall_s for arms in rounds]) for arm in rounds[0]}


def ratio_of(rounds: Rounds, over: str, under: str) -> Estimate:
    """Estimate the ratio of two arms from their pairs."""
    return estimate([arms[over].wall_s / arms[under].wall_s for arms in rounds])


def bars_for(times: Mapping[str, Estimate]) -> list[Bar]:
    """Make a bar of each arm's time."""
    return [
        Bar(words(arm), seconds(time.median), time.median, time.low, time.high)
        for arm, time in times.items()
    ]


def limits_of(runs: Sequence[Run], title: str) -> dict[str, list[Estimate]]:
    """Gather the computed curves of a sweep: for each value the median over the rounds."""
    found: dict[str, list[list[float]]] = {}
    for run in runs:
        for record in run.records:
            if record["kind"] == "limit" and record["of"] == title:
                found.setdefault(record["name"], []).append(record["times_s"])
    return {
        name: [estimate(times) for times in zip(*rounds, strict=True)]
        for name, rounds in found.items()
    }


def curves_of(
    name: str,
    record: Mapping[str, Any],
    rounds: Rounds,
    limits: Mapping[str, Sequence[Estimate]],
) -> str:
    """Draw a sweep: its curves, where they cross, and its table."""
    values, parameter, arms = record["values"], record["parameter"], record["curves"]
    times = times_of(rounds)
    drawn = [Curve(words(arm), [times[f"{arm} at {value}"] for value in values]) for arm in arms]
    drawn += [Curve(label, points, computed=True) for label, points in limits.items()]
    legend = "".join(
        f"<li>{charts.curve_key(place, curve)} {escape(curve.label)}"
        f"{', computed' if curve.computed else ''}</li>"
        for place, curve in enumerate(drawn)
    )
    heads = (parameter, *(curve.label for curve in drawn))
    table = table_of(
        heads,
        [
            (charts.written(value), *(interval(curve.points[place]) for curve in drawn))
            for place, value in enumerate(values)
        ],
    )
    told = [
        text
        for one, other in combinations(arms, 2)
        if (text := crossing_text(rounds, one, other, values, parameter))
    ]
    crossed = "".join(f"<li>{escape(text)}</li>" for text in told)
    axis = Axis(parameter, values)
    return (
        f"{charts.curves(name, record['title'], axis, drawn, ' '.join(told))}"
        f'<ul class="measured-legend">{legend}</ul>'
        + (f'<ul class="measured-crossings">{crossed}</ul>' if crossed else "")
        + f"<details><summary>As a table</summary>{table}</details>"
    )


def crossing_text(
    rounds: Rounds, one: str, other: str, values: Sequence[float | str], parameter: str
) -> str:
    """Say where one arm overtakes another, or that none does; nothing of few rounds."""
    ratios = [ratio_of(rounds, f"{one} at {value}", f"{other} at {value}") for value in values]
    names = {1: words(other), -1: words(one)}
    found = [
        f"{names[leads(ratios[after])]} becomes quicker between "
        f"{charts.written(values[before])} and {charts.written(values[after])} {parameter}"
        for before, after in crossings(ratios)
    ]
    sure = [(lead, value) for lead, value in zip(map(leads, ratios), values, strict=True) if lead]
    if found:
        what = ", then ".join(found)
    elif any(ratio.low is None for ratio in ratios):
        return ""
    elif len(sure) == len(values):
        what = f"no crossing in the range, {names[sure[0][0]]} is quicker"
    elif sure:
        where = ", ".join(charts.written(value) for _, value in sure)
        what = f"no crossing that is sure, {names[sure[0][0]]} is quicker at {where} {parameter}"
    else:
        what = "no crossing in the range, and no difference that is sure"
    return f"{words(one)} and {words(other)}: {what}."


def card_of(runs: Sequence[Run], setting: Setting) -> str:
    """Draw the first comparison of a block as an SVG file that stands alone.

    Raises:
        ValueError: If the block compares nothing.
    """
    titles = [record["title"] for record in runs[-1].records if record["kind"] == "comparison"]
    if not titles:
        raise ValueError("this block compares nothing")
    times, judged = times_of(rounds_of(runs, titles[0])), judge_claims(runs, titles[0], setting)
    notes = []
    for one in judged:
        decision = one.verdict.decision
        notes.append(f"{SIGNS[decision]} {decision.value.capitalize()}: {figure_of(one)}.")
    return cards.card(
        titles[0], bars_for(times), notes, plate_text(runs, setting, "comparison", judged)
    )


def verdict_of(judged: Judged) -> str:
    """Say in words and by a sign what this build found of a claim."""
    decision, reason = judged.verdict.decision, judged.verdict.reason
    return (
        f'<p class="measured-verdict measured-{CLASSES[decision]}">'
        f'<span class="measured-sign" aria-hidden="true">{SIGNS[decision]}</span> '
        f"<span><strong>{decision.value.capitalize()}{':' if reason else '.'}</strong> "
        f"{f'{escape(reason)}. ' if reason else ''}"
        f"{escape(judged.claim.text)} <small>({escape(figure_of(judged))})</small></span></p>"
    )


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
    whole = max((span.end for span in spans), default=0.0)
    return (
        f"{pictures.lanes(name, title, spans, seconds(whole))}"
        f'<ul class="measured-legend">{legend}</ul>'
        f"<details><summary>As a table</summary>{table_of_spans(spans)}</details>"
    )


def table_of_spans(spans: Sequence[Span]) -> str:
    """List the spans of a timeline; of very many, how often and how long a lane did what."""
    if len(spans) <= MOST_ROWS:
        return table_of(
            ("lane", "what", "from", "to"),
            [(span.lane, span.label, seconds(span.start), seconds(span.end)) for span in spans],
        )
    kinds: dict[tuple[str, str], list[float]] = {}
    for span in spans:
        kinds.setdefault((span.lane, span.label), []).append(span.end - span.start)
    return table_of(
        ("lane", "what", "times", "together"),
        [
            (*kind, str(len(times)), seconds(sum(times)) if any(times) else "instants")
            for kind, times in kinds.items()
        ],
    )


def plate_text(runs: Sequence[Run], setting: Setting, kind: str, judged: Sequence[Judged]) -> str:
    """Say in one line where, on what, when and in what quiet a figure was measured."""
    machine = setting.machine
    facts = [
        setting.interpreter.name,
        machine.processor,
        f"{machine.cores} cores",
        machine.system,
    ]
    if kind in TIMED:
        unit = "pair" if kind == "comparison" else "round"
        facts.append(f"{len(runs)} {unit}{'s' * (len(runs) > 1)}")
    gates = [gate for one in judged for gate in one.build_gates + one.own_gates]
    if gates and setting.conditions.several:
        quiet = all(gate.passed for gate in gates if not gate.noise)
        facts.append("quiet machine" if quiet else "busy machine")
    facts.append(runs[-1].started[:10])
    return " · ".join(facts)
