"""A block that fails is said to, once and clearly, in the log and on the page."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from measured import fences
from measured.fences import Fence, FenceError, block_of, check_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.measured.conftest import Build, Site

LEAVE_PID = """
import os
with open(os.environ["PID_FILE"] + "-{name}", "w") as file:
    file.write(str({pid}))
"""
GRANDCHILD = """
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                              stdout=subprocess.DEVNULL, start_new_session=True)
print(grandchild.pid, flush=True)
"""
HANG = f"""
import subprocess, sys, time
print("before")
child = subprocess.run([sys.executable, "-c", {GRANDCHILD!r}], stdout=subprocess.PIPE, text=True)
{LEAVE_PID.format(name="hang", pid="int(child.stdout)")}
def wait_for_ever():
    time.sleep(600)
wait_for_ever()
"""
LEAVE_CHILD = f"""
import subprocess, sys
print("before")
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
{LEAVE_PID.format(name="child", pid="child.pid")}
child.returncode = 0  # no warning of the child's own
"""
LEAVE_BARE_CHILD = f"""
import subprocess, sys
print("before")
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={{}})
{LEAVE_PID.format(name="bare-child", pid="child.pid")}
child.returncode = 0
"""
LEAVE_THREAD = """
import threading, time
print("before")
threading.Thread(target=time.sleep, args=(600,), name="left", daemon=True).start()
"""
FAIL_ASIDE = """
import threading
print("before")
def fail():
    raise KeyError("aside")
thread = threading.Thread(target=fail, name="aside")
thread.start()
thread.join()
"""
POSIX = sys.platform != "win32"
BAD = {
    "raises": ('print("before")\nraise ValueError("no <good>")', "raised ValueError"),
    "exits": ('import sys\nprint("before")\nsys.exit(3)', "ended with exit code 3"),
    "says-why": ('import sys\nprint("before")\nsys.exit("it was <me>")', "exit code 1"),
    "hangs": (HANG, "was still running after 2 s"),
    "floods": (
        'import os\nprint("before")\nfor _ in range(100):\n    os.write(1, b"x" * 1_000_000)',
        "printed more than 1,000,000 bytes",
    ),
    "bursts": ('import os\nos.write(1, b"before" + b"x" * 3_000_000)', "1,000,000 bytes"),
    "not-text": (
        'import sys\nprint("before")\nsys.stdout.buffer.write(b"caf\\xe9\\n")',
        "printed bytes that are not UTF-8",
    ),
    "leaves-a-thread": (
        LEAVE_THREAD,
        "left threads running: left",
    ),
    "leaves-a-child": (LEAVE_CHILD, "left 1 process"),
    "raises-much": (
        'print("before")\nraise ValueError("much " * 100_000)',
        "raised ValueError",
    ),
    "fails-aside": (
        FAIL_ASIDE,
        "raised KeyError in thread aside",
    ),
    "is-no-python": ('print("never"\n', "raised SyntaxError"),
    "closes-its-output": (
        'import os\nprint("before")\nos.close(1)\nprint("after")',
        "raised OSError",
    ),
    "fails-in-the-library": ('import json\nprint("before")\njson.loads("{")', "JSONDecodeError"),
    "fails-in-a-module": ('from own.part import fail\nprint("before")\nfail()', "raised KeyError"),
    "groups": (
        'print("before")\nraise ExceptionGroup("two", [ValueError("a"), KeyError("b")])',
        "raised ExceptionGroup",
    ),
    "unexpected-success": ('print("before")', "succeeded, and was meant to fail with ValueError"),
    "unexpected-failure": (
        'print("before")\nraise KeyError("b")',
        "raised KeyError, and was meant to fail with ValueError",
    ),
}
if POSIX:
    BAD |= {
        "leaves-a-bare-child": (LEAVE_BARE_CHILD, "left 1 process"),
        "is-killed": (
            'import os, signal\nprint("before")\nos.kill(os.getpid(), signal.SIGKILL)',
            "was killed by SIGKILL",
        ),
        "crashes": (
            'import ctypes\nprint("before")\nctypes.string_at(0)',
            "was killed by SIGSEGV",
        ),
    }
LAST_LINES = {
    "raises": "ValueError: no <good>",
    "says-why": "it was <me>",
    "hangs": "wait_for_ever",
    "fails-aside": "KeyError: 'aside'",
    "is-no-python": "SyntaxError: '(' was never closed",
    "fails-in-the-library": 'json/__init__.py", line ',
    "fails-in-a-module": 'File "own/part.py", line 2, in fail',
    "groups": "KeyError: 'b'",
}
if POSIX:
    LAST_LINES["crashes"] = 'File "block.py", line 3 in <module>'
GOOD = {
    "raise": ('print("before")\nraise ValueError("as <meant>")', "ValueError"),
    "exit": ('import sys\nprint("before")\nsys.exit(3)', "exit 3"),
    "time": ('import time\nprint("before")\ntime.sleep(600)', "timeout"),
}
if POSIX:
    GOOD["kill"] = (
        'import os, signal\nprint("before")\nos.kill(os.getpid(), signal.SIGKILL)',
        "SIGKILL",
    )
ENDS = {
    "raise": "ValueError: as <meant>",
    "exit": "(the block ended with exit code 3)",
    "time": "(the block was still running after 1 s)",
    "kill": "(the block was killed by SIGKILL)",
}


@pytest.fixture(scope="module")
def bad_site(make_site: Callable[[], Site]) -> Iterator[Site]:
    """Write a site of blocks that all fail, and one that does not."""
    site = make_site()
    site.write("lib/own/part.py", 'def fail():\n    return {}["no such key"]\n')
    site.add("good", 'print("all is well")', counted=True)
    for name, (code, _) in BAD.items():
        options = {"timeout": "2" if name == "hangs" else "30"}
        if name.startswith("unexpected"):
            options["fails"] = "ValueError"
        site.add(name, code, counted=name == "raises", source="none", **options)
    yield site
    for file in site.folder.glob("pid-*"):  # whatever the engine should have ended, and has not
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(int(file.read_text(encoding="utf-8"))).kill()


@pytest.fixture(scope="module")
def plain(bad_site: Site) -> Build:
    """Build that site plainly."""
    return bad_site.build(PID_FILE=str(bad_site.folder / "pid"))


@pytest.fixture(scope="module")
def runs_of_both(bad_site: Site, plain: Build) -> tuple[Build, dict[str, int], dict[str, int]]:
    """Build that site again, strictly; give the runs of both builds."""
    assert plain.code == 0
    first = bad_site.runs()
    again = bad_site.build("--strict", PID_FILE=str(bad_site.folder / "pid"))
    return again, first, bad_site.runs()


def test_a_plain_build_goes_on(plain: Build) -> None:
    """It ends well, and a block that is well is shown as ever."""
    assert plain.code == 0, plain.log
    assert plain.output("good") == "all is well"
    assert plain.notice("good") == ""


@pytest.mark.parametrize("name", BAD)
def test_a_failure_is_one_entry_with_page_line_and_id(
    plain: Build, bad_site: Site, name: str
) -> None:
    """Such as: ERROR - index.md:7 block 'raises' raised ValueError."""
    lines = (bad_site.folder / "docs" / "index.md").read_text(encoding="utf-8").split("\n")
    line = next(n for n, text in enumerate(lines, 1) if f'id="{name}"' in text)
    first_line = plain.error_of(name).partition("\n")[0]
    assert first_line.startswith(f"ERROR   -  index.md:{line} block '{name}' ")
    assert BAD[name][1] in first_line


@pytest.mark.parametrize("name", LAST_LINES)
def test_a_failure_shows_the_last_lines_of_its_traceback(plain: Build, name: str) -> None:
    """In the log and on the page, escaped there."""
    assert LAST_LINES[name] in plain.error_of(name)
    assert LAST_LINES[name] in plain.notice(name)


def test_a_traceback_is_cut_to_its_last_lines(plain: Build) -> None:
    """No entry of the log fills the terminal."""
    for entry in plain.errors:
        assert len(entry.splitlines()) < 20, entry
        assert len(entry) < 10_000, entry[:1000]


@pytest.mark.parametrize("name", BAD)
def test_the_page_shows_a_notice_and_what_was_printed_before(plain: Build, name: str) -> None:
    """The notice says what happened, as the log does; the output stands above it."""
    assert BAD[name][1] in plain.notice(name).strip().split("\n")[0]
    if name != "is-no-python":
        assert plain.output(name).startswith("before")
        section = plain.section(name)
        assert section.index("before") < section.index("admonition failure")


def test_bytes_that_are_no_text_are_shown_as_escapes(plain: Build) -> None:
    """The reader sees which byte it was."""
    assert plain.output("not-text") == "before\ncaf\\xe9"


def test_a_flood_does_not_flood_the_page(plain: Build) -> None:
    """A hundred megabytes were printed; the page keeps a bearable start of them."""
    assert len(plain.section("floods")) < 1_200_000


def test_no_path_of_this_machine_is_told(
    plain: Build, bad_site: Site, machine_paths: Callable[[str], list[str]]
) -> None:
    """Neither in the log, apart from what MkDocs itself says, nor on the page."""
    ours = "".join(entry for entry in plain.entries if not entry.startswith("INFO"))
    for text in (ours, plain.text()):
        assert machine_paths(text) == []
        assert str(bad_site.folder) not in text
        assert "measured-" not in text.replace("measured-output", "")


def test_a_block_that_prints_where_it_is_tells_no_path(
    site: Site, machine_paths: Callable[[str], list[str]]
) -> None:
    """Its folder, its file, its interpreter, the temporary folder, the home, a folder of ours."""
    site.write("lib/own/__init__.py", "")
    site.add(
        "places",
        """
        import json, os, sys, tempfile
        from pathlib import Path
        import own
        print(__file__)
        print(Path(__file__).resolve())
        print(json.__file__, own.__file__)
        print(os.getcwd())
        print(sys.executable)
        print(os.path.expanduser("~"))
        print(tempfile.gettempdir())
        print(sys.path)
        print(sys.prefix, sys.base_prefix)
        """,
        source="none",
    )

    output = site.build("--strict").output("places")

    told = [line for line in output.splitlines() if machine_paths(line)]
    assert told == []
    assert str(site.folder) not in output


@pytest.mark.parametrize("name", ["hang", "child"] + ["bare-child"] * POSIX)
def test_what_a_block_started_is_gone(
    plain: Build, bad_site: Site, runs_still: Callable[[int], bool], name: str
) -> None:
    """Also a grandchild in a session of its own, whose parent has ended."""
    assert plain.code == 0
    pid = int((bad_site.folder / f"pid-{name}").read_text(encoding="utf-8"))
    assert not runs_still(pid)


def test_nothing_is_left_in_the_temporary_folder(plain: Build, bad_site: Site) -> None:
    """The folders of the blocks are gone, whatever became of the blocks."""
    assert plain.code == 0
    assert list((bad_site.folder / "temporary").iterdir()) == []


def test_a_strict_build_fails_and_counts_each_block_once(
    runs_of_both: tuple[Build, dict[str, int], dict[str, int]],
) -> None:
    """As many errors as blocks that fail: none is missed, none is told twice."""
    strict, _, _ = runs_of_both
    assert strict.code != 0
    assert f"Aborted with {len(BAD)} " in strict.log
    assert "Traceback (most recent call last)" not in strict.log.rpartition("Aborted with")[2]


def test_a_failed_run_is_never_kept(
    runs_of_both: tuple[Build, dict[str, int], dict[str, int]], bad_site: Site
) -> None:
    """The next build runs it again, and only it."""
    _, first, second = runs_of_both
    assert first == {"good": 1, "raises": 1}
    assert second == {"raises": 1}
    assert len(bad_site.kept()) == 1


def test_a_quiet_strict_build_fails_too(site: Site) -> None:
    """And so does the one after it; then the block is mended, and all is well."""
    site.add("good", "print(1)", counted=True)
    site.add("bad", "print(2)\nraise ValueError(3)", counted=True)

    for _ in range(2):
        quiet = site.build("--quiet", "--strict")
        assert quiet.code != 0
        assert "index.md:12 block 'bad' raised ValueError" in quiet.error_of("bad")
    assert site.runs() == {"good": 1, "bad": 2}

    site.edit("docs/index.md", "raise ValueError(3)", "print(3)")
    mended = site.build("--quiet", "--strict")
    assert mended.code == 0, mended.log
    assert mended.output("bad") == "2\n3"
    assert site.runs() == {"bad": 1}


@pytest.fixture(scope="module")
def lessons(make_site: Callable[[], Site]) -> tuple[Build, Build, dict[str, int]]:
    """Build a site of blocks that fail as they are meant to, twice; count the second's runs."""
    site = make_site()
    for name, (code, failure) in GOOD.items():
        limit = "1" if failure == "timeout" else "30"
        site.add(name, code, counted=True, source="none", fails=failure, timeout=limit)
    first = site.build("--strict")
    site.runs()
    return first, site.build("--strict"), site.runs()


@pytest.mark.parametrize("name", GOOD)
def test_a_failure_that_is_meant_is_the_lesson(
    lessons: tuple[Build, Build, dict[str, int]], name: str
) -> None:
    """The page shows what was printed and how it ended, and no notice."""
    for build in lessons[:2]:
        output, lesson = build.outputs(name)
        assert output == "before"
        assert ENDS[name] in lesson
        assert build.notice(name) == ""


def test_lessons_pass_a_strict_build_and_are_kept(
    lessons: tuple[Build, Build, dict[str, int]],
) -> None:
    """Nothing is complained of, and nothing runs again."""
    first, second, runs = lessons
    assert first.code == second.code == 0, first.log + second.log
    assert first.errors == second.errors == []
    assert runs == {}


OPTIONS = {
    'exec="on" tiemout="3"': "unknown option 'tiemout'; did you mean 'timeout'?",
    'exec="on" fail="ValueError"': "unknown option 'fail'; did you mean 'fails'?",
    'exec="on" time="on"': "unknown option 'time'; did you mean 'tim",
    'exec="on" python="all"': "unknown option 'python'; did you mean 'pythons'?",
    'exec="on" sauce="none"': "unknown option 'sauce'; did you mean 'source'?",
    'exec="on" source="fold"': "unknown source 'fold'; did you mean 'folded'?",
    'exec="on" pythons="every"': "unknown pythons 'every'; did you mean 'all'?",
    'exec="on" timeout="soon"': "timeout must be a number of seconds above 0, got 'soon'",
    'exec="on" timeout="-1"': "timeout must be a number of seconds above 0, got '-1'",
    'exec="on" timeout="nan"': "timeout must be a number of seconds above 0, got 'nan'",
    'exec="on" timing="on" pythons="all"': "timing and pythons exclude each other",
    'exec="on" session="one"': "each block is a script of its own",
    'exec="on" workdir="/"': "each block runs in an empty folder of its own",
    'exec="on" width="10"': "each block sees 88 columns",
    'exec="on" returncode="3"': 'write fails="exit 3"',
    'exce="on"': "unknown option 'exce'; did you mean 'exec'?",
    'Exec="on"': "unknown option 'Exec'; did you mean 'exec'?",
}


@pytest.fixture(scope="module")
def refused(make_site: Callable[[], Site]) -> tuple[Build, dict[str, int]]:
    """Build a site of fences that ask for what cannot be."""
    site = make_site()
    for number, options in enumerate(OPTIONS):
        code = f"import os; print({number}, file=open(os.environ['COUNT_RUNS'], 'a'))"
        fence = f'```python id="block-{number}" {options}\n{code}\n```'
        site.write(f"docs/page{number}.md", f"# Page\n\ntext\n\n{fence}\n")
    site.write(
        "docs/index.md",
        """
        # Home

        ```python title="x.py" linenums="1" hl_lines="1"
        x = 1
        ```

        ```console colour="red"
        $ ls
        ```
        """,
    )
    build = site.build("--strict")
    return build, site.runs()


@pytest.mark.parametrize("number", range(len(OPTIONS)), ids=list(OPTIONS))
def test_an_option_that_cannot_be_is_an_error_that_helps(
    refused: tuple[Build, dict[str, int]], number: int
) -> None:
    """It names page, line and id, the nearest option that there is, or the reason."""
    build, _ = refused
    error = build.error_of(f"block-{number}")
    assert error.startswith(f"ERROR   -  page{number}.md:5 block 'block-{number}' ")
    assert list(OPTIONS.values())[number] in error


def test_a_fence_that_cannot_be_followed_is_not_run(
    refused: tuple[Build, dict[str, int]],
) -> None:
    """Nothing of it runs; the strict build fails with one error for each."""
    build, runs = refused
    assert runs == {}
    assert build.code != 0
    assert len(build.errors) == len(OPTIONS)
    assert f"Aborted with {len(OPTIONS)} " in build.log


def test_a_refused_fence_is_visible_on_a_plainly_built_page(site: Site) -> None:
    """Its code stands there, with a notice that says why it was not run."""
    site.add("twice", "print(1)", session="one")

    built = site.build()

    assert built.code == 0
    assert "each block is a script of its own" in built.notice("twice")
    assert "print" in built.shown("twice")


def test_a_block_has_a_minute_unless_told() -> None:
    """The limit that a fence without `timeout` gets."""
    assert block_of(Fence({}, "x"), "index.md", 1, "one").timeout_s == 60
    assert block_of(Fence({"timeout": "0.5"}, "x"), "index.md", 1, "one").timeout_s == 0.5


def test_usual_options_are_accepted() -> None:
    """Those of markdown-exec and of highlighting that mean something here."""
    check_options(
        {"exec": "on", "id": "x", "source": "above", "title": "a", "hl_lines": "1", "data-x": "y"}
    )
    check_options({"exec": "on", "timing": "on", "timeout": "0.5", "result": "json", "tabs": "a|b"})
    with pytest.raises(FenceError, match="timeout"):
        check_options({"timeout": "0"})


def test_an_id_that_two_blocks_share_is_an_error(site: Site) -> None:
    """Ids name blocks in messages and figures, so one is not given twice on the site."""
    site.write("docs/a.md", '# A\n\n```python exec="on" id="twin"\nprint(1)\n```\n')
    site.write("docs/b.md", '# B\n\n```python exec="on" id="twin"\nprint(2)\n```\n')

    built = site.build("--strict")

    assert built.code != 0
    assert "twin" in "".join(built.errors)


def test_a_view_that_shows_nothing_is_an_error(site: Site) -> None:
    """A figure that there is not, with the nearest name; a word that is none of ours."""
    site.add("waits", "print(1)")
    site.write(
        "docs/views.md",
        "# Views\n\n## On one\n\n[[measured figure wait]]\n\n## On two\n\n[[measured nonsense]]\n",
    )

    plain, strict = site.build(), site.build("--strict")

    assert plain.code == 0
    assert strict.code != 0
    assert len(strict.errors) == 2
    assert "views.md" in strict.errors[0]
    assert "no block 'wait'; did you mean 'waits'?" in strict.errors[0]
    assert "[[measured nonsense]] is none of" in strict.errors[1]
    assert "no block 'wait'" in plain.notice("one", "views")
    assert "is none of" in plain.notice("two", "views")


CLAIMS = """
import time
import measured.sampling
from measured import compare

measured.sampling.SHORTEST_SAMPLE_S = 0.001
waits = compare("Waits", long=lambda: time.sleep(0.1), short=lambda: time.sleep(0.0005))
waits.claim("Long takes longer.", ratio=("long", "short"), at_least=1)
waits.claim("Short takes at most as long.", ratio=("short", "long"), at_most=1)
"""
FALSE_CLAIM = """
waits.claim("A short wait takes <ages>.", ratio=("short", "long"), at_least=1000)
"""
UNMET_CLAIMS = """
waits.claim("Needs cores.", ratio=("short", "long"), at_least=1000, needs=["4096 cores"])
waits.claim("Needs Python.", ratio=("short", "long"), at_least=1000, needs=["2 cores", "3.99"])
"""


@pytest.fixture(scope="module")
def claims(make_site: Callable[[], Site]) -> tuple[Build, Build, Build]:
    """Measure six rounds of claims: those that hold and that have unmet needs, then a false one."""
    site = make_site()
    site.add("true", CLAIMS + UNMET_CLAIMS, timing="on")
    measured = site.run("measured", "run", "--rounds", "6")
    good = site.build("--strict")
    site.add("false", CLAIMS + FALSE_CLAIM, page="wrong", timing="on")
    site.run("measured", "run", "--rounds", "6")
    return measured, good, site.build("--strict")


def test_claims_that_hold_pass(claims: tuple[Build, Build, Build]) -> None:
    """With six pairs there is an interval, and it lies on the right side of both bounds."""
    measured, good, _ = claims
    assert measured.code == 0, measured.log
    assert good.code == 0, good.log
    assert good.shown("true").count("Holds here") == 2
    assert "6 pairs" in good.shown("true")


def test_a_claim_with_unmet_needs_is_not_decided(claims: tuple[Build, Build, Build]) -> None:
    """Though the figure is on the wrong side, the page names what is missing, and strict passes."""
    shown = claims[1].shown("true")
    assert "Not decided here: it needs 4096 cores. Needs cores." in shown
    assert "Not decided here: it needs Python 3.99. Needs Python." in shown


def test_a_claim_that_does_not_hold_fails_a_strict_build(
    claims: tuple[Build, Build, Build],
) -> None:
    """The log names page, line, id and the sentence; the page shows it too."""
    _, _, wrong = claims
    assert wrong.code != 0
    error = wrong.error_of("false")
    assert error.startswith("ERROR   -  wrong.md:5 block 'false' ")
    assert "A short wait takes <ages>." in error
    assert len(wrong.errors) == 1
    assert "Does not hold here. A short wait takes <ages>." in wrong.shown("false", "wrong")
    assert wrong.shown("false", "wrong").count("Holds here") == 2


def test_arms_that_disagree_are_a_failure(site: Site) -> None:
    """What is compared must give the same result."""
    site.add(
        "differ",
        "from measured import compare\ncompare('Two', one=lambda: 1, two=lambda: 2)",
        timing="on",
    )

    built = site.build("--strict")

    assert built.code != 0
    assert "one gives 1, two gives 2" in built.error_of("differ")


def test_an_unknown_need_is_a_failure_of_the_block(site: Site) -> None:
    """An error that names the block and what is known, not the end of the build.

    A page that lists all claims says so too.
    """
    code = CLAIMS + "waits.claim('X.', ratio=('long', 'short'), at_least=1, needs=['gill'])"
    site.add("needy", code, timing="on")
    site.write("docs/list.md", "# List\n\n[[measured claims]]\n")

    built = site.build()

    assert "gill" in built.error_of("needy")
    assert "unknown need 'gill'" in built.text("list")
    assert len(built.errors) == 2
    assert "fences.py" not in built.log


@pytest.mark.skipif(not POSIX, reason="Windows has no signals to send to a build")
def test_an_interrupted_build_ends_at_once_and_leaves_nothing(
    site: Site, wait_until: Callable[..., None], runs_still: Callable[[int], bool]
) -> None:
    """Ctrl-C while a block hangs: the build does not wait for the block's time limit."""
    code = "import os, time\nprint(os.getpid(), file=open(os.environ['COUNT_RUNS'], 'a'))\n"
    site.add("waits", code + "time.sleep(600)", timeout="600")
    pids = site.folder / "runs.txt"

    process = site.start("mkdocs", "build")
    try:
        wait_until(lambda: pids.exists() and pids.read_text().strip(), "the block")
        block = int(pids.read_text())
        process.send_signal(signal.SIGINT)
    finally:
        ended = site.finish(process, 15)
    assert ended.code != 0
    assert not re.search(r"\n  File ", ended.log), ended.log
    assert not runs_still(block)
    assert list((site.folder / "temporary").iterdir()) == []


def test_a_need_that_the_system_does_not_meet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A block that needs fork is no block of the site where there is none."""
    text = '# A\n\n```python exec="on" id="forks" needs="fork"\nprint(1)\n```\n'
    monkeypatch.setattr(fences, "NEEDS", {"fork": True})
    assert [one.name for one in fences.blocks_of(tmp_path, text, "a.md")] == ["forks"]

    monkeypatch.setattr(fences, "NEEDS", {"fork": False})
    assert list(fences.blocks_of(tmp_path, text, "a.md")) == []
