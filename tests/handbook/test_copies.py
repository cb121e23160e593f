"""Files of the library on the site, and the line under each box that shows one."""

from pathlib import Path

import pytest

from handbook.copies import write_copies

BOX = (
    '<div class="language-python highlight"><span class="filename">{}</span>'
    "<pre><code>code</code></pre></div>\n<p>After.</p>\n"
)
FILES = {
    "LICENSE": "the notice stays",
    "src/examples/LICENSE": "no conditions",
    "src/examples/threads/__init__.py": "",
    "src/examples/threads/wait.py": "wait = 1\n",
    "src/examples/threads/wait_broken.py": "wait = 0\n",
    "src/examples/threads/count.py": (
        '# /// script\n# requires-python = ">=3.11"\n# ///\n"""Count."""\n'
    ),
    "tests/threads/test_wait.py": "assert 1\n",
    "tests/threads/test_count.py": "assert 2\n",
    "site/threads/wait/index.html": "".join(
        map(BOX.format, ("wait.py", "wait_broken.py", "other.py"))
    ),
    "site/threads/count/index.html": BOX.format("count.py"),
    "site/about/wait/index.html": BOX.format("wait.py"),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Make a library of two files, one of them with a broken one, and the site that shows them."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return tmp_path / "site"


def finished(site: Path, page: str, home: str = "") -> str:
    """Finish the site, and give what stands on a page."""
    write_copies(site, site.parent, home)
    return (site / page / "index.html").read_text(encoding="utf-8")


def test_a_file_can_be_had_with_its_test_and_the_licences(site: Path) -> None:
    """Under its box are links to both and their licences, as the repository has them."""
    page = finished(site, "threads/wait")

    line = page.split("</pre></div>\n", 2)[1].split("\n")[0]
    for target, source in (
        ("code/threads/wait.py", "src/examples/threads/wait.py"),
        ("code/threads/test_wait.py", "tests/threads/test_wait.py"),
        ("code/LICENSE.txt", "src/examples/LICENSE"),
        ("code/LICENSE-of-tests.txt", "LICENSE"),
    ):
        assert f'href="../../{target}"' in line
        assert (site / target).read_bytes() == (site.parent / source).read_bytes()
    assert 'wait.py" download>Download wait.py</a>' in line
    assert "0BSD</a>, no conditions" in line
    assert "MIT</a>, runs in a clone" in line


def test_a_broken_file_is_said_to_be_broken_and_cannot_be_had(site: Path) -> None:
    """It is not published; the box of another thing stays as it was."""
    page = finished(site, "threads/wait")

    line = page.split("wait_broken.py</span>")[1].split("\n")[1]
    assert "Broken on purpose" in line
    assert "href" not in line
    assert not (site / "code" / "threads" / "wait_broken.py").exists()
    assert page.endswith(BOX.format("other.py").removeprefix('<div class="language-python hi'))


def test_a_box_outside_the_chapters_stays_as_it_is(site: Path) -> None:
    """What bears the name of a file there is not that file."""
    assert finished(site, "about/wait") == FILES["site/about/wait/index.html"]


@pytest.mark.parametrize(
    ("home", "told"),
    [
        ("", "uv run count.py<"),
        ("https://a.test/b/", "uv run https://a.test/b/code/threads/count.py<"),
        ("https://a.test/b", "uv run https://a.test/b/code/threads/count.py<"),
    ],
)
def test_a_file_that_runs_by_itself_says_how(site: Path, home: str, told: str) -> None:
    """By its address on the site, if that is known; a file that does nothing says nothing."""
    assert told in finished(site, "threads/count", home)
    assert "uv run" not in finished(site, "threads/wait", home)


def test_a_second_time_changes_nothing(site: Path) -> None:
    """One line under each box, the same; with another address that one."""
    once = finished(site, "threads/wait"), finished(site, "threads/count")
    assert (finished(site, "threads/wait"), finished(site, "threads/count")) == once
    moved = finished(site, "threads/count", "https://a.test/")
    assert moved.count("handbook-take") == 1
    assert "https://a.test/code/threads/count.py" in moved
