"""What is kept here of another project is what that project published."""

import json
import os
import re
from pathlib import Path

import pytest
from npm_packages import PINNED, find

ASSETS = Path(__file__).resolve().parent.parent / "docs" / "assets"


def test_minisearch_is_the_pinned_one() -> None:
    """Below its notice, but for the line that names a source map; the notice has the version."""
    published = find("minisearch/dist/umd/index.js")
    if published is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no npm here that installs minisearch: get Node.js with npm")
    notice, end, kept = (ASSETS / "minisearch.js").read_text(encoding="utf-8").partition("*/\n")
    text = re.sub(r"(?m)^//# sourceMappingURL=.*\n", "", published.read_text(encoding="utf-8"))
    pinned = json.loads((PINNED / "package.json").read_text(encoding="utf-8"))["dependencies"]

    assert notice.startswith(f"/* MiniSearch {pinned['minisearch']}, ")
    assert end
    assert kept == text
