"""Two documents of builds, and what the page says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from handbook.build_changes import PAGE, write_build_changes
from measured.export import SCHEMA

EMPTY = "<h1>Since</h1>\n<!-- changes of this build -->\nnothing yet\n<!-- end of the changes -->\n"
SAME = "No verdict differs"


def document(day: int, *claims: tuple[str, str, float, float]) -> dict[str, Any]:
    """Make what a build of one block measured: texts, verdicts and intervals."""
    return {
        "schema": SCHEMA,
        "made": f"2026-11-{day:02}T10:00:00+00:00",
        "commit": f"commit{day}",
        "machine": {"system": "Linux", "processor": "Some <CPU>", "cores": 2},
        "interpreters": [{"name": "CPython 3.11.7"}],
        "blocks": [
            {
                "id": "block",
                "comparisons": [
                    {
                        "title": "Title",
                        "claims": [
                            {
                                "text": text,
                                "ratio": ["one", "other"],
                                "verdict": verdict,
                                "estimate": {
                                    "median": (low + high) / 2,
                                    "low": low,
                                    "high": high,
                                    "samples": 15,
                                },
                            }
                            for text, verdict, low, high in claims
                        ],
                    }
                ],
            }
        ],
    }


class Builds:
    """A site that is built again and again."""

    def __init__(self, folder: Path) -> None:
        """Make its folder."""
        self.site, self.kept = folder / "site", folder / "builds"
        (self.site / PAGE).parent.mkdir(parents=True)

    def publish(self, found: dict[str, Any]) -> str:
        """Build it anew, finish it twice, and give the page."""
        (self.site / PAGE).write_text(EMPTY, encoding="utf-8")
        (self.site / "measurements.json").write_text(json.dumps(found), encoding="utf-8")
        write_build_changes(self.site, self.kept)
        first = (self.site / PAGE).read_text(encoding="utf-8")
        write_build_changes(self.site, self.kept)
        assert (self.site / PAGE).read_text(encoding="utf-8") == first, "the second time differs"
        return first


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    """Give a site that was never built."""
    return Builds(tmp_path)


def test_the_first_build_has_none_before_it(builds: Builds) -> None:
    """It says so."""
    assert "No build before is known" in builds.publish(document(1, ("A.", "holds", 2, 3)))


def test_what_did_not_change_is_not_listed(builds: Builds) -> None:
    """Intervals that overlap are the same figure."""
    builds.publish(document(1, ("A.", "holds", 2, 3)))

    page = builds.publish(document(2, ("A.", "holds", 2.5, 4)))

    assert SAME in page
    assert "commit1" in page
    assert "commit2" in page
    assert "Some &lt;CPU&gt;" in page
    assert "nothing yet" not in page


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (("A.", "does not hold", 2, 3), "the verdict"),
        (("A.", "holds", 3.1, 4), "the figure"),
        (("A.", "holds", 1, 1.9), "the figure"),
        (("B.", "holds", 2, 3), "gone"),
    ],
)
def test_what_changed_is_listed(
    builds: Builds, after: tuple[str, str, float, float], what: str
) -> None:
    """A verdict, an interval that moved away, a claim that went."""
    builds.publish(document(1, ("A.", "holds", 2, 3)))

    page = builds.publish(document(2, after))

    assert f"<td>{what}</td>" in page
    assert "<td>A.</td>" in page
    assert SAME not in page


def test_a_build_is_set_beside_the_one_before_it_and_no_older_one(builds: Builds) -> None:
    """Whatever the order in which files lie there; only two are kept."""
    for day, verdict in ((1, "holds"), (2, "does not hold"), (3, "does not hold")):
        page = builds.publish(document(day, ("A.", verdict, 2, 3)))

    assert SAME in page
    assert len(list(builds.kept.iterdir())) == 2


@pytest.mark.parametrize("text", ["", '{"schema": "', "<h1>404</h1>"])
def test_a_document_that_is_cut_off_is_none(builds: Builds, text: str) -> None:
    """As one that came in part, or that a build was ended at."""
    builds.kept.mkdir()
    (builds.kept / "published.json").write_text(text, encoding="utf-8")

    assert "No build before is known" in builds.publish(document(1, ("A.", "holds", 2, 3)))


def test_a_build_without_measurements_says_so(builds: Builds) -> None:
    """As that of `mkdocs build` alone."""
    (builds.site / PAGE).write_text(EMPTY, encoding="utf-8")

    write_build_changes(builds.site, builds.kept)

    page = (builds.site / PAGE).read_text(encoding="utf-8")
    assert "without its <code>measurements.json</code>" in page
