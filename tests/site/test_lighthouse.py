"""What Lighthouse finds on a phone. Its score of the performance: `tools/lighthouse.py`."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import lighthouse
import pytest

MOST_BYTES = 75_000


@pytest.fixture(scope="module")
def compressed(site: Path) -> Iterator[str]:
    """Serve the built site as a host does."""
    with lighthouse.serve(site) as home:
        yield home


@pytest.mark.parametrize("page", lighthouse.PAGES, ids=lambda page: page or "home")
def test_lighthouse_finds_no_fault(compressed: str, page: str) -> None:
    """Accessible, well made and found: 100 each; nothing moves; styles and the scheme come first.

    None of it depends on how busy the machine is.
    """
    try:
        report = lighthouse.audit(compressed + page)
    except lighthouse.AuditError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no report: {error}")
    scores, audits = lighthouse.scores(report), report["audits"]
    faults = {
        name: audit["title"]
        for category in ("accessibility", "best-practices", "seo")
        for name in (one["id"] for one in report["categories"][category]["auditRefs"])
        if (audit := audits[name])["scoreDisplayMode"] == "binary" and audit["score"] != 1
    }
    blocking = {
        Path(urlsplit(one["url"]).path).name
        for one in audits["render-blocking-resources"]["details"]["items"]
    }

    assert faults == {}
    assert [scores[name] for name in ("accessibility", "best-practices", "seo")] == [100, 100, 100]
    assert audits["cumulative-layout-shift"]["numericValue"] == 0
    assert 10_000 < audits["total-byte-weight"]["numericValue"] <= MOST_BYTES
    assert {name for name in blocking if not name.endswith(".css")} <= {"scheme.js"}


def test_a_fault_is_found(tmp_path: Path) -> None:
    """A page with nothing in its head gets fewer points."""
    (tmp_path / "index.html").write_text("<p>Words<img src=a.png>", encoding="utf-8")
    with lighthouse.serve(tmp_path) as home:
        try:
            scores = lighthouse.scores(lighthouse.audit(home))
        except lighthouse.AuditError as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no report: {error}")

    assert all(scores[name] < 100 for name in ("accessibility", "best-practices", "seo"))
