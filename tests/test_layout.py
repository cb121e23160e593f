"""The rules of the house: who stands where, who may import whom, what prose may say.

Each rule is a function that returns what is wrong. The first half of this file puts the rules to
the repository, file by file; the second half puts them to small cases that break them.
"""

import ast
import io
import re
import shutil
import subprocess
import sys
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCS, TESTS = ROOT / "docs", ROOT / "tests"
EXAMPLES, MEASURED = ROOT / "src" / "examples", ROOT / "src" / "measured"
MOST_LINES = 80


def named(path: Path) -> str:
    """Name a file in a test's id."""
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    """Read a text file."""
    return path.read_text(encoding="utf-8")


CHAPTERS = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "__init__.py").exists())
PAGES = sorted(DOCS.rglob("*.md"))
MODULES = sorted(path for path in EXAMPLES.rglob("*.py") if path.name != "__init__.py")
BROKEN = [path for path in MODULES if path.stem.endswith("_broken")]
TOPICS = [path for path in MODULES if path not in BROKEN]
ENGINE = sorted(MEASURED.rglob("*.py"))

each_page = pytest.mark.parametrize("path", PAGES, ids=named)
each_module = pytest.mark.parametrize("path", MODULES, ids=named)
each_topic = pytest.mark.parametrize("path", TOPICS, ids=named)
each_broken = pytest.mark.parametrize("path", BROKEN, ids=named)
each_engine_file = pytest.mark.parametrize("path", ENGINE, ids=named)


# Where things stand


def topics_of(root: Path, chapter: str) -> dict[str, set[str]]:
    """Tell, for each of the three places, which topics of a chapter it has."""
    modules = {path.stem for path in (root / "src" / "examples" / chapter).glob("*.py")}
    return {
        "docs": {path.stem for path in (root / "docs" / chapter).glob("*.md")} - {"index"},
        "src": {stem for stem in modules if not stem.endswith("_broken")} - {"__init__"},
        "tests": {
            path.stem.removeprefix("test_") for path in (root / "tests" / chapter).glob("test_*.py")
        },
    }


def misplaced(root: Path, chapter: str) -> list[str]:
    """List the topics that are not in all three places."""
    places = topics_of(root, chapter)
    return [
        f"{chapter}/{topic} is missing in {place}"
        for topic in sorted(set().union(*places.values()))
        for place, topics in places.items()
        if topic not in topics
    ]


def hiding(folder: Path) -> list[str]:
    """List files and folders that would hide a standard module from a script beside them."""
    found = (path for path in folder.rglob("*") if path.is_dir() or path.suffix == ".py")
    return [path.name for path in found if path.stem in sys.stdlib_module_names]


def strays(pages: set[str], listed: list[str]) -> list[str]:
    """List pages that the navigation lacks, doubles, or has without a file."""
    return [
        *(f"{page} is not in the nav" for page in sorted(pages - set(listed))),
        *(f"{page} of the nav does not exist" for page in sorted(set(listed) - pages)),
        *(f"{page} is in the nav twice" for page, times in Counter(listed).items() if times > 1),
    ]


def listed_pages(nav: object) -> Iterator[str]:
    """Read the pages of a navigation, whatever its depth."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        yield from listed_pages(list(nav.values()))
    elif isinstance(nav, list):
        for entry in nav:
            yield from listed_pages(entry)


class Settings(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags for Python objects do not matter here."""


Settings.add_constructor(None, lambda *_: None)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_one_name_three_places(chapter: str) -> None:
    """A page, a module and a test bear the same name, or the first missing one is named."""
    assert misplaced(ROOT, chapter) == []


def test_the_navigation_lists_every_page_once() -> None:
    """No page is out of reach, and no entry leads nowhere."""
    settings = yaml.load(read(ROOT / "mkdocs.yml"), Settings)  # noqa: S506 - a safe loader
    pages = {path.relative_to(DOCS).as_posix() for path in PAGES}
    assert strays(pages, list(listed_pages(settings["nav"]))) == []


def test_no_example_hides_a_standard_module() -> None:
    """A script that lies beside `queue.py` could no longer import `queue`."""
    assert hiding(EXAMPLES) == []


# Who imports whom


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module.

    Attributes:
        name: The module; a relative one begins with its dots.
        line: Where.
    """

    name: str
    line: int

    @property
    def root(self) -> str:
        """The package in which the module lies; empty for a relative one."""
        return self.name.partition(".")[0]


def imports(source: str) -> list[Import]:
    """List what a file imports when it runs, at its top or inside a function."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body.clear()  # read by type checkers alone
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found.append(Import(module, node.lineno))
            found += [Import(f"{module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def imported_from(source: str, *packages: str) -> list[str]:
    """List the imports from any of `packages`."""
    found = (one for one in imports(source) if one.root in packages)
    return [f"line {one.line} imports {one.name}" for one in found]


def not_standard(source: str, *allowed: str) -> list[str]:
    """List the imports that are neither from the standard library nor from `allowed`."""
    found = (one for one in imports(source) if one.root not in {*sys.stdlib_module_names, *allowed})
    return [f"line {one.line} imports {one.name}" for one in found]


def files_inside_blocks() -> list[Path]:
    """List the files of `measured` that run in a block: its door, and all they import of it."""
    waiting = ["__init__", "control", "machine", "timeline", "timing"]
    waiting += [f"inside.{path.stem}" for path in (MEASURED / "inside").glob("*.py")]
    found: set[Path] = set()
    while waiting:
        path = MEASURED.joinpath(*waiting.pop().split(".")).with_suffix(".py")
        if path in found or not path.exists():  # the name of a function, not of a module
            continue
        found.add(path)
        names = (one.name for one in imports(read(path)))
        waiting += [
            name.removeprefix("measured.") for name in names if name.startswith("measured.")
        ]
    return sorted(found)


@each_module
def test_an_example_imports_only_the_standard_library(path: Path) -> None:
    """Nothing else would be there after a copy, not even its sibling."""
    assert not_standard(read(path)) == []


@each_engine_file
def test_the_engine_knows_no_example(path: Path) -> None:
    """Pages bring the two together."""
    assert imported_from(read(path), "examples") == []


@each_engine_file
def test_one_file_of_the_engine_knows_markdown(path: Path) -> None:
    """All others would survive a change of the site generator."""
    if path.name != "fences.py":
        assert imported_from(read(path), "markdown", "markdown_exec") == []


@pytest.mark.parametrize("path", files_inside_blocks(), ids=named)
def test_what_runs_inside_a_block_imports_only_the_standard_library(path: Path) -> None:
    """An interpreter with nothing installed runs it."""
    assert not_standard(read(path), "measured") == []


def test_a_block_needs_nothing_installed() -> None:
    """An interpreter that sees no installed package imports what a block does."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); from measured import compare, timeline"
    command = [sys.executable, "-I", "-S", "-c", script, str(ROOT / "src")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# What an example is


def code_lines(source: str) -> int:
    """Count the lines that are neither blank nor comment nor docstring."""
    layout = {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            lines.update(range(token.start[0], token.end[0] + 1))
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, owners) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return len(lines)


def whole_on(page: str, chapter: str, file: str) -> bool:
    """Tell whether a page includes a whole file, under its name."""
    return any(
        fence.language == "python"
        and fence.options.get("title") == file
        and fence.body.strip() == f'--8<-- "{chapter}/{file}"'
        for fence in fences(page)
    )


@each_module
def test_an_example_is_short(path: Path) -> None:
    """Long ones are copied unread."""
    lines = code_lines(read(path))
    assert lines < MOST_LINES


@each_topic
def test_a_file_is_whole_on_its_page(path: Path) -> None:
    """The copy button gives the file as it was tested."""
    chapter = path.parent.name
    page = read(DOCS / chapter / f"{path.stem}.md")
    assert whole_on(page, chapter, path.name), (
        f'{path.stem}.md lacks --8<-- "{chapter}/{path.name}"'
    )


@each_broken
def test_a_broken_file_is_marked_shown_and_tested(path: Path) -> None:
    """Its first line warns; its topic's page runs or shows it; a test proves the fault."""
    topic, chapter = path.stem.removesuffix("_broken"), path.parent.name
    assert path.with_name(f"{topic}.py") in TOPICS
    docstring = ast.get_docstring(ast.parse(read(path))) or ""
    assert docstring.startswith("Broken on purpose: ")
    assert path.stem in read(DOCS / chapter / f"{topic}.md")
    assert path.stem in read(TESTS / chapter / f"test_{topic}.py")


# What a page says


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block of a page.

    Attributes:
        language: The first word after the fence.
        options: What stands behind it, as `name="value"`.
        body: The lines between the fences.
        line: Where it begins.
    """

    language: str
    options: dict[str, str]
    body: str
    line: int


FENCE = re.compile(r"^(?P<indent>[ ]*)(?P<marks>`{3,}|~{3,})(?P<info>.*)$")


def split_fences(page: str) -> tuple[list[Fence], str]:
    """Split a page into its fenced blocks and all that stands outside them."""
    found: list[Fence] = []
    outside: list[str] = []
    opening: re.Match[str] | None = None
    body: list[str] = []
    for number, line in enumerate(page.splitlines(), 1):
        marks = FENCE.match(line)
        if opening is None:
            if marks is None:
                outside.append(line)
                continue
            opening, body, start = marks, [], number
        elif marks and marks["marks"].startswith(opening["marks"]) and not marks["info"].strip():
            language, _, rest = opening["info"].strip().partition(" ")
            options = dict(re.findall(r"""([\w-]+)=["']([^"']*)["']""", rest))
            found.append(Fence(language, options, textwrap.dedent("\n".join(body)), start))
            opening = None
            outside.append("")
        else:
            body.append(line)
    return found, "\n".join(outside)


def fences(page: str) -> list[Fence]:
    """List the fenced blocks of a page."""
    return split_fences(page)[0]


def prose(page: str) -> str:
    """Keep what a reader reads as text: no fence, inline code, comment, tag, directive, address."""
    _, text = split_fences(page)
    for pattern in (
        r"<!--.*?-->",
        r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)",
        r"(?m)^:::.*$",
        r"(?<=\])\([^)\s]*\)",
        r"<[^>]*>",
        r"\w+://\S+",
    ):
        text = re.sub(pattern, " ", text, flags=re.DOTALL)
    return text.replace("&nbsp;", " ")


def runs(fence: Fence) -> bool:
    """Tell whether the build executes a fence."""
    return fence.options.get("exec", "").lower() in {"1", "on", "true", "yes"}


WORDS = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|sixteen|twenty|thirty"
    r"|forty|fifty|sixty|eighty|hundred|thousand|million|several|many)"
)
DIGITS = r"(?:\d[\d.,]*)"
UNITS = r"(?:(?:milli|micro|nano)?seconds?|secs?|msecs?|minutes?|mins?|hours?|hrs?|ns|µs|μs|us|ms)"
TIMES = r"(?:times|fold|%|percent|per cent)"
FASTER = r"(?:faster|slower|quicker|shorter|longer|cheaper|dearer|speed-?ups?|slow-?downs?)"
AS_FAST = r"(?:(?:as|so) (?:fast|slow|quick|long)(?:ly)?|(?:the|its|that) (?:speed|time|cost)\b)"
TIMINGS = re.compile(
    "|".join(
        (
            rf"(?<![\w.]){DIGITS}[\s-]*{UNITS}\b",
            r"(?<![\w.])(?:\d+[.,]\d+\s*|\d+\s+|\d{1,3})s\b",
            rf"\b{WORDS}[\s-]+{UNITS}\b",
            r"\b(?:half|tenth|quarter|third|fraction)s? of an? (?:\w+)?second\b|\bhalf a second\b",
            rf"(?<![\w.]){DIGITS}\s?[x\u00d7](?!\w|\s*\d)",
            rf"\b(?:{DIGITS}|{WORDS})[\s-]*{TIMES}[\s-]+(?:{FASTER}|{AS_FAST})",
            rf"\b{FASTER} by (?:an? )?(?:factor of )?(?:{DIGITS}|{WORDS}|half|third|quarter)\b",
            rf"\b(?:twice|double|triple|half|thrice) {AS_FAST}",
            rf"\b(?:third|quarter|fifth|tenth|hundredth)s? of {AS_FAST}",
            rf"\bspeed-?up of (?:about |nearly |over )?(?:{DIGITS}|{WORDS})\b",
        )
    ),
    re.IGNORECASE,
)


def timings(page: str) -> list[str]:
    """List the timings and speed-ups that are typed in a page's prose."""
    return [" ".join(found[0].split()) for found in TIMINGS.finditer(prose(page))]


@each_page
def test_no_timing_is_typed_in_prose(path: Path) -> None:
    """A number about speed comes from a block; a documented constant stands as `code`."""
    assert timings(read(path)) == []


@each_page
def test_a_block_that_runs_has_an_id(path: Path) -> None:
    """Messages name a block by it."""
    blocks = [fence for fence in fences(read(path)) if runs(fence)]
    assert [f"line {block.line}" for block in blocks if not block.options.get("id")] == []


def repeated_ids(pages: dict[str, str]) -> list[str]:
    """List the ids of blocks that two fences of the site share."""
    places: dict[str, list[str]] = {}
    for name, page in pages.items():
        for fence in filter(runs, fences(page)):
            places.setdefault(fence.options.get("id", ""), []).append(f"{name}:{fence.line}")
    return [f"{one}: {', '.join(at)}" for one, at in places.items() if one and len(at) > 1]


def test_ids_of_blocks_are_unique_on_the_site() -> None:
    """Two pages never claim one result."""
    pages = {named(path): read(path) for path in PAGES}
    assert repeated_ids(pages) == []


# What may be in a file of the repository


def kept_files() -> list[Path]:
    """List the files of the repository, as git knows them, new ones included."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return []
    command = [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = (ROOT / name for name in names.split("\0") if name)
    return [path for path in files if path.is_file()]


HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("crates", "io"),
    )
]
HOMES = re.compile(r"(?<![\w.$~])(?:/(?:home|Users)/[\w.-]+/|/(?:root)/|[A-Z]:\\Users\\)")


def leaks(text: str, root: Path = ROOT) -> list[str]:
    """List the paths of a machine and the hosts of registries in a text."""
    found = [host for host in HOSTS if host in text]
    found += [match[0] for match in HOMES.finditer(text)]
    if len(root.parts) > 2 and f"{root}/" in text:
        found.append(str(root))
    return found


def test_no_file_names_a_machine_or_a_registry() -> None:
    """Neither means anything on the machine of whoever reads it."""
    files = kept_files()
    if not files:
        pytest.skip("not a git checkout: what belongs to the repository is not known")
    found = {}
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        lock = path.suffix == ".lock" or path.name.endswith("lock.json")
        found[named(path)] = leaks(text) + ["://"] * (lock and "://" in text)
    assert {name: what for name, what in found.items() if what} == {}


# Each rule can fail


def test_a_topic_in_two_places_is_reported(tmp_path: Path) -> None:
    """The missing place is named; index pages, broken variants and package files are no topics."""
    for name in (
        "docs/threads/index.md",
        "docs/threads/wait.md",
        "src/examples/threads/__init__.py",
        "src/examples/threads/wait.py",
        "src/examples/threads/wait_broken.py",
        "src/examples/threads/meet.py",
        "tests/threads/test_meet.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert misplaced(tmp_path, "threads") == [
        "threads/meet is missing in docs",
        "threads/wait is missing in tests",
    ]


def test_a_hidden_standard_module_is_reported(tmp_path: Path) -> None:
    """As a file and as a folder."""
    (tmp_path / "asyncio").mkdir()
    (tmp_path / "async_io").mkdir()
    (tmp_path / "queue.py").touch()

    assert sorted(hiding(tmp_path)) == ["asyncio", "queue.py"]


def test_strays_of_the_navigation_are_reported() -> None:
    """Nested entries and bare ones are read alike."""
    nav = [{"Home": "index.md"}, {"Threads": ["threads/a.md", {"Gone": "threads/gone.md"}]}]

    assert strays({"index.md", "threads/a.md", "lost.md"}, [*listed_pages(nav), "index.md"]) == [
        "lost.md is not in the nav",
        "threads/gone.md of the nav does not exist",
        "index.md is in the nav twice",
    ]


def test_imports_are_found_wherever_they_stand() -> None:
    """In a function, relative, dotted; not those for type checkers alone."""
    source = textwrap.dedent(
        """
        import os.path
        from typing import TYPE_CHECKING
        from . import sibling
        if TYPE_CHECKING:
            from markdown import Markdown
        def work():
            import examples.threads.wait
            from measured.runner import run
        """
    )

    assert not_standard(source, "measured") == [
        "line 4 imports .",
        "line 4 imports ..sibling",
        "line 8 imports examples.threads.wait",
    ]
    assert imported_from(source, "examples", "markdown") == ["line 8 imports examples.threads.wait"]


def test_files_inside_blocks_are_followed() -> None:
    """The door and its rooms, with what they import, and not the room that knows Markdown."""
    names = {path.name for path in files_inside_blocks()}

    assert {"__init__.py", "machine.py", "sampling.py", "timeline.py", "timing.py"} <= names
    assert "fences.py" not in names


def test_only_code_is_counted() -> None:
    """A string over two lines is code, unless it documents."""
    source = (
        '"""Doc\n\nstring."""\n\n# comment\n\ndef f():\n    """Doc."""\n    return """a\nb"""\n'
    )

    assert code_lines(source) == 3


def test_a_file_that_is_not_whole_on_its_page_is_reported() -> None:
    """A part of it, another one, or one without its name does not do."""
    page = '```python title="wait.py"\n--8<-- "threads/wait.py"\n```\n'

    assert whole_on(page, "threads", "wait.py")
    assert not whole_on(page.replace('.py"\n```', '.py:3:9"\n```'), "threads", "wait.py")
    assert not whole_on(page.replace('title="wait.py"', ""), "threads", "wait.py")
    assert not whole_on(f"````markdown\n{page}````\n", "threads", "wait.py")


def test_repeated_ids_are_reported() -> None:
    """A fence that a longer fence quotes does not run, and so does one without `exec`."""
    block = '```python exec="on" id="a"\n```\n'
    pages = {"one.md": block, "two.md": f"````md\n{block}````\n```python id='a'\n```\n{block}"}

    assert repeated_ids(pages) == ["a: one.md:1, two.md:7"]


@pytest.mark.parametrize(
    "sentence",
    [
        "It takes 0.5 s.",
        "It takes 5ms.",
        "A wait of 20 µs.",
        "After 1,000 seconds it ends.",
        "A 30-second wait.",
        "It sleeps 2s.",
        "It is done in 3 s, or less.",
        "Wait ten seconds.",
        "It took half a second.",
        "It took two milliseconds.",
        "Threads are 3x faster.",
        "A speed-up of 4\u00d7 here.",
        "It runs five times faster.",
        "It runs 10 times as fast.",
        "It is 30 % slower.",
        "Ten-fold faster code.",
        "Twice as fast as before.",
        "It needs half the time.",
        "Less than a third of the time.",
        "It is faster by a factor of two.",
        "A speed-up of about three.",
        "| threads | 12.5 ms |",
        "description: Five waits in 0.1 s.",
        "10&nbsp;ms each",
    ],
)
def test_a_typed_timing_is_reported(sentence: str) -> None:
    """Digits or words, times or ratios."""
    assert timings(sentence) != []


@pytest.mark.parametrize(
    "sentence",
    [
        "Python 3.11 to 3.15 on 2 cores.",
        "Five equal waits can overlap five-fold and no more.",
        "Five overlapped waits, ten times over.",
        "The call is made three times, then it fails.",
        "The second thread waits for the first.",
        "Since the 1990s, on the default build.",
        "How close the figure comes to 5 tells what starting the threads cost.",
        "The interpreter asks every `5 ms` for the GIL; ``0.5 s`` is code as well.",
        "[Locks](https://docs.python.org/3/library/10s.html) and <a title='3 s'>tags</a>.",
        "<!-- measured once: 5 s -->",
        "All the time, at the same time, half of the threads.",
        "Use 32 threads at most, 5 tasks, 100 items, 4 x 4 of them.",
        '```python exec="on" id="a"\nwait(0.5)  # 0.5 s\n```',
        "    ```text\n    3x faster\n    ```",
        "Faster by far, and no longer than the longest wait.",
    ],
)
def test_harmless_numbers_pass(sentence: str) -> None:
    """Counts, versions, code, comments and addresses say nothing about speed."""
    assert timings(sentence) == []


def test_paths_and_hosts_are_reported() -> None:
    """A home folder, this checkout and a registry; an address of one's own machine is none."""
    root = Path("/srv/build/handbook")
    home = PurePosixPath("/", "home", "ada", "notes").as_posix()
    text = f"see {home} and {root}/docs and {HOSTS[0]}, not http://127.0.0.1:8000/home/x/"

    assert leaks(text, root) == [HOSTS[0], home.removesuffix("notes"), str(root)]
