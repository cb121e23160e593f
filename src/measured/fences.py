"""The Markdown extension: python fences of a page go to the runner, results come back as HTML.

List `measured.fences` under `markdown_extensions`, beside the plugin markdown-exec, whose
formatter for Python it replaces. MkDocs, ProperDocs and Zensical load it alike. This is the one
file that knows Markdown and markdown-exec.
"""

import hashlib
import os
import re
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import markdown_exec
from markdown import Extension, Markdown
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor

from measured import pages
from measured.blocks import Block, nearest
from measured.errors import FenceError, StoreError
from measured.schedule import Schedule
from measured.serving import DEFERRED
from measured.site import Site
from measured.store import Store

__all__ = ["FencesExtension", "load_site", "makeExtension"]

LANGUAGES = ("python", "py")
OWN_OPTIONS = ("timing", "timeout", "fails", "pythons", "needs")
HIGHLIGHT_OPTIONS = ("title", "linenums", "hl_lines", "title_mode")
EXEC_OPTIONS = ("exec", "id", "idprefix", "html", "source", "result", "updatetoc", "tabs")
KNOWN_OPTIONS = OWN_OPTIONS + EXEC_OPTIONS + HIGHLIGHT_OPTIONS
REFUSED_OPTIONS = {
    "session": "each block is a script of its own, and nothing leaks from one to the next",
    "workdir": "each block runs in an empty folder of its own",
    "width": "each block sees 88 columns",
    "returncode": 'write fails="exit 3" for a block that is meant to end with exit code 3',
}
NEEDS = {"fork": hasattr(os, "fork")}
CONVERTED_SOURCES = ("block", "material-block", "console", "tabbed-left", "tabbed-right")
SOURCES = ("above", "below", "folded", "none", *CONVERTED_SOURCES)
HEADER = re.compile(r"^[ \t>]*(?:`{3,}|~{3,}).*?\bid=([\"']?)(?P<name>[^\s\"'}]+)\1", re.MULTILINE)
STAY = Path(__file__).with_name("stay.js")
FIGURES = Path(__file__).with_name("figures.css")
VIEW = "[[measured "
FIGURE = re.compile(r'<(?:figure class="measured"|p class="measured-waiting") id="([^"]+)"')
FENCE = re.compile(r"[ \t>]*(?:`{3,}|~{3,})")
HEADING = re.compile(r"# |=+\s*$")
FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*\n+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fence:
    """A python fence as the page has it.

    Attributes:
        options: Its options.
        source: The code.
        language: The language as it is written there.
    """

    options: Mapping[str, str]
    source: str
    language: str = "python"

    @property
    def executed(self) -> bool:
        """Whether the fence is to be run."""
        return is_on(self.options.get("exec", "off"))

    @property
    def possible(self) -> bool:
        """Whether this system has what the fence needs."""
        return NEEDS.get(self.options.get("needs", ""), True)


def is_on(value: str) -> bool:
    """Read a switch as markdown-exec does."""
    return value.lower() not in {"", "no", "off", "false", "0"}


class FenceReader:
    """Lists the python fences of a text, with the parser that pages are rendered with."""

    def __init__(self) -> None:
        """Make a Markdown instance that knows fences and nothing else."""
        custom = [
            {"name": name, "class": name, "validator": self._accept, "format": self._take}
            for name in LANGUAGES
        ]
        self._md = Markdown(
            extensions=["pymdownx.superfences"],
            extension_configs={"pymdownx.superfences": {"custom_fences": custom}},
        )
        self._found: list[Fence] = []
        self._lock = threading.Lock()

    def read(self, text: str) -> tuple[Fence, ...]:
        """List the python fences of a text."""
        if "```" not in text and "~~~" not in text:
            return ()  # a docstring, mostly: a site has more of them than pages
        with self._lock:
            self._found = []
            self._md.reset()
            self._md.preprocessors["fenced_code_block"].run(text.split("\n"))
            return tuple(self._found)

    def _accept(
        self, _language: str, inputs: dict[str, str], options: dict[str, Any], *_: object
    ) -> bool:
        options.update(inputs)
        return True

    def _take(
        self,
        source: str,
        language: str,
        _class: str,
        options: dict[str, Any],
        *_: object,
        **__: object,
    ) -> str:
        self._found.append(Fence(options, source, language))
        return ""


@cache
def style_of_figures() -> str:
    """Read the stylesheet of figures, without comments and white space that mean nothing."""
    text = re.sub(r"/\*.*?\*/", "", FIGURES.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s*([{};,])\s*|\s+", lambda found: found[1] or " ", text).strip()


READER = FenceReader()
fences_in = lru_cache(maxsize=1024)(READER.read)


def check_options(options: Mapping[str, str]) -> None:
    """Refuse an option that no fence has.

    Raises:
        FenceError: If an option is unknown or not to be had, or its value is.
    """
    for name, value in options.items():
        if name in REFUSED_OPTIONS:
            raise FenceError(f"option {name!r} is not to be had: {REFUSED_OPTIONS[name]}")
        if name not in KNOWN_OPTIONS and not name.startswith("data-"):
            raise FenceError(f"unknown option {name!r}{nearest(name, KNOWN_OPTIONS)}")
        allowed = {"source": SOURCES, "pythons": ("all",), "needs": tuple(NEEDS)}.get(name)
        if allowed and value not in allowed:
            raise FenceError(f"unknown {name} {value!r}{nearest(value, allowed)}")
    try:
        positive = float(options.get("timeout", "60")) > 0
    except ValueError:
        positive = False
    if not positive:
        raise FenceError(f"timeout must be a number of seconds above 0, got {options['timeout']!r}")
    if is_on(options.get("timing", "off")) and "pythons" in options:
        raise FenceError(
            "a fence that measures runs on one interpreter: timing and pythons exclude each other"
        )


def check_language(fence: Fence, languages: Container[str]) -> None:
    """Refuse to run a language that the site does not run.

    Raises:
        FenceError: If the fence is to be run and nobody would.
    """
    if fence.executed and fence.language not in languages:
        raise FenceError(f"language {fence.language!r} is not run on this site: write 'python'")


def block_of(fence: Fence, page: str, line: int, name: str) -> Block:
    """Make a block of a fence whose options were checked."""
    options = fence.options
    return Block(
        page=page,
        line=line,
        name=options.get("id") or name,
        source=fence.source,
        timing=is_on(options.get("timing", "off")),
        fails=options.get("fails", ""),
        timeout_s=float(options.get("timeout", "60")),
        everywhere="pythons" in options,
    )


def lines_of(text: str) -> dict[str, int]:
    """Find the line of each fence in the text of a page, by its id."""
    lines: dict[str, int] = {}
    line, end = 1, 0
    for match in HEADER.finditer(text):
        line, end = line + text.count("\n", end, match.start()), match.start()
        lines.setdefault(match["name"], line)
    return lines


def source_of(docs: Path, page: str) -> str:
    """Read a page's file; an empty text if it has none."""
    path = docs / page
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def blocks_of(docs: Path, text: str, page: str) -> Iterator[Block]:
    """Yield the blocks of a page's text whose options are right."""
    fences = fences_in(text.rstrip())
    lines = lines_of(source_of(docs, page)) if fences else {}
    for place, fence in enumerate(fences, start=1):
        try:
            check_options(fence.options)
        except FenceError:
            continue
        if fence.executed and fence.possible:
            line = lines.get(fence.options.get("id", ""), 0)
            yield block_of(fence, page, line, f"block-{place}")


def blocks_below(docs: Path, snippets: Mapping[str, Any] | None) -> Iterator[Block]:
    """Yield the blocks of every page, in the order of the pages' paths.

    Args:
        docs: The folder of the pages.
        snippets: Configuration of pymdownx.snippets, or None if the site does without.

    Yields:
        The blocks.
    """
    for path in sorted(docs.rglob("*.md")):
        page = path.relative_to(docs).as_posix()
        text = FRONT_MATTER.sub("", source_of(docs, page))
        if "exec=" not in text:
            continue
        if snippets is not None and "--8<--" in text:
            configs = {"pymdownx.snippets": snippets}
            md = Markdown(extensions=["pymdownx.snippets"], extension_configs=configs)
            text = "\n".join(md.preprocessors["snippet"].run(text.split("\n")))
        yield from blocks_of(docs, text, page)


def shower(md: Markdown, options: Mapping[str, Any]) -> Callable[[str], str]:
    """Choose how printed text is shown: as it is, as HTML, as Markdown, or highlighted."""
    result = options.get("result", "")
    if options.get("html"):
        return str
    if result in {"markdown", "md"}:
        prefix = options.get("id_prefix") or f"{options['id']}-"
        convert = markdown_exec.MarkdownConverter(md, update_toc=options["update_toc"]).convert
        return lambda text: convert(text, id_prefix=prefix) if text.strip() else ""
    if result and result != "text":
        return lambda text: highlight(md, text, result, {}) if text.strip() else ""
    return pages.output_of


def highlight(md: Markdown, source: str, language: str, options: Mapping[str, str]) -> str:
    """Highlight code as the page's own fences are."""
    kept = {name: value for name, value in options.items() if name in HIGHLIGHT_OPTIONS}
    fenced = md.preprocessors["fenced_code_block"]
    html: str = fenced.highlight(  # type: ignore[attr-defined]
        src=source, language=language, options=kept, md=md, classes=None, id_value="", attrs={}
    )
    return html


def load_site(config_file: Path) -> Site:
    """Open the site that a mkdocs.yml describes, as the command line does.

    Raises:
        FenceError: If the file is not in order, or does not list the extension; or without MkDocs.
    """
    try:
        from mkdocs.config import load_config  # noqa: PLC0415 - a build by Zensical does without
        from mkdocs.exceptions import MkDocsException  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        raise FenceError(f"{config_file.name} is read by MkDocs: install mkdocs") from error
    try:
        config = load_config(config_file=str(config_file))
    except MkDocsException as error:
        raise FenceError(str(error)) from error
    if "measured.fences" not in config.markdown_extensions:
        raise FenceError(f"{config_file.name} does not list measured.fences")
    settings = FencesExtension(**config.mdx_configs.get("measured.fences", {})).getConfigs()
    return open_site(config, settings)


def open_site(config: Any, settings: Mapping[str, Any]) -> Site:
    """Open the site of a configuration of MkDocs or Zensical."""
    folder = Path(config.get("config_file_path") or "mkdocs.yml").resolve().parent
    lock = folder / settings["lock"]
    schedule = Schedule(
        store=Store(folder / settings["store"]),
        paths=[folder / path for path in settings["paths"]],
        lock=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "",
        shared=DEFERRED in os.environ,
    )
    extensions = [getattr(one, "name", one) for one in config["markdown_extensions"]]
    configs = config.get("mdx_configs") or {}
    snippets = configs.get("pymdownx.snippets", {}) if "pymdownx.snippets" in extensions else None
    docs = folder / config["docs_dir"]
    return Site(docs, schedule, lambda: blocks_below(docs, snippets))


class Current:
    """The site of the build that is going on: a new configuration is a new build."""

    config: Any = None
    site: Site | None = None

    @classmethod
    def site_of(cls, config: Any, settings: Mapping[str, Any]) -> Site:
        """Return the site of a configuration, opened once."""
        if cls.site is None or cls.config is not config:
            first = cls.site is None
            cls.config, cls.site = config, open_site(config, settings)
            if first and cls.site.schedule.shared:
                cls.site.schedule.store.forget_failures()  # that an earlier server left
            cls.site.check_names()
        return cls.site


class PageFences(Preprocessor):
    """Knows which page is rendered and which blocks it has; runs before fences are replaced.

    Attributes:
        settings: The extension's configuration.
        blocks: The page's blocks.
    """

    def __init__(self, md: Markdown, settings: Mapping[str, Any]) -> None:
        """Wait for a page."""
        super().__init__(md)
        self.settings = settings
        self.blocks: list[Block] = []

    def place(self) -> tuple[str, Any]:
        """Return the page's path and the site's configuration, of MkDocs or of Zensical."""
        if "relpath" in self.md.treeprocessors:
            mkdocs: Any = self.md.treeprocessors["relpath"]
            return mkdocs.file.src_uri, mkdocs.config
        if "rendering_context" in self.md.preprocessors:
            zensical: Any = self.md.preprocessors["rendering_context"]
            return zensical.page.path, zensical.config
        return "", {"docs_dir": "docs", "markdown_extensions": []}

    def site(self) -> Site:
        """Return the site of this build."""
        return Current.site_of(self.place()[1], self.settings)

    def run(self, lines: list[str]) -> list[str]:
        """Look at the page's fences, and log those that ask for what cannot be."""
        if hasattr(self.md, "_original_md"):
            return lines  # a piece of a page
        text = "\n".join(lines).rstrip()
        fenced: Any = self.md.preprocessors["fenced_code_block"]
        languages = {entry["name"] for entry in fenced.extension.superfences}
        for fence in fences_in(text):
            try:
                check_options(fence.options)
                check_language(fence, languages)
            except FenceError as error:
                self.refuse(fence, error)
        self.blocks = list(blocks_of(self.site().docs, text, self.place()[0]))
        if self.blocks or any(line.startswith(VIEW) for line in lines):
            style = self.md.htmlStash.store(f"<style>{style_of_figures()}</style>")
            # Not before the heading: what comes first is the title of the page. Nor in a fence.
            above = takewhile(lambda line: not FENCE.match(line), lines)
            place = next((at for at, line in enumerate(above, 1) if HEADING.match(line)), 0)
            lines = [*lines[:place], "", style, "", *lines[place:]]
        if self.site().schedule.shared:  # served, and loaded again as figures arrive
            script = f"<script>\n{STAY.read_text(encoding='utf-8')}</script>"
            return [*lines, "", self.md.htmlStash.store(script)]
        return lines

    def refuse(self, fence: Fence, error: FenceError) -> None:
        """Log a fence that cannot be followed."""
        page, site, name = self.place()[0], self.site(), fence.options.get("id", "")
        line = lines_of(source_of(site.docs, page)).get(name, 0)
        site.tell(f"{page}:{line} block '{name}' {error}")


class PageViews(Preprocessor):
    """Replaces `[[measured ...]]` lines; runs after fences are replaced, so not inside them."""

    def __init__(self, md: Markdown, fences: PageFences) -> None:
        """Share what is known of the page."""
        super().__init__(md)
        self.fences = fences

    def run(self, lines: list[str]) -> list[str]:
        """Put what a view shows in its place."""
        return [
            made
            for line in lines
            for made in (self.replace(line) if line.startswith(VIEW) else [line])
        ]

    def replace(self, line: str) -> list[str]:
        """Make the lines that stand for one."""
        site, page = self.fences.site(), self.fences.place()[0]
        try:
            text, is_html = site.view(line, page)
        except (FenceError, StoreError) as error:
            site.tell(f"{page} {error}")
            text, is_html = pages.message_notice("Nothing to show here", str(error)), True
        return [self.md.htmlStash.store(text)] if is_html else ["", *text.split("\n"), ""]


class FigureAnchors(Postprocessor):
    """Tells MkDocs the anchors of figures, also of those to come: it checks links to them."""

    def run(self, text: str) -> str:
        """Look at the finished page."""
        if "mkdocs_raw_html" in self.md.preprocessors:
            mkdocs: Any = self.md.preprocessors["mkdocs_raw_html"]
            mkdocs.present_anchor_ids |= set(FIGURE.findall(text))
        return text


def format_block(*, code: str, md: Markdown, **options: Any) -> str:
    """Stand in for markdown-exec's formatter of Python.

    An error of a formatter would be dropped without a word, and the fence shown as plain code.
    """
    known = getattr(md, "_original_md", md).preprocessors["measured"]
    assert isinstance(known, PageFences)  # noqa: S101 - registered under this name
    try:
        return follow_fence(known, code, md, **options)
    except Exception as error:  # noqa: BLE001 - told, whatever it is
        page = known.place()[0]
        known.site().tell(f"{page} block '{options['id']}': {type(error).__name__}: {error}")
        return pages.message_notice("This block could not be shown", str(error))


def follow_fence(
    known: "PageFences", code: str, md: Markdown, *, source: str = "", **options: Any
) -> str:
    """Run the block of a fence, or reuse what it gave, and return what stands on the page."""
    site = known.site()
    extra: dict[str, str] = options["extra"]
    usual = "folded" if is_on(extra.get("timing", "off")) else known.settings["source"]
    given = {**extra, "source": source or usual}
    popped = ("id", "session", "workdir", "width", "returncode")  # by markdown-exec's validator
    given |= {name: str(options[name]) for name in popped if options[name]}
    fence = Fence(given, code)
    try:
        check_options(given)
    except FenceError as error:  # logged when the page was read
        notice = pages.message_notice("This fence cannot be followed", str(error))
        return highlight(md, code, "python", given) + notice
    if not fence.possible:
        notice = f"Not run here: this system has no {given['needs']}."
        return compose(md, fence, pages.output_of(notice), options["tabs"])
    block = next(
        (one for one in known.blocks if one.source == code and options["id"] in {"", one.name}),
        block_of(fence, known.place()[0], 0, "block"),  # not on the page: another block wrote it
    )
    options["result"] = options["result"] or known.settings["result"]
    result = site.render(block, shower(md, options))
    return compose(md, fence, result, options["tabs"])


def compose(md: Markdown, fence: Fence, result: str, tabs: tuple[str, str]) -> str:
    """Put the source and its result together."""
    location = fence.options["source"]
    if location == "none":
        return result
    if location in CONVERTED_SOURCES:
        placeholder = '<div class="measured-result-here"></div>'
        shown = {name: fence.options[name] for name in HIGHLIGHT_OPTIONS if name in fence.options}
        text = markdown_exec.add_source(
            source=fence.source,
            location=location,
            output=placeholder,
            language="python",
            tabs=tabs,
            **shown,
        )
        converter = markdown_exec.MarkdownConverter(md)
        converted: str = converter.convert(
            text, stash={f"<p>{placeholder}</p>": result, placeholder: result}
        )
        return converted
    source = highlight(md, fence.source, "python", fence.options)
    if location == "folded":
        summary = "<summary>The block</summary>"
        return f'{result}<details class="measured-source">{summary}{source}</details>'
    if location == "below":
        return f'<div class="measured-block">{result}{source}</div>'
    return f'<div class="measured-block">{source}<div class="result">{result}</div></div>'


class FencesExtension(Extension):
    """Replaces markdown-exec's way of running Python."""

    def __init__(self, **kwargs: Any) -> None:
        """Read the configuration."""
        self.config = {
            "paths": [["src"], "folders from which blocks import, beside the configuration file"],
            "store": [".measured", "folder of the results"],
            "lock": ["requirements.lock", "file that names what is installed"],
            "source": ["above", "where the code of an ordinary block stands"],
            "result": ["text", "how printed text is shown"],
        }
        super().__init__(**kwargs)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        """Register with one Markdown instance."""
        for language in LANGUAGES:
            markdown_exec.formatters[language] = format_block
        fences = PageFences(md, self.getConfigs())
        md.preprocessors.register(fences, "measured", 26)  # after snippets (32), before fences (25)
        md.preprocessors.register(PageViews(md, fences), "measured-views", 24)
        md.postprocessors.register(FigureAnchors(md), "measured-anchors", 5)  # all is in place then


def makeExtension(**kwargs: Any) -> FencesExtension:  # noqa: N802 - Markdown's name
    """Make the extension, as Markdown asks for it."""
    return FencesExtension(**kwargs)
