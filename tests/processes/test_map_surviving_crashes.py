"""map_surviving_crashes: whatever ends a worker costs its item alone, and nothing is left."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from math import isqrt
from pathlib import Path
from typing import Any

import pytest
import work_that_ends_badly as work
from faults_of_map_surviving_crashes import run_script
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.processes import map_surviving_crashes as module
from examples.processes.map_surviving_crashes import map_surviving_crashes
from examples.processes.map_surviving_crashes_broken import map_in_one_pool

pytestmark = pytest.mark.usefixtures("nothing_left")
only_posix = pytest.mark.skipif(os.name != "posix", reason="signals and groups are POSIX's")
Orders = list[tuple[str, Any]]


# Results, order, overlap


def test_outcomes_keep_the_order_of_the_items(start_method: str) -> None:
    """The same as `map`, from any iterable, with more items than workers."""
    outcomes = map_surviving_crashes(
        isqrt, iter(range(7)), max_workers=3, start_method=start_method
    )

    assert outcomes == [isqrt(number) for number in range(7)]


def test_calls_overlap_and_never_pass_the_ceiling(tmp_path: Path) -> None:
    """Two calls pass a barrier of two; among nine calls, no more than two ever meet."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        barrier = manager.Barrier(2)
        assert sorted(map_surviving_crashes(work.meet, [barrier] * 2, max_workers=2)) == [0, 1]
    present = map_surviving_crashes(work.count_present, [tmp_path] * 9, max_workers=2)
    assert max(present) <= 2


def test_each_call_has_a_process_of_its_own() -> None:
    """Nothing that one call does to its process can hurt the next."""
    pids = map_surviving_crashes(work.pid_of, range(3), max_workers=1)
    assert len({*pids, os.getpid()}) == 4


def test_a_call_may_start_processes_itself() -> None:
    """Its worker is no daemon."""
    assert map_surviving_crashes(work.square_in_pool, [3], max_workers=1) == [9]


def test_what_a_worker_printed_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    """It is flushed before the worker is ended."""
    map_surviving_crashes(print, ["from a worker"], max_workers=1)
    assert capfd.readouterr().out.strip() == "from a worker"


ENDS = {
    "result": (("return", 5), "5"),
    "error": (("raise", LookupError("no")), "LookupError('no')"),
    "exit": (("exit", 3), "SystemExit(3)"),
    "_exit": (("_exit", 0), "exit code 0"),
    "signal": (("signal", signal.SIGTERM), "SIGTERM"),
    "lock": (("return a lock", None), "cannot pickle"),
    "odd": (("raise oddly", None), "odd 3"),
    "unloadable": (("return unloadable", None), "LookupError('cannot be loaded')"),
    "exiting": (("return exiting", None), "SystemExit('cannot be loaded')"),
}


@only_posix
@settings(max_examples=5, deadline=None)
@given(st.lists(st.sampled_from(sorted(ENDS)), max_size=5), st.integers(1, 3))
def test_no_outcome_touches_another(kinds: list[str], workers: int) -> None:
    """Whatever the ends, wherever they stand, each item has its own."""
    outcomes = map_surviving_crashes(
        work.do, [ENDS[kind][0] for kind in kinds], max_workers=workers, start_method="fork"
    )

    assert len(outcomes) == len(kinds)
    for kind, outcome in zip(kinds, outcomes, strict=True):
        assert ENDS[kind][1] in repr(outcome)


test_no_outcome_touches_another = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")(
    test_no_outcome_touches_another
)


# Workers that die


@only_posix
def test_a_worker_that_dies_is_named_with_its_signal(start_method: str) -> None:
    """Killed, by itself or for its memory; a real-time signal has a number; 0 is a death too."""
    orders: Orders = [
        ("return", "first"),
        ("signal", signal.SIGKILL),
        ("return", "second"),
        ("signal", signal.SIGUSR1),
        ("signal", signal.SIGRTMIN + 3),
        ("_exit", 0),
        ("_exit", 7),
        ("return", "last"),
    ]
    outcomes = map_surviving_crashes(work.do, orders, max_workers=2, start_method=start_method)

    assert [outcomes[0], outcomes[2], outcomes[7]] == ["first", "second", "last"]
    assert {type(outcomes[at]) for at in (1, 3, 4, 5, 6)} == {ChildProcessError}
    for at, end in {1: "SIGKILL", 3: "SIGUSR1", 5: "exit code 0", 6: "exit code 7"}.items():
        assert f"item {at}: worker ended: {end};" in str(outcomes[at])
    assert f"exit code {-(signal.SIGRTMIN + 3)}" in str(outcomes[4])


# Workers that hang


@pytest.fixture
def time_is_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Give a way to let all time pass as soon as there is such a file."""

    def when(path: Path) -> None:
        monkeypatch.setattr(module, "monotonic", lambda: 1e6 if path.exists() else 0.0)

    return when


@only_posix
def test_time_that_is_up_lets_a_call_clean_up(
    tmp_path: Path, time_is_up: Callable[[Path], None]
) -> None:
    """SIGTERM comes first."""
    time_is_up(tmp_path / "ready")
    [late] = map_surviving_crashes(work.clean_up, [tmp_path], max_workers=1, time_limit_s=7)

    assert isinstance(late, TimeoutError)
    assert (tmp_path / "cleaned").exists()


def test_a_call_that_hangs_is_tried_again(
    tmp_path: Path, time_is_up: Callable[[Path], None]
) -> None:
    """It leaves a mark and hangs; it finds the mark and returns."""
    time_is_up(tmp_path / "mark")
    [outcome] = map_surviving_crashes(
        work.hang_if_first, [tmp_path / "mark"], max_workers=1, time_limit_s=7, retries=1
    )
    assert outcome == "second"


# What cannot travel


def test_an_error_brings_its_traceback() -> None:
    """With the line in the worker that raised it."""
    [outcome] = map_surviving_crashes(work.do, [("raise", LookupError("no"))], max_workers=1)

    assert repr(outcome) == "LookupError('no')"
    assert "in do" in outcome.__notes__[0]


@pytest.mark.parametrize(
    ("call", "items"),
    [(lambda item: item, [1]), (abs, [1, (number for number in range(3))])],
    ids=["call", "item"],
)
def test_what_cannot_be_sent_is_refused(
    call: Callable[[object], object], items: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the call, before any process starts."""
    monkeypatch.setattr(module, "_work", pytest.fail)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError), match="pickle"):
        map_surviving_crashes(call, items, max_workers=1)


# Refusals


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("max_workers", 0, "max_workers must be >= 1, retries >= 0, got 0 and 0"),
        ("max_workers", -1, "got -1 and 0"),
        ("retries", -1, "got 1 and -1"),
        ("time_limit_s", 0, "time_limit_s must be more than 0, got 0"),
        ("time_limit_s", float("nan"), "more than 0, got nan"),
        ("start_method", "teleport", "teleport"),
    ],
)
def test_refuses_limits_too_low(limit: str, value: float | str, message: str) -> None:
    """At the call, with the bound and the value; no item is read."""

    def items() -> Iterator[int]:
        pytest.fail("an item was read")
        yield 1

    with pytest.raises(ValueError, match=message):
        map_surviving_crashes(abs, items(), **{"max_workers": 1, limit: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", ["max_workers", "retries", "time_limit_s"])
@pytest.mark.parametrize("value", [2.5, "x"])
def test_refuses_what_is_no_number_of_its_kind(limit: str, value: object) -> None:
    """Seconds may be broken, counts may not."""
    if (limit, value) != ("time_limit_s", 2.5):
        with pytest.raises(TypeError):
            map_surviving_crashes(abs, [], **{"max_workers": 1, limit: value})  # type: ignore[arg-type]


def test_nothing_to_do_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list; and no more processes than items."""
    monkeypatch.setattr(module, "_work", pytest.fail)
    assert map_surviving_crashes(abs, [], max_workers=3) == []


def test_items_that_fail_start_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their error goes out."""
    monkeypatch.setattr(module, "_work", pytest.fail)

    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        map_surviving_crashes(abs, items(), max_workers=1)


def test_a_script_without_a_guard_tells_so_of_large_items() -> None:
    """Larger than a pipe: the map is writing when the worker ends."""
    done = run_script(
        """
        from examples.processes.map_surviving_crashes import map_surviving_crashes
        print(map_surviving_crashes(len, ["a" * 1_000_000] * 2, max_workers=2))
        """
    )
    assert "if __name__ == '__main__':" in done.stderr
    assert done.stderr.count("Traceback") <= 4


# The broken one


def test_broken_one_loses_the_items_that_did_nothing() -> None:
    """One worker, three items: the first dies, and all three have the same error."""
    orders: Orders = [("_exit", 7), ("return", 1), ("return", 2)]

    broken = map_in_one_pool(work.do, orders)
    assert {type(outcome).__name__ for outcome in broken} == {"BrokenProcessPool"}

    died, *fine = map_surviving_crashes(work.do, orders, max_workers=1)
    assert isinstance(died, ChildProcessError)
    assert fine == [1, 2]
