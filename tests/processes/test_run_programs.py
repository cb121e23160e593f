"""run_programs: order, overlap, limits, and whole trees that end."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess, Popen, TimeoutExpired

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.processes import run_programs as module
from examples.processes.run_programs import run_programs
from examples.processes.run_programs_broken import run_program

only_posix = pytest.mark.skipif(os.name != "posix", reason="groups of processes are POSIX's")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No new child may be there, dead and unasked for included, and no thread."""
    before = psutil.Process().children()
    yield
    assert [child for child in psutil.Process().children() if child not in before] == []
    assert [thread for thread in threading.enumerate() if "run_programs" in thread.name] == []


def python(code: str, *arguments: str) -> list[str]:
    """Write a command that runs some Python, quickly."""
    return [sys.executable, "-I", "-S", "-c", code, *arguments]


class Desk:
    """A server at which programs sign in, and wait until they are let go."""

    def __init__(self) -> None:
        """Open on a port of this machine."""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(30)
        self.guests: list[socket.socket] = []

    def visitor(self, name: str) -> list[str]:
        """Write a command that signs in, waits, and prints its name."""
        code = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30) as desk:
    desk.sendall(sys.argv[2].encode())
    desk.recv(1)
print(sys.argv[2], end="")
"""
        return python(code, str(self.server.getsockname()[1]), name)

    def sign_in(self) -> str:
        """Wait for the next visitor, and return its name."""
        guest, _ = self.server.accept()
        guest.settimeout(30)
        self.guests.append(guest)
        return guest.recv(100).decode()

    def let_go(self, index: int = 0) -> None:
        """Let a visitor leave."""
        self.guests.pop(index).close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Give a desk that closes."""
    desk = Desk()
    yield desk
    while desk.guests:
        desk.let_go()
    desk.server.close()


def output_of(outcome: object) -> bytes:
    """Take the output of a program that ended in time."""
    assert isinstance(outcome, CompletedProcess)
    output: bytes = outcome.stdout
    return output


def test_outcomes_keep_the_order_of_the_commands(desk: Desk) -> None:
    """The first program ends last, and stands first."""
    commands = [desk.visitor("first"), desk.visitor("second")]
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(run_programs, commands, max_running=2, timeout_s=60)
        names = [desk.sign_in(), desk.sign_in()]
        desk.let_go(names.index("second"))
        desk.let_go()

        assert [output_of(outcome) for outcome in answer.result(60)] == [b"first", b"second"]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"])), max_size=3))
def test_is_each_program_alone(words: list[str]) -> None:
    """Whatever the words, each program gives what it gives alone."""
    commands = [python("import sys; print(sys.argv[1:])", word) for word in words]

    assert [output_of(outcome) for outcome in run_programs(commands, timeout_s=60)] == [
        f"{[word]}{os.linesep}".encode() for word in words
    ]


def test_fills_the_ceiling_and_never_passes_it(desk: Desk) -> None:
    """Nobody may leave before the house is full, and the peak is counted."""
    commands = [desk.visitor(str(number)) for number in range(6)]
    peak = 0
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(run_programs, iter(commands), max_running=3, timeout_s=60)
        for signed_in in range(1, 7):
            desk.sign_in()
            peak = max(peak, len(desk.guests))
            if signed_in >= 3:
                desk.let_go()
        while desk.guests:
            desk.let_go()
        assert [output_of(outcome) for outcome in answer.result(60)] == [
            str(number).encode() for number in range(6)
        ]

    assert peak == 3


def test_output_is_kept_byte_for_byte() -> None:
    """More than a pipe holds, on both ways out, and no text."""
    code = r"""
import sys
sys.stdout.buffer.write(b"\xff\x00\n" * 300_000)
sys.stderr.buffer.write(b"\xfe" * 1_000_000)
"""
    [outcome] = run_programs([python(code)], timeout_s=60)

    assert isinstance(outcome, CompletedProcess)
    assert outcome.stdout == b"\xff\x00\n" * 300_000
    assert outcome.stderr == b"\xfe" * 1_000_000


def test_keeps_as_much_output_as_asked_for() -> None:
    """The first bytes of each."""
    code = "import sys; print('a' * 100); print('b' * 100, file=sys.stderr)"
    [outcome] = run_programs([python(code)], timeout_s=60, max_output_bytes=3)

    assert isinstance(outcome, CompletedProcess)
    assert (outcome.stdout, outcome.stderr) == (b"aaa", b"bbb")


def test_a_program_has_nothing_to_read() -> None:
    """It meets the end of its input instead of waiting for ours."""
    [outcome] = run_programs([python("print(repr(input()))")], timeout_s=60)

    assert isinstance(outcome, CompletedProcess)
    assert b"EOFError" in outcome.stderr


def test_a_failure_is_told_and_the_others_go_on() -> None:
    """The exit code and the error output of one; the result of the other."""
    failed, fine = run_programs(
        [python("import sys; sys.exit('no')"), python("print(1)")], timeout_s=60
    )

    assert isinstance(failed, CompletedProcess)
    assert failed.returncode == 1
    assert failed.stderr.strip() == b"no"
    with pytest.raises(subprocess.CalledProcessError):
        failed.check_returncode()
    assert output_of(fine).strip() == b"1"


def test_a_missing_program_is_named() -> None:
    """By the error and by its note; the others go on."""
    missing, fine = run_programs([["no-such-program", "-x"], python("")], timeout_s=60)

    assert isinstance(missing, FileNotFoundError)
    assert missing.__notes__ == ["in command ['no-such-program', '-x']"]
    assert output_of(fine) == b""


@pytest.fixture
def time_is_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Give an event: a limit of 7 seconds is over when it is set."""
    event = threading.Event()

    class Clocked(Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            if timeout == 7:
                assert event.wait(30)
                raise TimeoutExpired(self.args, timeout)
            return super().wait(timeout)

    monkeypatch.setattr(module, "Popen", Clocked)
    return event


def test_time_that_is_up_ends_a_program_and_keeps_what_it_wrote(
    desk: Desk, time_is_up: threading.Event
) -> None:
    """It wrote before it signed in; then nobody lets it go."""
    command = desk.visitor("stays")
    command[4] = "print('begun', flush=True)" + command[4]
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(run_programs, [command], timeout_s=7)
        desk.sign_in()
        time_is_up.set()
        [outcome] = answer.result(30)

    assert desk.guests[0].recv(1) == b""  # it was killed: its end of the connection is closed
    assert isinstance(outcome, TimeoutExpired)
    assert (outcome.output or b"").strip() == b"begun"
    assert outcome.cmd == command


def test_a_program_that_never_ends_is_ended() -> None:
    """By the real clock."""
    [outcome] = run_programs([python("import time; time.sleep(60)")], timeout_s=0.05)

    assert isinstance(outcome, TimeoutExpired)
    assert outcome.timeout == 0.05


@only_posix
@pytest.mark.parametrize("ends", [True, False], ids=["after its end", "when its time is up"])
def test_what_a_program_left_behind_ends_with_it(
    desk: Desk, time_is_up: threading.Event, *, ends: bool
) -> None:
    """A grandchild that ignores SIGTERM and holds the output is gone, and was not waited for."""
    grandchild = desk.visitor("grandchild")
    grandchild[4] = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + grandchild[
        4
    ].replace("    desk.recv", "    sys.stderr.write('I am here'); sys.stderr.flush(); desk.recv")
    code = """
import signal, subprocess, sys
child = subprocess.Popen(sys.argv[2:], stderr=subprocess.PIPE)
child.stderr.read(1)
if sys.argv[1] == "stay":
    signal.pause()
"""
    command = python(code, "end" if ends else "stay", *grandchild)
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(run_programs, [command], timeout_s=60 if ends else 7)
        desk.sign_in()
        time_is_up.set()
        [outcome] = answer.result(30)

    assert isinstance(outcome, CompletedProcess if ends else TimeoutExpired)
    assert desk.guests[0].recv(1) == b""  # nobody let it go: it was killed


@only_posix
def test_an_interrupt_ends_all_programs(tmp_path: Path, desk: Desk) -> None:
    """Ctrl-C in the middle: the error goes out once, and both programs are gone."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from examples.processes.run_programs import run_programs\n"
        f"commands = {[desk.visitor('one'), desk.visitor('two'), desk.visitor('three')]!r}\n"
        "run_programs(commands, max_running=2, timeout_s=60)\n",
        encoding="utf-8",
    )
    caller = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )
    assert {desk.sign_in(), desk.sign_in()} == {"one", "two"}
    caller.send_signal(signal.SIGINT)
    _, errors = caller.communicate(timeout=30)

    assert errors.count(b"KeyboardInterrupt") == 1
    assert [guest.recv(1) for guest in desk.guests] == [b"", b""]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_running": 0}, "max_running must be 1 or more, got 0"),
        ({"max_output_bytes": -1}, "max_output_bytes must be 0 or more, got -1"),
        ({"timeout_s": 0}, "timeout_s must be more than 0, got 0"),
        ({"timeout_s": float("nan")}, "timeout_s must be more than 0, got nan"),
    ],
)
def test_refuses_limits_too_low(limit: dict[str, float], message: str) -> None:
    """Refused at the call, naming the bound and the value."""
    with pytest.raises(ValueError, match=message):
        run_programs([], **{"timeout_s": 1, **limit})  # type: ignore[arg-type]


def test_refuses_a_command_line_before_any_program_starts(tmp_path: Path) -> None:
    """A string would be taken for a list of letters."""
    witness = tmp_path / "witness"
    touch = python(f"open({str(witness)!r}, 'w')")
    with pytest.raises(TypeError, match="list of strings, got 'ls -l'"):
        run_programs([touch, "ls -l"], timeout_s=1)
    with pytest.raises(ValueError, match="must name a program"):
        run_programs([touch, []], timeout_s=1)
    with pytest.raises(TypeError):
        run_programs([touch], timeout_s=1, max_running=2.5)  # type: ignore[arg-type]
    assert not witness.exists()


@pytest.mark.parametrize("part", [3, None, b"-l", Path("folder")])
def test_refuses_an_argument_that_is_no_string(part: object, tmp_path: Path) -> None:
    """Before any program starts."""
    witness = tmp_path / "witness"
    touch = python(f"open({str(witness)!r}, 'w')")
    with pytest.raises(TypeError, match=r"list of strings, got \['ls', "):
        run_programs([touch, ["ls", part]], max_running=1, timeout_s=60)  # type: ignore[list-item]
    assert not witness.exists()


@pytest.mark.parametrize(
    "part",
    ["a\0b", pytest.param("\ud800", marks=only_posix)],  # Windows takes the second
    ids=["null", "surrogate"],
)
@pytest.mark.parametrize("place", [0, 1])
def test_refuses_characters_that_no_program_can_get(part: str, place: int, tmp_path: Path) -> None:
    """Before any program starts; in the program's name as well."""
    witness = tmp_path / "witness"
    touch = python(f"open({str(witness)!r}, 'w')")
    command = ["ls", "-l"]
    command[place] = part
    with pytest.raises(ValueError, match=r"null character|surrogates not allowed"):
        run_programs([touch, command], max_running=1, timeout_s=60)
    assert not witness.exists()


def test_broken_one_waits_for_a_program_that_waits_for_it() -> None:
    """Little output passes. More than a pipe holds does not, and the program never ends."""
    assert run_program(python("print(1)"), timeout_s=60).strip() == b"1"
    code = "import sys; sys.stdout.write('a' * 10_000_000)"

    with pytest.raises(TimeoutExpired):
        run_program(python(code), timeout_s=0.5)

    [outcome] = run_programs([python(code)], timeout_s=60)
    assert len(output_of(outcome)) == 10_000_000
