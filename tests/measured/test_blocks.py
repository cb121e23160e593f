"""A block is a script: what it may do, and what of it stands on the page."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from measured.interpreters import absent_builds, find_interpreters, own_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.measured.conftest import Build, Site

POOLS = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

def double(number):
    return 2 * number

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        print("executor", list(pool.map(double, [1, 2, 3])))
    with context.Pool(1) as pool:
        print("pool", pool.map(double, [4, 5]))
    child = context.Process(target=print, args=("in the child", double(3)))
    child.start()
    child.join()
    print("exit code", child.exitcode)
"""
ORDER = """
import os
import subprocess
import sys
import threading
from multiprocessing import Process

from talk.aloud import say

def main():
    print("one", "two", sep="-")
    thread = threading.Thread(target=print, args=("a thread",))
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
    os.write(1, b"a descriptor\\n")
    say("an import")
    child = Process(target=print, args=("a process",))
    child.start()
    child.join()
    sys.stdout.write("no line end")
    print(" until", "here", sep="+", end="!\\n")
    print("not for the page", file=sys.stderr)
    os.write(2, b"nor this\\n")
    print("last")

if __name__ == "__main__":
    main()
"""
MESS = """
import builtins, gc, os, socket, sys, threading
os.environ["LEFT_BY_A_BLOCK"] = "yes"
builtins.left_by_a_block = True
socket.socket = None
gc.disable()
sys.setswitchinterval(0.5)
sys.setrecursionlimit(1234)
threading.stack_size(65536)
sys.path.append("left_by_a_block")
sys.modules["left_by_a_block"] = sys
open("left_by_a_block", "w").close()
os.umask(0o77)
os.chdir("/")
mine = 1
"""
CLEAN = """
import builtins, gc, os, socket, sys, threading
mask = os.umask(0)
print(
    "LEFT_BY_A_BLOCK" in os.environ, hasattr(builtins, "left_by_a_block"), socket.socket is None,
    not gc.isenabled(), sys.getswitchinterval() == 0.5, sys.getrecursionlimit() == 1234,
    threading.stack_size() == 65536, "left_by_a_block" in sys.path,
    "left_by_a_block" in sys.modules, "left_by_a_block" in os.listdir(), mask == 0o77,
    "mine" in globals(), sep="\\n",
)
"""
FIGURES = """
import time
import measured.sampling
from measured import compare, timeline

measured.sampling.SHORTEST_SAMPLE_S = 0.001
print("first é text\\r\\nof two lines")
with timeline("A <picture>") as lanes:
    lanes.span("a <label>", time.sleep, 0.001)
print("second text")
waits = compare("A <comparison>", long=lambda: time.sleep(0.02), short=lambda: time.sleep(0.001))
waits.claim("Long & <longer>.", ratio=("long", "short"), at_least=1)
print("third text")
"""
LANES = """
import asyncio
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from measured import timeline

def work(lanes):
    lanes.span("compute", time.sleep, 0.01)
    lanes.mark("ready")

async def both(lanes):
    async def wait():
        with lanes.during("wait"):
            await asyncio.sleep(0.01)
    await asyncio.gather(
        asyncio.create_task(wait(), name="task A"), asyncio.create_task(wait(), name="task B")
    )

if __name__ == "__main__":
    with timeline("Everybody") as lanes:
        print(lanes.span("hold", lambda: "given back"))
        thread = threading.Thread(target=work, args=(lanes,), name="worker 7")
        thread.start()
        thread.join()
        asyncio.run(both(lanes))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(work, lanes).result()
"""
FORKED = """
import os
print("before", flush=True)
child = os.fork()
if not child:
    raise ValueError("in the child")
_, status = os.waitpid(child, 0)
print("the child ended with", os.waitstatus_to_exitcode(status))
"""
SOURCES = ("above", "below", "folded", "none", "tabbed-left", "tabbed-right", "block")


@pytest.fixture(scope="module")
def built(make_site: Callable[[], Site]) -> Build:
    """Build one site of many blocks, once."""
    site = make_site()
    site.write("lib/talk/__init__.py", "")
    site.write("lib/talk/aloud.py", "def say(text):\n    print(text)\n")
    for method in multiprocessing.get_all_start_methods():
        site.add(method, POOLS.format(method=method), page="pools", source="none")
    if hasattr(os, "fork"):
        site.add("forked", FORKED, page="pools", source="none")
    site.add("order", ORDER, page="pools", source="none")
    site.add("mess", MESS, page="leaks", source="none")
    for page in ("leaks", "leaks_elsewhere"):
        site.add(f"clean-{page}".replace("_", "-"), CLEAN, page=page, source="none")
    site.add("same", 'print("of one page")', page="twins/one", source="none")
    site.add("same-too", 'print("of the other")', page="twins/two", source="none")
    site.add("figures", FIGURES, page="figures", source="none")
    site.add("lanes", LANES, page="figures", source="none")
    for place in SOURCES:
        site.add(place, '# the source\nprint("the", "output")', page="sources", source=place)
    site.add("usual", '# the source\nprint("the", "output")', page="sources")
    site.add("usual-timing", '# the source\nprint("the", "output")', page="sources", timing="on")
    site.add("markdown", 'print("*strong*\\n\\n- item")', result="markdown", source="none")
    site.add("html", 'print("<b>strong</b>")', html="on", source="none")
    site.add("json", "print('{\"a\": [1]}')", result="json", source="none")
    site.add("escaped", 'print("<script>1 & 2</script> &lt; \\"q\\"")')
    site.add("silent", "x = 1", source="none")
    site.add("script", "print(__name__)\nimport sys\nprint(sys.argv)", source="none")
    site.add("pasted", '--8<-- "pasted.py"', source="none")
    site.write("lib/pasted.py", 'print("from a snippet")\n')
    site.add("input", "import sys\nprint(repr(sys.stdin.read()))", source="none")
    version = "import platform\nprint('ran on', platform.python_version())"
    site.add("everywhere", version, page="pythons", source="none", pythons="all")
    site.write(
        "docs/build.md",
        "# The build\n\n```\n[[measured build]]\n```\n\n[[measured build]]\n\n"
        "[[measured blocks]]\n",
    )
    site.write("docs/again.md", "# Again\n\n## On again\n\n[[measured figure figures]]\n")
    site.write(
        "docs/nested.md",
        """
        # nested

        ## On in-a-list

        - item

            ```python exec="1" id="in-a-list" source="none"
            print("in a list")
            ```

        ## On nameless

        ```python exec="on" source="none"
        print("nameless")
        ```

        ## On shown

        ````markdown
        ```python exec="on" id="only-shown"
        raise SystemExit(5)
        ```
        ````

        ```python title="plain.py"
        raise SystemExit(6)
        ```
        """,
    )
    return site.build("--strict", MEASURED_PYTHONS=sys.executable)


def test_the_whole_site_passes_a_strict_build(built: Build) -> None:
    """None of the blocks fails, and nothing is complained of."""
    assert built.errors == []
    assert built.code == 0, built.log


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_function_of_the_block_reaches_other_processes(built: Build, method: str) -> None:
    """An executor, a pool and a process get a function that the block itself defines."""
    assert built.output(method, "pools") == (
        "executor [2, 4, 6]\npool [8, 10]\nin the child 6\nexit code 0"
    )


def test_output_of_everybody_is_on_the_page_in_order(built: Build) -> None:
    """Threads, children, imports, descriptors; the main guard runs; stderr stays away."""
    assert built.output("order", "pools").splitlines() == [
        "one-two",
        "a thread",
        "a child",
        "a descriptor",
        "an import",
        "a process",
        "no line end until+here!",
        "last",
    ]
    assert "not for the page" not in built.text("pools")
    assert "nor this" not in built.text("pools")


@pytest.mark.parametrize("page", ["leaks", "leaks_elsewhere"])
def test_nothing_leaks_from_block_to_block(built: Build, page: str) -> None:
    """Twelve traces that a block may leave are not found by the next one, nor on another page."""
    assert built.output(f"clean-{page}".replace("_", "-"), page) == "\n".join(["False"] * 12)


def test_blocks_of_another_page_are_not_seen(built: Build) -> None:
    """Each page shows its own blocks, and nothing of the other's."""
    assert built.output("same", "twins/one") == "of one page"
    assert built.output("same-too", "twins/two") == "of the other"
    assert "of the other" not in built.text("twins/one")


def test_a_block_is_the_main_script(built: Build) -> None:
    """Its name and its arguments are those of a script started by hand."""
    assert built.output("script") == "__main__\n['block.py']"


def test_a_block_reads_no_terminal(built: Build) -> None:
    """Standard input is at its end, so that no block waits for somebody to type."""
    assert built.output("input") == "''"


def test_a_silent_block_leaves_nothing_on_the_page(built: Build) -> None:
    """No output, no empty box."""
    assert built.outputs("silent") == []
    assert built.shown("silent").strip() == ""


def test_a_snippet_is_run(built: Build) -> None:
    """Code that a page includes is what runs."""
    assert built.output("pasted") == "from a snippet"


def test_fences_are_found_where_markdown_finds_them(built: Build) -> None:
    """In a list too, without an id too, and not where they are only shown."""
    assert built.output("in-a-list", "nested") == "in a list"
    assert built.output("nameless", "nested") == "nameless"
    assert built.outputs("shown", "nested") == []


@pytest.mark.parametrize("place", [*SOURCES, "usual", "usual-timing"])
def test_the_source_stands_where_it_was_asked_for(built: Build, place: str) -> None:
    """Above or below the output, a click away, not at all, or in tabs; above unless told."""
    section = built.section(place, "sources")
    source, output = section.find("# the source"), section.find("the output")
    assert section.count("the output") == 1
    assert section.count("# the source") == (place != "none")
    if place in {"above", "usual", "block", "tabbed-left"}:
        assert 0 <= source < output
    elif place in {"below", "folded", "usual-timing", "tabbed-right"}:
        assert 0 <= output < source
    assert ("<details" in section) == (place in {"folded", "usual-timing"})
    assert ('class="tabbed-set' in section) == place.startswith("tabbed")
    assert "<p><pre" not in section  # a browser would close the paragraph, and leave it empty


def test_printed_markdown_is_rendered(built: Build) -> None:
    """Emphasis and a list come out as such."""
    assert "<em>strong</em>" in built.section("markdown")
    assert "<li>item</li>" in built.section("markdown")


def test_printed_html_is_left_alone(built: Build) -> None:
    """A tag stays a tag."""
    assert "<b>strong</b>" in built.section("html")


def test_printed_json_is_highlighted(built: Build) -> None:
    """Text in a named language is shown as a fence of that language is."""
    assert 'class="highlight"' in built.section("json")
    assert "<span" in built.section("json").partition('class="highlight"')[2]
    assert built.shown("json").strip() == '{"a": [1]}'


def test_printed_tags_are_shown_as_text(built: Build) -> None:
    """What looks like HTML cannot become part of the page."""
    assert built.output("escaped") == '<script>1 & 2</script> &lt; "q"'
    assert "<script>1" not in built.html()


def test_figures_stand_between_the_texts_printed_around_them(built: Build) -> None:
    """Text, timeline, text, comparison with its verdict, text."""
    section = built.section("figures", "figures")
    parts = ["first é text", "<figure", "A &lt;picture", "second text", "A &lt;comparison", "third"]
    places = [section.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)
    assert section.count("<figure") == section.count("<svg") == 2
    assert section.count("<table") == 2
    texts = ["first é text\nof two lines", "second text", "third text"]
    assert built.outputs("figures", "figures") == texts


def test_titles_labels_and_claims_are_escaped(built: Build) -> None:
    """No name that a block gives becomes a tag."""
    section = built.section("figures", "figures")
    for tag in ("<picture>", "<label>", "<comparison>", "<longer>"):
        assert tag not in section
    assert "Long & <longer>." in built.shown("figures", "figures")


def test_a_claim_on_too_few_pairs_is_not_decided(built: Build) -> None:
    """One pair says nothing."""
    shown = built.shown("figures", "figures")
    assert "Not decided here" in shown
    assert "1 pair" in shown


def test_a_picture_can_be_read_out(built: Build) -> None:
    """It has a role, a title and a description that say its result."""
    section = built.section("figures", "figures")
    for svg in re.findall(r"<svg.*?</svg>", section, re.DOTALL):
        assert 'role="img"' in svg
        title, description = re.search(r'aria-labelledby="(\S+) (\S+)"', svg).groups()
        assert f'<title id="{title}">' in svg
        assert f'<desc id="{description}">' in svg


def test_ids_of_pictures_are_unique_on_a_page(built: Build) -> None:
    """Two figures of one block, and figures of two blocks, can be told apart."""
    ids = re.findall(r'\bid="([^"]+)"', built.html("figures"))
    assert len(ids) == len(set(ids))


def test_a_timeline_has_a_lane_for_whoever_worked(built: Build) -> None:
    """The main thread, a thread, two tasks and a process that was spawned."""
    section = built.section("lanes", "figures")
    rows = re.findall(r"<tr><th scope=row>(.*?)</th><td>(.*?)</td>", section)
    assert rows[:3] == [("main", "hold"), ("worker 7", "compute"), ("worker 7", "ready")]
    assert sorted(rows[3:5]) == [("task A", "wait"), ("task B", "wait")]
    assert [label for _, label in rows[5:]] == ["compute", "ready"]
    assert len({lane for lane, _ in rows[5:]}) == 1
    assert rows[5][0] not in {"main", "worker 7"}
    assert built.output("lanes", "figures") == "given back"


def test_a_block_for_every_python_is_run_by_each(built: Build) -> None:
    """Each output stands in a row with the name of the interpreter that gave it."""
    names = re.findall(r"<th scope=row>(.*?)</th>", built.section("everywhere", "pythons"))
    assert own_interpreter().name in names
    assert names == [one.name for one in find_interpreters()]
    outputs = built.outputs("everywhere", "pythons")
    for name, output in zip(names, outputs, strict=True):
        assert output.startswith(f"ran on {name.split()[1]}")
    assert absent_builds() in built.shown("everywhere", "pythons")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_failure_of_a_forked_child_is_the_childs(built: Build) -> None:
    """Who forks looks after the child: the block itself ended well, and says what it saw."""
    assert built.output("forked", "pools") == "before\nthe child ended with 1"
    assert built.notice("forked", "pools") == ""


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="no alarm here")
def test_a_block_ends_by_itself_if_nobody_ends_it(site: Site) -> None:
    """A build that is killed ends nobody, so the block has set itself an alarm."""
    code = "import signal\nprint(5 < signal.getitimer(signal.ITIMER_REAL)[0] <= 15)"
    site.add("alarmed", code, timeout="5", source="none")

    assert site.build("--strict").output("alarmed") == "True"


def test_a_figure_can_be_shown_on_another_page(built: Build) -> None:
    """The home page shows a figure of a topic's page, without its source."""
    elsewhere = built.section("again", "again")
    assert elsewhere.count("<figure") == 2
    assert "Long & <longer>." in built.shown("again", "again")
    assert "SHORTEST_SAMPLE_S" not in elsewhere


def test_the_table_of_the_build_lists_every_block(built: Build) -> None:
    """With its page, its time and how it ended; what is only shown in a fence stays."""
    content = built.html("build")
    cells = re.findall(r"<td><a href=\"(.*?)\">(.*?)</a></td>", content)
    assert ("figures.html", "lanes") in cells
    assert ("twins/two.html", "same-too") in cells
    assert ("nested.html", "in-a-list") in cells
    assert "only-shown" not in content
    assert content.count("<code>[[measured build]]") == 1
    assert own_interpreter().name in content


def test_a_comparison_by_hand_prints_a_table(tmp_path: Path) -> None:
    """The same block runs without a build, and prints instead of recording."""
    script = tmp_path / "block.py"
    script.write_text(FIGURES, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", script],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    for text in ("A <picture>", "a <label>", "A <comparison>", "long", "long / short: "):
        assert text in done.stdout
    assert "Long & <longer>." in done.stdout
    assert "at least 1 claimed" in done.stdout
    assert done.stdout.index("first é text") < done.stdout.index("third text")


@pytest.mark.parametrize("heading", ["# Title\n", "Title\n=====\n", "", "~~~\n# no title\n~~~\n"])
def test_the_style_of_figures_stands_below_the_title(site: Site, heading: str) -> None:
    """Once, above all else but the title, however that is written, and never within code."""
    code = "# a comment\n=====\n"
    block = '```python exec="on" id="said"\nprint(\'said\')\n```\n'
    site.write("docs/index.md", f"{heading}\n```python\n{code}```\n\n{block}")
    build = site.build("--strict")
    assert build.code == 0, build.log
    html = build.html()

    assert html.count("<style>") == 1
    before, _, after = html.partition("<style>")
    assert ("</h1>" in before) == heading.startswith(("# ", "T"))
    assert "<code" not in before
    assert re.search(r"# a comment\s+=====", re.sub("<[^>]+>", "", after))
