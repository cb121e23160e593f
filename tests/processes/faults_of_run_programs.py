"""What can go wrong around run_programs: each case runs in a process of its own."""

import sys
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

from examples.processes.run_programs import run_programs
from fault_cases import faces, raises

FLOOD = """
import subprocess, sys, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(3000)"])
for _ in range(160):
    sys.stdout.buffer.write(b"\\xff" * 65_536)
    sys.stderr.buffer.write(b"\\xfe" * 65_536)
sys.stdout.flush()
"""


def python(code: str) -> list[str]:
    """Write a command that runs some Python, quickly."""
    return [sys.executable, "-I", "-S", "-c", code]


@faces(24, posix=True)
def hostile_programs() -> None:
    """One floods and leaves a child, one does not end, one is not there; the last is fine."""
    flood, late, missing, fine = run_programs(
        [
            python(FLOOD),
            python("import time; print('begun', flush=True); time.sleep(3000)"),
            ["no-such-program"],
            python("print('fine')"),
        ],
        timeout_s=1,
        max_running=2,
        max_output_bytes=100_000,
    )
    if isinstance(flood, CompletedProcess):  # else the machine was too busy for it
        assert set(flood.stdout) == {0xFF}
        assert set(flood.stderr) == {0xFE}
        assert len(flood.stdout) == 100_000
    else:
        assert isinstance(flood, TimeoutExpired)
    assert isinstance(late, TimeoutExpired)
    assert isinstance(missing, FileNotFoundError)
    assert "no-such-program" in str(missing)
    assert isinstance(fine, CompletedProcess)
    assert fine.stdout == b"fine\n"


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call; no command, no outcome."""
    for limit, value, kind in (
        ("max_running", 0, ValueError),
        ("max_running", -1, ValueError),
        ("max_running", 2.5, TypeError),
        ("max_running", "x", TypeError),
        ("max_output_bytes", -1, ValueError),
        ("timeout_s", 0, ValueError),
        ("timeout_s", "x", TypeError),
    ):
        limits: dict[str, Any] = {"timeout_s": 1, limit: value}
        raises(kind, lambda: run_programs([["no-such-program"]], **limits))  # noqa: B023 - called at once
    assert run_programs([], timeout_s=1) == []
