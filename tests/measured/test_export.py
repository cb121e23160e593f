"""The JSON document of a build: its form, what is in it, two side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from measured.export import differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.measured.conftest import Site

SCHEMA = Path(__file__).parents[2] / "docs" / "assets" / "measurements.schema.json"
TWINS = """
import time
from measured import compare, sampling

sampling.SHORTEST_SAMPLE_S = sampling.SHORTEST_GUESS_S = 0.001
waits = compare("Waits", long=lambda: time.sleep(0.1), short=lambda: time.sleep(0.001))
waits.claim("Long takes longer.", ratio=("long", "short"), at_least=2)
"""


@pytest.fixture(scope="module")
def measured_site(make_site: Callable[[], Site]) -> Site:
    """Make a site with a figure of seven rounds, a lesson and a block on every Python."""
    site = make_site()
    site.add("waits", TWINS, timing="on")
    site.add("lesson", "raise ValueError(1)", fails="ValueError")
    site.add("everywhere", "print(1)", pythons="all")
    assert site.run("measured", "run", "--rounds", "7").code == 0
    return site


@pytest.fixture(scope="module")
def document(measured_site: Site) -> dict[str, Any]:
    """Export the site."""
    built = measured_site.run("measured", "export", "m.json")
    assert built.code == 0, built.log
    text = (measured_site.folder / "m.json").read_text(encoding="utf-8")
    return json.loads(text)


@pytest.fixture(scope="module")
def validate() -> Callable[[object], object]:
    """Give the function that the schema describes."""
    return fastjsonschema.compile(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_a_document_is_of_the_form_that_the_schema_describes(
    document: dict[str, Any], validate: Callable[[object], object]
) -> None:
    """As it is; and not with a field more or less."""
    validate(document)

    for broken in (document | {"more": 1}, {k: v for k, v in document.items() if k != "made"}):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            validate(broken)


def test_every_sample_is_in_it(document: dict[str, Any]) -> None:
    """Seven rounds of two arms, the ratio's interval, the verdict."""
    waits = next(block for block in document["blocks"] if block["id"] == "waits")
    (comparison,) = waits["comparisons"]
    (claim,) = comparison["claims"]

    assert [set(samples) for samples in comparison["rounds"]] == [{"long", "short"}] * 7
    assert comparison["ratios"]["short"] == claim["estimate"]
    assert claim["estimate"]["samples"] == 7
    assert claim["verdict"] == "holds here"


def test_it_tells_no_path_of_the_machine(
    document: dict[str, Any], machine_paths: Callable[[str], list[str]], measured_site: Site
) -> None:
    """A document is published."""
    text = json.dumps(document)

    assert machine_paths(text) == []
    assert str(measured_site.folder) not in text


def test_two_documents_side_by_side(measured_site: Site, document: dict[str, Any]) -> None:
    """The verdicts that differ are counted, and the exit code tells that there are some."""
    other = json.loads(json.dumps(document))
    claim = next(block for block in other["blocks"] if block["id"] == "waits")["comparisons"][0][
        "claims"
    ][0]
    claim["verdict"] = "does not hold here"
    measured_site.write("theirs.json", json.dumps(other))

    same = measured_site.run("measured", "diff", "m.json", "m.json")
    differs = measured_site.run("measured", "diff", "m.json", "theirs.json")

    assert (same.code, differs.code) == (0, 1)
    assert "0 of 1 verdicts differ" in same.log
    assert "1 of 1 verdicts differ" in differs.log


def test_a_sentence_that_is_said_of_several_ratios_is_compared_for_each() -> None:
    """As that of a loop over the arms of a figure."""

    def document(*verdicts: str) -> dict[str, Any]:
        claims = [
            {"text": "It pays.", "ratio": ["in_turn", f"arm_{number}"], "verdict": verdict}
            for number, verdict in enumerate(verdicts)
        ]
        return {"blocks": [{"id": "x", "comparisons": [{"title": "t", "claims": claims}]}]}

    found = differences(document("holds", "holds"), document("fails", "holds"))

    assert [(text, mine["verdict"], other["verdict"]) for text, mine, other in found] == [
        ("It pays.", "holds", "fails"),
        ("It pays.", "holds", "holds"),
    ]


def test_two_documents_tell_what_they_come_from(
    measured_site: Site, document: dict[str, Any]
) -> None:
    """Interpreter and machine of each, and why a claim is not decided on one of them."""
    other = json.loads(json.dumps(document))
    other["interpreters"][0]["name"] = "CPython 3.99.1 free-threaded"
    other["machine"] |= {"processor": "Another [one]", "cores": 99}
    waits = next(block for block in other["blocks"] if block["id"] == "waits")
    waits["comparisons"][0]["claims"][0] |= {
        "verdict": "not decided here",
        "reason": "it needs the GIL",
    }
    measured_site.write("free.json", json.dumps(other))

    log = measured_site.run("measured", "diff", "m.json", "free.json", COLUMNS="200").log

    for one in (document, other):
        assert one["interpreters"][0]["name"] in log
        assert f"{one['machine']['processor']}, {one['machine']['cores']} cores" in log
    assert "not decided here: it needs the GIL (" in log


def test_a_document_of_another_form_is_refused(measured_site: Site) -> None:
    """One line says so."""
    measured_site.write("other.json", '{"schema": "another/2"}')

    built = measured_site.run("measured", "diff", "other.json", "other.json")

    assert built.code == 1
    assert "other.json is not of the form measured-concurrency/measurements/2" in built.log
    assert "Traceback" not in built.log


def test_the_claims_of_a_site_on_one_page(measured_site: Site) -> None:
    """Sentence, verdict and ratio in one table."""
    measured_site.write("docs/claims.md", "# Claims\n\n[[measured claims]]\n")

    built = measured_site.build("--strict")

    assert built.code == 0, built.log
    text = built.text("claims")
    for told in ("Long takes longer.", "holds here", "at least 2 claimed"):
        assert told in text
    assert 'href="index.html">Long takes longer.</a>' in built.html("claims")
