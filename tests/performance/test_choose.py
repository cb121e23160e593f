"""choose_tool: every recommendation, what is asked of the machine, refusal."""

import os
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.performance import choose
from examples.performance.choose import choose_tool

MACHINE: dict[str, Any] = {"cores": 4, "gil": True, "version": (3, 13)}


@pytest.mark.parametrize(
    ("work", "count", "told", "tool", "workers"),
    [
        ("waits", 0, {}, "loop", 1),
        ("computes", 1, {}, "loop", 1),
        ("programs", 2, {}, "programs", 2),
        ("programs", 100, {}, "programs", 4),
        ("waits", 2, {}, "threads", 2),
        ("waits", 999, {"async_library": True}, "threads", 999),
        ("waits", 1_000, {"async_library": True}, "asyncio", 1_000),
        ("waits", 50, {"async_library": True, "many": 50}, "asyncio", 50),
        ("waits", 5_000, {}, "threads", 1_000),
        ("waits", 50, {"cores": 1}, "threads", 50),
        ("computes", 50, {"cores": 1}, "loop", 1),
        ("computes", 50, {}, "processes", 4),
        ("computes", 3, {}, "processes", 3),
        ("computes", 50, {"gil": False}, "threads", 4),
        ("computes in C", 50, {}, "threads", 4),
        ("computes", 50, {"picklable": False}, "loop", 1),
        ("computes", 50, {"picklable": False, "gil": False}, "threads", 4),
        ("computes", 50, {"version": (3, 14)}, "processes", 4),
        ("computes", 50, {"version": (3, 14), "extensions": False}, "interpreters", 4),
        ("computes", 50, {"version": (3, 13), "extensions": False}, "processes", 4),
    ],
)
def test_recommends(
    work: choose.Work, count: int, told: dict[str, Any], tool: str, workers: int
) -> None:
    """Each rule, and the one in front of it that does not apply any more."""
    choice = choose_tool(work, count, call_s=1.0, **{**MACHINE, **told})

    assert (choice.tool, choice.workers) == (tool, workers)


@pytest.mark.parametrize(("call_s", "tool"), [(0.5, "loop"), (0.51, "processes")])
def test_processes_must_save_more_than_their_start_takes(call_s: float, tool: str) -> None:
    """Four calls in four processes save the time of three calls; four starts cost 1.5 in all."""
    choice = choose_tool("computes", 4, call_s=call_s, start_s=0.375, **MACHINE)

    assert choice.tool == tool


def test_asks_the_machine_for_what_it_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cores, the GIL and the version of this interpreter."""
    monkeypatch.setattr(choose, "usable_cores", lambda: 3)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)

    choice = choose_tool("computes", 50, call_s=1.0, extensions=False)

    expected = "interpreters" if sys.version_info >= (3, 14) else "processes"
    assert (choice.tool, choice.workers) == (expected, 3)


def test_an_interpreter_without_a_gil_computes_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked, not its version."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)

    assert choose_tool("computes", 50, call_s=1.0, cores=2).tool == "threads"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a Linux call")
def test_counts_the_cores_that_may_be_used() -> None:
    """Bound to one, it counts one, whatever the machine has."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(mine)[:1])
    try:
        assert choose_tool("computes", 50, call_s=1.0).tool == "loop"
    finally:
        os.sched_setaffinity(0, mine)


@given(
    st.sampled_from(choose.WORKS),
    st.integers(min_value=0, max_value=10**6),
    st.floats(min_value=0, max_value=10**6),
    st.integers(min_value=1, max_value=500),
)
def test_never_recommends_more_workers_than_calls_or_cores(
    work: choose.Work, count: int, call_s: float, cores: int
) -> None:
    """A recommendation comes, with a reason; what computes never gets more workers than cores."""
    choice = choose_tool(work, count, call_s=call_s, **{**MACHINE, "cores": cores})

    assert choice.reason
    assert 1 <= choice.workers <= max(1, count)
    if work != "waits":
        assert choice.workers <= cores


def test_refuses_work_it_does_not_know() -> None:
    """Refused at the call, naming those it knows."""
    with pytest.raises(ValueError, match="waits, computes, computes in C, programs, got 'sleeps'"):
        choose_tool("sleeps", 3, call_s=1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("count", -1, 0), ("call_s", -0.5, 0), ("start_s", -1, 0), ("cores", 0, 1), ("many", 0, 1)],
)
def test_refuses_numbers_out_of_range(name: str, value: float, least: int) -> None:
    """Refused at the call, naming bound and value."""
    told: dict[str, Any] = {"count": 3, "call_s": 1.0, name: value}

    with pytest.raises(ValueError, match=f"{name} must be {least} or more, got {value}"):
        choose_tool("computes", **told)


def test_refuses_a_time_that_is_no_number() -> None:
    """`nan` is neither large nor small."""
    with pytest.raises(ValueError, match="call_s must be 0 or more, got nan"):
        choose_tool("waits", 3, call_s=float("nan"))


@pytest.mark.parametrize("name", ["count", "many", "cores"])
def test_refuses_counts_that_are_no_whole_number(name: str) -> None:
    """Refused at the call."""
    told: dict[str, Any] = {"count": 3, "call_s": 1.0, name: 2.5}

    with pytest.raises(TypeError):
        choose_tool("computes", **told)
