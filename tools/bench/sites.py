"""The sites that the bench builds and serves, each in several ways."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

OFF, PLAIN, OURS = WAYS = ("off", "markdown-exec", "ours")
COLD, REBUILD, PROSE, BLOCK, MODULE = BUILDS = (
    "cold build",
    "rebuild",
    "prose edit",
    "block edit",
    "module edit",
)
RENDER = "blocks rendered"
FIRST, FIRST_HANDBOOK = FIRSTS = ("first page", "first page, handbook")
SERVED_PROSE, SERVED_BLOCK = SERVED = ("prose edit, served", "block edit, served")
KINDS = (*BUILDS, RENDER, *FIRSTS, *SERVED)

HANDBOOK = Path(__file__).resolve().parents[2]
BLOCK_S = 0.2

CONFIGURATION = """\
site_name: Bench
theme:
  name: material
  variant: classic
  font: false
plugins:
  - search{plugin}
markdown_extensions:
  - pymdownx.highlight
  - pymdownx.superfences{extension}
"""
PLUGIN = """
  - markdown-exec:
      ansi: "off"
      languages: [python]"""
EXTENSION = """
  - measured.fences"""

MODULE_TEXT = '''\
"""Work for the blocks of half the pages."""

import time


def work(seconds: float) -> int:
    """Take some seconds; the number tells which edit of this module ran."""
    {body}
    return {edit}
'''
NOTHING = "nothing"
BODIES = {
    "wait": "time.sleep(seconds)",
    "compute": """end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass""",
    NOTHING: "pass",
}
FENCE = """\
```python{options}
from topics.{module} import work

print("page {page}, {place} block:", work({seconds}) + {edit})
```
"""
OPTIONS = ' exec="on" id="page-{page}-{place}" source="above"'
TOOLS = re.compile(r"^  - (markdown-exec:\n(    .*\n)*|measured\.fences\n)", re.MULTILINE)
EXECUTED = re.compile(r"^( *`{3,}python) .*\bexec=.*$", re.MULTILINE)
SENTENCE = (
    "A thread waits while another computes, and the lock between them is held no longer than the "
    "queue needs it, so that each result reaches its caller in the order of the calls."
)


@dataclass
class Copy:
    """The generated site, in one way.

    Attributes:
        way: How its blocks are treated.
        folder: Where it lies.
        pages: How many pages it has, two blocks on each.
        work: What its blocks do, as named in `BODIES`.
        prose: Number of the last edit of prose.
        block: Number of the last edit of a block.
        module: Number of the last edit of the module.
    """

    way: str
    folder: Path
    pages: int
    work: str
    prose: int = 0
    block: int = 0
    module: int = 0

    @property
    def edited(self) -> int:
        """The page that is edited: in the middle, and of the half that imports `odd`."""
        return self.pages // 4 * 2 + 1

    def write(self) -> None:
        """Write the whole site."""
        (self.folder / "docs").mkdir(parents=True)
        (self.folder / "src" / "topics").mkdir(parents=True)
        text = CONFIGURATION.format(
            plugin="" if self.way == OFF else PLUGIN,
            extension=EXTENSION if self.way == OURS else "",
        )
        save(self.folder / "mkdocs.yml", text)
        save(self.folder / "src" / "topics" / "__init__.py", "")
        save(self.folder / "docs" / "index.md", "# Bench\n")
        for name in ("even", "odd"):
            self.write_module(name)
        for page in range(1, self.pages + 1):
            self.write_page(page)

    def write_module(self, name: str) -> None:
        """Write the module that half of the pages import."""
        text = MODULE_TEXT.format(body=BODIES[self.work], edit=1000 * self.module)
        save(self.folder / "src" / "topics" / f"{name}.py", text)

    def write_page(self, page: int) -> None:
        """Write one page; only the edited one changes with the edits."""
        edited = page == self.edited
        parts = [f"# Page {page}", f"This is edit {self.prose * edited} of the prose."]
        for place in ("first", "second"):
            parts += [f"## The {place} block", f"{SENTENCE} {SENTENCE}", SENTENCE]
            fence = FENCE.format(
                options=OPTIONS.format(page=page, place=place) if self.way != OFF else "",
                page=page,
                place=place,
                module="odd" if page % 2 else "even",
                seconds=BLOCK_S,
                edit=self.block * (edited and place == "first"),
            )
            parts.append(fence)
        save(self.folder / "docs" / f"page_{page}.md", "\n\n".join(parts))

    def edit(self, kind: str) -> None:
        """Change what a build is about."""
        if kind in {COLD, FIRST}:
            forget(self.folder)
        elif kind in {PROSE, SERVED_PROSE}:
            self.prose += 1
            self.write_page(self.edited)
        elif kind in {BLOCK, SERVED_BLOCK}:
            self.block += 1
            self.write_page(self.edited)
        elif kind == MODULE:
            self.module += 1
            self.write_module("odd")

    def is_shown(self, html: str) -> bool:
        """Tell whether a page shows every edit so far, and where blocks run what came of it."""
        text = re.sub(r"<[^>]*>", "", html)
        wanted = [f"This is edit {self.prose} of the prose.", f"work({BLOCK_S}) + {self.block})"]
        if self.way != OFF:
            answer = 1000 * self.module + self.block
            wanted.append(f"page {self.edited}, first block: {answer}")
        return all(part in text for part in wanted)


@dataclass
class Handbook:
    """This handbook, in one way.

    Attributes:
        way: How its blocks are treated: shown as plain code, or by ours.
        folder: Where it lies.
    """

    way: str
    folder: Path

    def write(self) -> None:
        """Copy what the handbook is built from."""
        for name in ("docs", "src"):
            shutil.copytree(HANDBOOK / name, self.folder / name)
        shutil.copy(HANDBOOK / "requirements.lock", self.folder)
        text = (HANDBOOK / "mkdocs.yml").read_text(encoding="utf-8")
        if self.way == OFF:
            text = TOOLS.sub("", text)
            for page in (self.folder / "docs").rglob("*.md"):
                save(page, EXECUTED.sub(r"\1", page.read_text(encoding="utf-8")))
        save(self.folder / "mkdocs.yml", text)

    def edit(self, _kind: str) -> None:
        """Empty its store."""
        forget(self.folder)


def forget(folder: Path) -> None:
    """Remove what builds left in a folder."""
    for name in ("site", ".measured"):
        shutil.rmtree(folder / name, ignore_errors=True)


def save(path: Path, text: str) -> None:
    """Write a file."""
    path.write_text(text, encoding="utf-8")
