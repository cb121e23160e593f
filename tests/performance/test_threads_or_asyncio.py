"""allow_open_files: room where there was none, no limit lowered, refusal. Each in a process."""

import subprocess
import sys
from pathlib import Path

import pytest

from examples.performance.threads_or_asyncio import allow_open_files

FILE = Path(__file__).parents[2] / "src" / "examples" / "performance" / "threads_or_asyncio.py"

limited = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")

BEGIN = """
import errno, os, resource, subprocess, sys
sys.path.insert(0, sys.argv[1])
from threads_or_asyncio import allow_open_files

def limits():
    return resource.getrlimit(resource.RLIMIT_NOFILE)

def open_many(count):
    opened = []
    try:
        for _ in range(count):
            opened.append(os.dup(1))
    except OSError as error:
        return f"{errno.errorcode[error.errno]} before {count}"
    finally:
        for one in opened:
            os.close(one)
    return f"{count} open"
"""


def told(script: str) -> list[str]:
    """Run a script in a process of its own, whose limits it may change, and read what it prints."""
    command = [sys.executable, "-c", BEGIN + script, str(FILE.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


@limited
def test_what_did_not_fit_fits() -> None:
    """The same two hundred are refused before, and open after; the hard limit stays as it was."""
    assert told("""
hard = limits()[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
print(open_many(200))
print(allow_open_files(200, spare=50), limits() == (250, hard))
print(open_many(200))
""") == ["EMFILE before 200", "250 True", "200 open"]


@limited
def test_a_limit_that_is_high_enough_stays() -> None:
    """It is told, and not lowered."""
    assert told("""
resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits()[1]))
print(allow_open_files(150, spare=50), allow_open_files(0, spare=0), limits()[0])
""") == ["200 200 200"]


@limited
def test_more_than_the_system_allows_is_refused() -> None:
    """The message has both numbers, and the limit is what it was; what just fits is allowed."""
    assert told("""
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))
try:
    allow_open_files(151, spare=50)
except OSError as error:
    print(errno.errorcode[error.errno], error.strerror)
print(limits())
print(allow_open_files(150, spare=50), limits())
""") == [
        "EMFILE no room for 201 open files: the hard limit is 200",
        "(64, 200)",
        "200 (200, 200)",
    ]


@limited
def test_no_limit_is_none() -> None:
    """Where the system says unlimited; played, as few systems let a process ask for that."""
    assert told("""
from unittest import mock
unlimited = resource.RLIM_INFINITY
with mock.patch("resource.getrlimit", return_value=(unlimited, unlimited)):
    print(allow_open_files(10**9))
""") == ["None"]


@limited
def test_a_program_started_later_inherits_the_room() -> None:
    """A server that is started after the call need not raise its own limit."""
    assert told("""
resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits()[1]))
allow_open_files(150, spare=50)
ask = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
print(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout.strip())
""") == ["200"]


def test_without_the_module_there_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, which has no `resource`."""
    monkeypatch.setitem(sys.modules, "resource", None)

    assert allow_open_files(10**9) is None


@pytest.mark.parametrize("name", ["count", "spare"])
def test_refuses_less_than_none(name: str) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"{name} must be 0 or more, got -1"):
        allow_open_files(**{"count": 0, "spare": 0, name: -1})


@pytest.mark.parametrize("name", ["count", "spare"])
def test_refuses_what_is_no_whole_number(name: str) -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        allow_open_files(**{"count": 0, "spare": 0, name: 1.5})  # type: ignore[arg-type]
