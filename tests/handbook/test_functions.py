"""The list of functions has all of them, and a file that does not do what it says is named."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from handbook.functions import CHAPTERS, MODULES, by_chapter, by_problem, failing

SRC = Path(__file__).resolve().parents[2] / "src"
LINK = r'<a href="\.\./{}/"><code>\w+</code></a>'
ENTRY = re.compile(
    rf"^- {LINK.format('(?P<page>[a-z_]+/[a-z_]+)')}(?:, {LINK.format('(?P=page)')})*: [A-Z].+\.$"
)
BLOCK = re.compile(
    r'^```python [^\n]*id="functions-tried"[^\n]*\n(.*?)^```$', re.DOTALL | re.MULTILINE
)


def files() -> set[str]:
    """Name the files of the library, without the broken ones."""
    found = (path.relative_to(SRC).with_suffix("") for path in SRC.glob("examples/*/*.py"))
    names = {".".join(path.parts) for path in found if path.name != "__init__"}
    return {name for name in names if not name.endswith("_broken")}


def test_every_file_of_the_library_is_listed_once() -> None:
    """Under one problem; whatever is new has its line in src/handbook/functions.py."""
    assert set(MODULES) == files()
    assert {name: times for name, times in Counter(MODULES).items() if times > 1} == {}
    assert {name.split(".")[1] for name in MODULES} == set(CHAPTERS)


def test_each_function_has_its_page_and_a_sentence() -> None:
    """Each with a link and the first line of the file."""
    entries = [line for line in by_problem().splitlines() if line and not line.startswith("### ")]
    found = [ENTRY.match(line) for line in entries]

    assert [line for line, one in zip(entries, found, strict=True) if one is None] == []
    pages = [f"examples.{one['page'].replace('/', '.')}" for one in found if one]
    assert sorted(pages) == list(MODULES)


def test_each_chapter_has_its_functions() -> None:
    """All of them, and no other's."""
    lines = dict(zip(CHAPTERS, by_chapter().splitlines(), strict=True))
    for chapter, line in lines.items():
        topics = {name.split(".")[2] for name in files() if name.split(".")[1] == chapter}
        assert line.startswith(f'- <a href="../{chapter}/">{CHAPTERS[chapter]}</a>: <a ')
        assert set(re.findall(LINK.format(rf"{chapter}/(\w+)"), line)) == topics


def test_the_sentence_is_what_the_file_says() -> None:
    """And the names are what it offers, all of them."""
    text = by_problem()
    assert (
        '- <a href="../threads/overlap_waits/"><code>overlap_waits</code></a>: '
        "Overlap calls that block, each in a thread.\n" in text
    )
    assert '</a>, <a href="../async_io/retry_under_deadline/"><code>time_left_s' in text


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('"""Right.\n\n>>> 1 + 1\n2\n"""\n', []),
        ('"""Wrong.\n\n>>> 1 + 1\n3\n>>> 2\n2\n"""\n', ["sample: 1 of 2 examples fail"]),
        ('"""No example."""\n', ["sample: no example"]),
        ("import nowhere\n", ["sample: ModuleNotFoundError: No module named 'nowhere'"]),
    ],
    ids=["right", "wrong", "none", "no import"],
)
def test_a_file_that_does_not_do_what_it_says_is_named(
    source: str, fault: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is wrong; one that does, is not."""
    (tmp_path / "sample.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sample", raising=False)
    try:
        assert failing(["sample"]) == fault
    finally:
        sys.modules.pop("sample", None)


def run_block(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the block of the page on a library of small files that lie in a folder."""
    page = SRC.parent / "docs" / "functions" / "index.md"
    [source] = BLOCK.findall(page.read_text(encoding="utf-8"))
    for name in ("__init__.py", "functions.py"):
        (folder / "handbook").mkdir(exist_ok=True)
        shutil.copy(SRC / "handbook" / name, folder / "handbook")
    return subprocess.run(
        [sys.executable, "-B", "-c", source],  # the files change within a second
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_page_fails_with_a_file_that_does(tmp_path: Path) -> None:
    """The block of the page counts what passes; one wrong file is named, and ends the block."""
    for name in MODULES:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in (path.parent, path.parent.parent):
            (package / "__init__.py").touch()  # else one that is installed is found
        path.write_text('"""Right.\n\n>>> 1\n1\n"""\n', encoding="utf-8")
    chapter = sum(name.startswith("examples.threads.") for name in MODULES)

    right = run_block(tmp_path)
    path = tmp_path / "examples" / "threads" / "overlap_waits.py"
    path.write_text('"""Wrong.\n\n>>> 1\n2\n"""\n', encoding="utf-8")
    wrong = run_block(tmp_path)

    assert right.returncode == 0, right.stderr
    assert f"Threads: {chapter} of {chapter} files pass\n" in right.stdout
    assert wrong.returncode == 1
    assert f"Threads: {chapter - 1} of {chapter} files pass\n" in wrong.stdout
    assert "examples.threads.overlap_waits: 1 of 1 examples fail\n" in wrong.stdout


def test_nothing_installed_is_needed() -> None:
    """Blocks run it on interpreters that have the standard library alone."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); from handbook.functions import failing"
    command = [sys.executable, "-I", "-S", "-c", script, str(SRC)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
