"""The same mkdocs.yml builds with Zensical, the successor of the theme, to the same text."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.measured.conftest import Build, Site

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="no Zensical here: make environment"
)

ROOT = Path(__file__).resolve().parents[2]
REAL_PAGES = ("index.md", "foundations/races.md", "threads/overlap_waits.md")
UNSTEADY = "import os\nprint(os.getpid(), os.urandom(8).hex())"
LANES = """
import time
from measured import timeline
print("before")
with timeline("Who waited") as lanes:
    lanes.span("wait", time.sleep, 0.01)
    lanes.mark("done")
print("after")
"""
PAIRS = """
import time
import measured.sampling
from measured import compare
measured.sampling.SHORTEST_SAMPLE_S = 0.001
waits = compare("Two waits", long=lambda: time.sleep(0.01), short=lambda: time.sleep(0.001))
waits.claim("A long wait takes longer.", ratio=("long", "short"), at_least=1)
"""


def text_of(page: Path) -> str:
    """Give the text of a page's content, with tags parsed off and white space made even."""
    content = re.search(r"<article.*</article>", page.read_text(encoding="utf-8"), re.DOTALL)
    assert content, page
    bare = re.sub(r"<(script|style)\b.*?</\1>", "", content[0], flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def at_once_material(site: Site) -> None:
    """Give a site the theme that both builders know."""
    site.edit("mkdocs.yml", "{name: mkdocs}", "{name: material, variant: classic, font: false}")


@pytest.fixture(scope="module")
def small(make_site: Callable[[], Site]) -> tuple[Site, Build, Build, dict[str, int]]:
    """Build one small site with MkDocs, then with Zensical; count what the second ran."""
    site = make_site()
    at_once_material(site)
    site.add("unsteady", UNSTEADY, counted=True)
    site.add("folded", UNSTEADY, counted=True, source="folded")
    site.add("tabs", UNSTEADY, counted=True, source="tabbed-left")
    site.add("rendered", "print('*strong*')", result="markdown")
    site.add("lesson", "raise ValueError('as <meant>')", fails="ValueError", counted=True)
    site.add("failed", "print('before')\nraise KeyError('b')", page="chapter/two", counted=True)
    site.add("refused", "print(1)", page="chapter/two", session="a")
    site.add("lanes", LANES, page="figures", counted=True)
    site.add("pairs", PAIRS, page="figures", counted=True, timing="on")
    site.write("docs/views.md", "# Views\n\n[[measured figure pairs]]\n")
    site.write("lib/shown.py", "print('from a snippet')\n")
    site.add("pasted", '--8<-- "shown.py"', page="views")
    mkdocs = site.build("--site-dir", "site-of-mkdocs")
    assert mkdocs.code == 0, mkdocs.log
    site.runs()
    zensical = site.run("zensical", "build")
    return site, mkdocs, zensical, site.runs()


@pytest.mark.parametrize("page", ["index", "chapter/two", "figures", "views"])
def test_the_text_of_a_page_is_the_same(
    small: tuple[Site, Build, Build, dict[str, int]], page: str
) -> None:
    """Output, source, figures, verdicts, lessons, notices: word for word."""
    site, _, zensical, _ = small
    assert zensical.code == 0, zensical.log
    ours = text_of(site.folder / "site-of-mkdocs" / f"{page}.html")
    assert text_of(site.folder / "site" / f"{page}.html") == ours


def test_zensical_uses_what_mkdocs_measured(
    small: tuple[Site, Build, Build, dict[str, int]],
) -> None:
    """Only the block that failed runs again: it does so in every build."""
    assert small[3] == {"failed": 1}


def test_zensical_tells_what_failed(small: tuple[Site, Build, Build, dict[str, int]]) -> None:
    """With page, line and id, though it counts no error of an extension's."""
    log = small[2].log
    assert "chapter/two.md:5 block 'failed' raised KeyError" in log
    assert "each block is a script of its own" in log


def test_a_cold_build_by_zensical_runs_each_block_once(site: Site) -> None:
    """Its pages are rendered side by side, off the main thread."""
    at_once_material(site)
    for number in range(6):
        site.add(f"block-{number}", UNSTEADY, page=f"page{number % 3}", counted=True)
    site.write("docs/index.md", "# Home\n")

    built = site.run("zensical", "build")

    assert built.code == 0, built.log
    assert site.runs() == {f"block-{number}": 1 for number in range(6)}
    for number in range(6):
        page = text_of(site.folder / "site" / f"page{number % 3}.html")
        assert re.search(rf"On block-{number} .*?\d+ [0-9a-f]{{16}}", page), page


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build three pages of the handbook with its own configuration, by both."""
    folder = tmp_path_factory.mktemp("real") / "handbook"
    folder.mkdir()
    for name in ("mkdocs.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs" / "assets", folder / "docs" / "assets")
    if (ROOT / ".measured").is_dir():  # results of the handbook: else all is run here
        shutil.copytree(ROOT / ".measured", folder / ".measured")
    for page in REAL_PAGES:
        (folder / "docs" / page).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "docs" / page, folder / "docs" / page)
    for command in (["mkdocs", "build", "-d", "site-of-mkdocs"], ["zensical", "build"]):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("page", REAL_PAGES)
def test_pages_of_the_handbook_are_the_same(real: Path, page: str) -> None:
    """Three real pages, with the real configuration, word for word."""
    path = "index.html" if page == "index.md" else page.replace(".md", "/index.html")
    ours, theirs = (text_of(real / built / path) for built in ("site-of-mkdocs", "site"))

    assert len(ours.split()) > 200
    assert "measured-failure" not in (real / "site" / path).read_text(encoding="utf-8")
    assert theirs == ours
