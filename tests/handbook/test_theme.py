"""The templates, on a site whose words are not plain."""

import os
import subprocess
import sys
from pathlib import Path

from bs4 import BeautifulSoup

THEME = Path(__file__).resolve().parents[2] / "src" / "handbook" / "theme"
CONFIG = f"""
site_name: Ours & "theirs"
site_url: https://a.test/sub/
theme: {{name: material, variant: classic, font: false, custom_dir: '{THEME.as_posix()}'}}
plugins: []
nav: [index.md, words.md]
"""
WORDS = 'Use "quotes", <tags> & more é'


def test_words_stay_words_in_the_head(tmp_path: Path) -> None:
    """A description or a title with quotes and brackets is one value, and no tag."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "docs" / "index.md").write_text("# Home\n", encoding="utf-8")
    page = f'---\ndescription: {WORDS}\n---\n# A `<lock>` & "more"\n'
    (tmp_path / "docs" / "words.md").write_text(page, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"],
        cwd=tmp_path,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdin=subprocess.DEVNULL,
        timeout=100,
        check=True,
    )
    text = (tmp_path / "site" / "words" / "index.html").read_text(encoding="utf-8")
    head = BeautifulSoup(text, "html.parser").head
    assert head is not None
    found = {one.get("name") or one.get("property"): one.get("content") for one in head("meta")}

    assert found["description"] == found["og:description"] == WORDS
    assert found["og:title"] == 'A <lock> & "more"'
    assert found["og:site_name"] == 'Ours & "theirs"'
    assert head.title is not None
    assert head.title.string == 'A <lock> & "more" - Ours & "theirs"'
    assert head.find("lock") is None
    assert head.find("tags") is None
