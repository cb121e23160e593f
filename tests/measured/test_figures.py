"""Figures of sweeps and costs: what stands under the picture, and what records show."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from measured import figures
from measured.blocks import Block
from measured.gates import Conditions
from measured.interpreters import own_interpreter
from measured.machine import describe_machine
from measured.runs import Run
from measured.verdict import Setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.measured.conftest import Site

BLOCK = Block("page.md", 1, "figure", "", timing=True)
SETTING = Setting(own_interpreter(), describe_machine(), Conditions())


def sample(wall_s: float) -> dict[str, Any]:
    """Make a sample of so many seconds."""
    return {"calls": 1, "wall_s": wall_s, "cpu_s": 0.0, "pressure": None}


def sweep_of(curves: dict[str, Sequence[float]], rounds: int, *, limit: bool = False) -> list[Run]:
    """Make the rounds of a sweep over 1, 10 and 100, whose samples vary a little."""
    runs = []
    for number in range(rounds):
        arms = {
            f"{name} at {value}": sample(time * (1 + number / 1000))
            for name, times in curves.items()
            for value, time in zip((1, 10, 100), times, strict=True)
        }
        record = {
            "kind": "sweep",
            "title": "Both",
            "parameter": "items",
            "values": [1, 10, 100],
            "curves": list(curves),
            "arms": arms,
            "printed": 0,
        }
        law = {"kind": "limit", "of": "Both", "name": "A law", "times_s": [1, 2, 3 + number]}
        runs.append(Run(records=[record, *([law | {"printed": 0}] * limit)], started="2026-01-01"))
    return runs


def shown(runs: list[Run]) -> str:
    """Give the text of a figure, with tags parsed off."""
    return html.unescape(re.sub(r"<[^>]+>", " ", figures.result_of(BLOCK, runs, SETTING)))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ((1, 2, 9), (4, 3, 3), "a and b b: b becomes quicker between 10 and 100 items."),
        ((1, 2, 3), (4, 5, 6), "a and b b: no crossing in the range, a is quicker."),
        ((4, 5, 6), (1, 2, 3), "a and b b: no crossing in the range, b b is quicker."),
        (
            (1, 9, 1),
            (4, 3, 3),
            "b b becomes quicker between 1 and 10 items, then a becomes quicker between 10 and 100",
        ),
        ((1, 2, 3), (1, 3, 3), "a and b b: no crossing that is sure, a is quicker at 10 items."),
        ((1, 2, 3), (1, 2, 3), "no crossing in the range, and no difference that is sure."),
    ],
)
def test_a_crossing_is_told_in_words(
    first: Sequence[float], second: Sequence[float], told: str
) -> None:
    """Which arm, and between which values."""
    text = shown(sweep_of({"a": first, "b_b": second}, 7))

    assert told.replace("b: b becomes", "b: b b becomes") in text
    assert "7 rounds" in text


def test_few_rounds_tell_no_crossing() -> None:
    """Without an interval nothing is sure; the curves and the table are there."""
    text = shown(sweep_of({"a": (1, 2, 9), "b": (4, 3, 3)}, 1))

    assert "becomes quicker" not in text
    assert "no crossing" not in text
    assert "1 round ·" in text


def test_a_limit_is_shown_as_computed() -> None:
    """In the legend and in the table, with the median over the rounds."""
    text = shown(sweep_of({"a": (1, 2, 9)}, 7, limit=True))

    assert "A law, computed" in text
    assert "6 s" in text  # the middle of 3 to 9


def test_the_costs_are_told_from_the_first_up() -> None:
    """How many times as long as the first operation each takes."""
    arms = {"a_call": sample(1e-7), "a_thread": sample(1e-4)}
    record = {"kind": "cost", "title": "Costs", "arms": arms, "printed": 0}
    text = shown([Run(records=[record], started="2026-01-01")] * 7)

    assert "times as long as a call" in text
    assert "1000.000 (1000.000 to 1000.000)" in text


def test_two_figures_of_one_title_are_refused() -> None:
    """The samples of both would be drawn, counted and decided as those of one."""
    run = sweep_of({"a": (1, 2, 9)}, 1)[0]
    twice = Run(records=run.records * 2, started=run.started)

    with pytest.raises(ValueError, match="has two figures with the title 'Both'"):
        figures.result_of(BLOCK, [twice] * 7, SETTING)


def test_a_record_of_a_command_is_shown_with_its_plate(site: Site) -> None:
    """Tables as Markdown, whose cells are plain text; one that is absent is an error."""
    table = {"heads": ["What", "How *often*"], "rows": [["<b>", "4 of 5"]]}
    record = {"plate": "CPython 3.11 · 2 cores", "tables": [table]}
    site.write("docs/assets/records/often.json", json.dumps(record))
    site.write("docs/index.md", "# A\n\n[[measured record often]]\n")
    site.write("docs/other.md", "# B\n\n[[measured record never]]\n")

    built = site.build()

    assert "How *often*" in built.text()
    assert "<b>" in built.text()
    assert "CPython 3.11 · 2 cores" in built.text()
    assert "no record 'never'" in built.text("other")
    assert site.build("--strict").code != 0


def timeline_of(spans: int) -> list[Run]:
    """Make a timeline in which two lanes do something in turn, a second each."""
    lanes = [[f"lane {n % 2}", "wait", float(n), n + 1.0] for n in range(spans)]
    record = {"kind": "timeline", "title": "In turn", "spans": lanes, "printed": 0}
    return [Run(records=[record], started="2026-01-01")]


@pytest.mark.parametrize(
    ("spans", "heads", "row"),
    [
        (16, "lane what from to", "lane 1 wait 15 s 16 s"),
        (18, "lane what times together", "lane 1 wait 9 9 s"),
    ],
)
def test_the_table_of_a_timeline_stays_readable(spans: int, heads: str, row: str) -> None:
    """A row for each span; of very many, a row for what each lane did."""
    text = " ".join(shown(timeline_of(spans)).split())
    assert heads in text
    assert row in text


def test_a_figure_can_be_linked_and_read_out() -> None:
    """Its caption leads to itself, and its picture's description says the ratio."""
    arms = {"slow": sample(3.0), "quick_one": sample(1.0)}
    record = {"kind": "comparison", "title": "Both", "arms": arms, "printed": 0}
    html_of = figures.result_of(BLOCK, [Run(records=[record], started="2026-01-01")], SETTING)
    assert '<figure class="measured" id="figure"><figcaption>Both<a class="headerlink"' in html_of
    assert 'href="#figure"' in html_of
    description = re.search(r"<desc[^>]*>(.*?)</desc>", html_of)
    assert description
    assert "slow takes 3.0 (no interval yet) times as long as quick one." in description[1]
