"""`python -m handbook finish` on the smallest site that there can be."""

from pathlib import Path

import pytest

from handbook.__main__ import main

FILES = {
    "mkdocs.yml": """
site_name: Small
site_description: A site.
site_url: {}
nav: [index.md]
""",
    "CHANGELOG.md": "# Changelog\n\n## [1.0.0] - 2026-01-31\n\n- All.\n",
    "LICENSE": "some conditions\n",
    "src/examples/LICENSE": "no conditions\n",
    "site/index.html": '<meta charset="utf-8"><article><h1>Small é</h1></article>\n',
}


def finished(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Finish it, and give its files."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(address) if path.suffix == ".yml" else text, encoding="utf-8")
    monkeypatch.chdir(folder)
    assert main(["finish", "site"]) == 0
    return {path.name: path.read_bytes() for path in (folder / "site").rglob("*") if path.is_file()}


@pytest.mark.parametrize("address", ["https://a.test/b/", "https://a.test/b"])
def test_the_address_is_that_of_the_configuration(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is set, with a slash at its end or without, as MkDocs takes it."""
    monkeypatch.delenv("SITE_URL", raising=False)
    feed = finished(tmp_path, address, monkeypatch)["feed.xml"].decode()

    assert 'href="https://a.test/b/feed.xml"' in feed
    assert "<id>https://a.test/b/changelog#1.0.0</id>" in feed


def test_a_second_time_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address, too: no file is another, and none is added."""
    once = finished(tmp_path, '""', monkeypatch)
    assert main(["finish", "site"]) == 0
    twice = {path.name: path.read_bytes() for path in Path("site").rglob("*") if path.is_file()}

    assert {"index.md", "llms.txt", "card.png", "measured-concurrency.zip"} <= once.keys()
    assert {
        name for name in once.keys() | twice.keys() if once.get(name) != twice.get(name)
    } == set()
