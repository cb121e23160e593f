"""make faults: what is known is not run again, what failed is told, and a signal leaves nothing."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from measured.interpreters import own_interpreter

TOOLS = Path(__file__).resolve().parent.parent / "tools"
CASE = "first_success limits_that_are_none on CPython "


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Load it, with files of its own."""
    at_sigterm = signal.getsignal(signal.SIGTERM)
    monkeypatch.syspath_prepend(TOOLS)
    spec = importlib.util.spec_from_file_location("faults_command", TOOLS / "faults.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "KNOWN", tmp_path / "known.jsonl")
    monkeypatch.setattr(module, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(module, "find_interpreters", lambda: [own_interpreter()])
    yield module
    signal.signal(signal.SIGTERM, at_sigterm)


def run(command: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:  # noqa: ANN401 - an exit code or a word
    """Run it without computing processes beside, and return what it exits with."""
    monkeypatch.setattr(sys, "argv", ["faults", "--times", "2", "--beside", "0", *arguments])
    with pytest.raises(SystemExit) as caught:
        command.main()
    return caught.value.code


def family_of(pid: int) -> dict[psutil.Process, str]:
    """List the processes that one has started, each with its command."""
    found = {}
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found[child] = " ".join(child.cmdline())
    return found


def test_what_is_known_is_not_run_again(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second time starts nothing; other repeats are another question."""
    assert not run(command, monkeypatch, "--only", CASE)
    assert "| 2 of 2\n" in capsys.readouterr().out

    def refuse(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr(command, "run", refuse)
    assert not run(command, monkeypatch, "--only", CASE)
    assert "| 2 of 2\n" in capsys.readouterr().out
    with pytest.raises(LookupError):
        run(command, monkeypatch, "--only", CASE, "--times", "3")


def test_what_fails_is_told(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code, the count, and the last line of what came, without a folder."""
    printed = iter([["one"], []])
    monkeypatch.setattr(
        command.faults,
        "repeat_fault",
        lambda *_, **__: command.faults.Outcome(next(printed), "trace\nOSError: '/tmp/a/file'\n"),
    )
    assert run(command, monkeypatch, "--only", CASE, "--times", "3") == 1
    told = capsys.readouterr().out
    assert "| 1 of 3\n" in told
    assert "| 1 of 3 | OSError: 'file'" in told
    assert not command.RECORD.exists()


def test_time_that_is_up_says_what_is_left(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun."""
    assert run(command, monkeypatch, "--only", CASE, "--budget", "0") == "nothing was run"


@pytest.mark.skipif(os.name != "posix", reason="no signal can be sent to a process")
@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_signal_leaves_no_process(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    """Not the cases, not the computing processes, not what a case has started."""
    script = f"""
        import importlib.util, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path.insert(0, {str(TOOLS)!r})
        spec = importlib.util.spec_from_file_location("command", sys.path[0] + "/faults.py")
        command = sys.modules["command"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(command)
        command.KNOWN = command.Path({str(tmp_path)!r}, "known")
        sys.argv = ["faults", "--only", "call_that_never_ends"]
        command.main()
        """
    lines = "\n".join(line.strip() for line in script.splitlines())
    seen: dict[psutil.Process, str] = {}
    try:
        with subprocess.Popen([sys.executable, "-c", lines], stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while "SIG_IGN" not in " ".join((seen := family_of(process.pid)).values()):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(sent)
            assert process.wait(60) == code
        _, alive = psutil.wait_procs(seen, 10)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
    finally:  # of a command that left some
        for one in seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
