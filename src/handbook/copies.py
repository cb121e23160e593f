"""Publish the files of the library and their tests, and say under each how to take it."""

import re
import shutil
from functools import partial
from pathlib import Path

__all__ = ["write_copies"]

FOLDER = "code"
TESTS_LICENSE = "LICENSE-of-tests.txt"
BOX = re.compile(
    r'(?P<box><span class="filename">(?P<file>\w+\.py)</span>.*?</pre>\s*</div>)'
    r'(?:\n<p class="handbook-take\b[^>]*>.*?</p>)?',
    re.DOTALL,
)
SCRIPT = re.compile(r"^# /// script$", re.MULTILINE)
"""How the metadata of a file begins that can be run by itself."""

BROKEN = (
    '<p class="handbook-take handbook-broken">Broken on purpose: to be looked at, not copied.</p>'
)


def write_copies(site: Path, repository: Path, home: str) -> None:
    """Copy the library and its tests into the site, and write a line under each file on a page.

    Safe to do twice.

    Args:
        site: The folder of the built site.
        repository: The folder of the repository.
        home: The site's address; without one a file is run by its name.
    """
    examples = repository / "src" / "examples"
    (site / FOLDER).mkdir(exist_ok=True)
    shutil.copyfile(examples / "LICENSE", site / FOLDER / "LICENSE.txt")
    shutil.copyfile(repository / "LICENSE", site / FOLDER / TESTS_LICENSE)
    for chapter in sorted(path.parent for path in examples.glob("*/__init__.py")):
        folder = site / FOLDER / chapter.name
        folder.mkdir(exist_ok=True)
        for test in sorted((repository / "tests" / chapter.name).glob("test_*.py")):
            shutil.copyfile(test, folder / test.name)
            module = test.name.removeprefix("test_")
            shutil.copyfile(chapter / module, folder / module)
        for page in sorted((site / chapter.name).glob("*/index.html")):
            shown = page.read_text(encoding="utf-8")
            text = BOX.sub(partial(with_line, chapter, home), shown)
            if text != shown:
                page.write_text(text, encoding="utf-8", newline="\n")


def with_line(chapter: Path, home: str, found: re.Match[str]) -> str:
    """Write the line under the box of a whole file; a box of anything else stays as it is."""
    source = chapter / found["file"]
    if not source.is_file():
        return found[0]
    line = BROKEN if source.stem.endswith("_broken") else line_under(source, home)
    return f"{found['box']}\n{line}"


def line_under(source: Path, home: str) -> str:
    """Write how a file can be had: itself and its test, their licences, and how they are run."""
    folder = f"{FOLDER}/{source.parent.name}"
    run = ""
    if SCRIPT.search(source.read_text(encoding="utf-8")):
        address = f"{home.rstrip('/')}/{folder}/{source.name}" if home else source.name
        run = f" <span>Try it here and now: <code>uv run {address}</code></span>"
    return (
        '<p class="handbook-take">'
        f'<a href="../../{folder}/{source.name}" download>Download {source.name}</a> '
        f'<span><a href="../../{FOLDER}/LICENSE.txt">0BSD</a>, no conditions</span> '
        f'<span><a href="../../{folder}/test_{source.name}">Its test</a>: '
        f'<a href="../../{FOLDER}/{TESTS_LICENSE}">MIT</a>, runs in a clone</span>{run}</p>'
    )
