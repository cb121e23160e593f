"""What is read of the machine: CPU seconds of children, pressure, suspension."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from measured import machine

BURN = """
import sys, time
for line in sys.stdin:
    start = time.process_time()
    while time.process_time() - start < float(line):
        pass
    print(flush=True)
"""
LISTS_CHILDREN = Path("/proc/self/task").is_dir()


@pytest.mark.skipif(not LISTS_CHILDREN, reason="needs a system that lists children, as Linux does")
def test_the_cpu_seconds_of_a_child_count_while_it_runs_and_once() -> None:
    """As those of a pool's worker that is there before and after; its end adds nothing."""
    burner = subprocess.Popen(
        [sys.executable, "-S", "-c", BURN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert burner.stdin is not None
    assert burner.stdout is not None
    try:
        before = machine.cpu_seconds()
        print(0.3, file=burner.stdin, flush=True)
        burner.stdout.readline()
        running = machine.cpu_seconds() - before
    finally:
        burner.communicate(timeout=10)
    ended = machine.cpu_seconds() - before

    assert running >= 0.27  # the system counts children in hundredths
    assert ended - running < 0.2


def test_pressure_only_grows() -> None:
    """Or is not told at all."""
    first, second = machine.pressure_s(), machine.pressure_s()

    assert first is second is None or first <= second


def test_a_system_without_pressure_tells_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no such file."""

    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", refuse)

    assert machine.pressure_s() is None


def test_a_machine_that_was_not_suspended_meanwhile_says_so() -> None:
    """The two clocks agree to a hundredth of a second, unless another process comes between."""
    apart = (abs(machine.suspended_s() - machine.suspended_s()) for _ in range(100))

    assert statistics.median(apart) < 0.01
