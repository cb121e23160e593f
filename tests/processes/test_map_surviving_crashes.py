"""map_surviving_crashes: whatever ends a worker costs its item alone, and nothing is left."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import isqrt
from pathlib import Path
from typing import Any

import psutil
import pytest
import work_that_ends_badly as work
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.processes import map_surviving_crashes as module
from examples.processes.map_surviving_crashes import map_surviving_crashes
from examples.processes.map_surviving_crashes_broken import map_in_one_pool

pytestmark = pytest.mark.usefixtures("nothing_left")
only_posix = pytest.mark.skipif(os.name != "posix", reason="signals and groups are POSIX's")
Orders = list[tuple[str, Any]]


def gone(*pids: int) -> bool:
    """Tell whether these processes have ended, or do so within some seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(map(lives, pids)):
            return True
        time.sleep(0.01)
    return False


def lives(pid: int) -> bool:
    """Tell whether a process is there and not merely unburied."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


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
    "unloadable": (("return unloadable", None), "cannot be loaded"),
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


@only_posix
def test_a_worker_that_dies_takes_along_what_it_forked(tmp_path: Path, start_method: str) -> None:
    """Its child has a copy of all descriptors, and does not keep the map waiting."""
    path = tmp_path / "pids"
    [outcome] = map_surviving_crashes(
        work.do, [("leave a child", path)], max_workers=1, start_method=start_method
    )

    assert "SIGKILL" in str(outcome)
    assert gone(*map(int, path.read_text(encoding="utf-8").split()))


@only_posix
def test_an_item_is_tried_again_in_a_new_process(tmp_path: Path, start_method: str) -> None:
    """It dies the first time and not the second; one that always dies is given up."""
    orders: Orders = [("die once", tmp_path / "mark"), ("signal", 9), ("raise", LookupError())]
    outcomes = map_surviving_crashes(
        work.note_and_do,
        [(tmp_path / f"tries-{at}", order) for at, order in enumerate(orders)],
        max_workers=2,
        retries=2,
        start_method=start_method,
    )

    assert outcomes[0] == tmp_path / "mark"
    assert "item 1: worker ended: SIGKILL" in str(outcomes[1])
    assert isinstance(outcomes[2], LookupError)
    tries = [(tmp_path / f"tries-{at}").read_text("utf-8").split() for at in range(3)]
    assert [len(pids) for pids in tries] == [2, 3, 1]
    assert len(set(tries[1])) == 3


def test_an_exit_is_that_items_error() -> None:
    """The caller does not exit."""
    [outcome] = map_surviving_crashes(work.do, [("exit", 3)], max_workers=1)
    assert (type(outcome), outcome.code) == (SystemExit, 3)


# Workers that hang


@pytest.fixture
def time_is_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Give a way to let all time pass as soon as there is such a file."""

    def when(path: Path) -> None:
        monkeypatch.setattr(module, "monotonic", lambda: 1e6 if path.exists() else 0.0)

    return when


@only_posix
def test_a_call_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, start_method: str, time_is_up: Callable[[Path], None]
) -> None:
    """Deaf to SIGTERM, both; the other item, done before, has its result."""
    path = tmp_path / "pids"
    time_is_up(path)
    done, late = map_surviving_crashes(
        work.do,
        [("return", 1), ("hang", path)],
        max_workers=1,
        time_limit_s=7,
        start_method=start_method,
    )

    assert done == 1
    assert repr(late) == "TimeoutError('item 1: no result in 7 s')"
    assert gone(*map(int, path.read_text(encoding="utf-8").split()))


@only_posix
def test_time_that_is_up_lets_a_call_clean_up(
    tmp_path: Path, time_is_up: Callable[[Path], None]
) -> None:
    """SIGTERM comes first."""
    time_is_up(tmp_path / "ready")
    [late] = map_surviving_crashes(work.clean_up, [tmp_path], max_workers=1, time_limit_s=7)

    assert isinstance(late, TimeoutError)
    assert (tmp_path / "cleaned").exists()


def test_a_call_that_never_ends_is_ended_by_the_real_clock() -> None:
    """No clock is patched."""
    [late] = map_surviving_crashes(time.sleep, [99], max_workers=1, time_limit_s=0.2)
    assert isinstance(late, TimeoutError)


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


@pytest.mark.parametrize("kind", ["lock", "odd", "unloadable"])
def test_what_cannot_travel_back_is_an_error_with_its_text(kind: str, start_method: str) -> None:
    """It pickles not, or cannot be loaded; the item after it is fine."""
    order, text = ENDS[kind]
    bad, fine = map_surviving_crashes(
        work.do, [order, ("return", 1)], max_workers=1, start_method=start_method
    )

    assert isinstance(bad, Exception)
    assert text in repr(bad)
    assert fine == 1


def test_an_item_that_fails_to_load_is_an_error_with_its_text(start_method: str) -> None:
    """It pickles; the worker cannot load it, or is made to exit by it."""
    items = [work.Unloadable(LookupError), work.Unloadable(SystemExit), 1]
    bad, exits, fine = map_surviving_crashes(str, items, max_workers=1, start_method=start_method)

    assert repr(bad) == "LookupError('cannot be loaded')"
    assert repr(exits) == "SystemExit('cannot be loaded')"
    assert fine == "1"


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


def test_large_items_and_results_pass(start_method: str) -> None:
    """More than any pipe holds, both ways, from all workers at once."""
    large = bytes(5_000_000)
    outcomes = map_surviving_crashes(
        work.do, [("return", large)] * 3, max_workers=3, start_method=start_method
    )
    assert outcomes == [large] * 3


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


# Faults, each in a process of its own


class Script:
    """A script that runs in development mode, warnings being errors, in a session of its own."""

    def __init__(self, folder: Path, source: str, *arguments: object) -> None:
        """Start it."""
        path = folder / "script.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        paths = os.pathsep.join([str(Path(module.__file__).parents[2]), str(Path(__file__).parent)])
        self.output, self.errors = folder / "output", folder / "errors"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "dev", "-W", "error", str(path), *map(str, arguments)],
                env=os.environ | {"PYTHONPATH": paths},
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def wait(self) -> tuple[int, str, str]:
        """Wait for its end, see that its session is empty, and return what it wrote."""
        try:
            self.process.wait(60)
            assert gone(*self.session())
        finally:
            for pid in self.session():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(10)
        return self.process.returncode, self.output.read_text(), self.errors.read_text()

    def session(self) -> list[int]:
        """List its processes, and those of all its descendants that started no session."""
        found = []
        for pid in psutil.pids():
            with suppress(OSError):
                if os.getsid(pid) == self.process.pid:
                    found.append(pid)
        return found


def wait_for_files(*paths: Path) -> list[int]:
    """Wait for files in which workers tell of themselves, and return the numbers in them."""
    deadline = time.monotonic() + 60
    while not all(path.exists() for path in paths) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [int(number) for path in paths for number in path.read_text("utf-8").split()]


HANGING = """
    import signal, sys
    from pathlib import Path
    from examples.processes.map_surviving_crashes import map_surviving_crashes
    from work_that_ends_badly import do

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have ignored it
        folder = Path(sys.argv[1])
        orders = [("hang", folder / "one"), ("hang", folder / "two"), ("hang", folder / "three")]
        map_surviving_crashes(do, orders, max_workers=2, start_method=sys.argv[2])
    """


@only_posix
def test_ctrl_c_ends_all_at_once(tmp_path: Path, start_method: str) -> None:
    """As a terminal sends it, to the whole group: one error, and nobody is left."""
    script = Script(tmp_path, HANGING, tmp_path, start_method)
    pids = wait_for_files(tmp_path / "one", tmp_path / "two")
    os.killpg(script.process.pid, signal.SIGINT)
    code, _, told = script.wait()

    assert code == -signal.SIGINT
    assert (told.count("Traceback"), told.count("KeyboardInterrupt")) == (1, 1)
    assert gone(*pids)
    assert not (tmp_path / "three").exists()


@only_posix
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path, start_method: str) -> None:
    """SIGKILL lets it do nothing; in the middle of their calls they notice, and so end."""
    script = Script(tmp_path, HANGING, tmp_path, start_method)
    pids = wait_for_files(tmp_path / "one", tmp_path / "two")
    script.process.kill()
    code, _, told = script.wait()

    assert (code, told) == (-signal.SIGKILL, "")
    assert gone(*pids)


@only_posix
def test_faults_leave_nothing_behind(tmp_path: Path, start_method: str) -> None:
    """After all kinds of ends, twice: no child, no thread, no descriptor; not a word on stderr."""
    source = """
        import gc, multiprocessing, os, signal, sys, threading
        from os.path import exists
        from examples.processes.map_surviving_crashes import map_surviving_crashes
        from work_that_ends_badly import Unloadable, do

        ORDERS = [
            ("return", 1), ("signal", 9), ("_exit", 0), ("exit", 1), ("raise", LookupError()),
            ("raise oddly", 0), ("return a lock", 0), ("return unloadable", 0), ("large", 10**6),
        ] * 2

        def run():
            outcomes = map_surviving_crashes(
                do, [*ORDERS, Unloadable(OSError)], max_workers=3, start_method=sys.argv[1]
            )
            print(*(type(outcome).__name__ for outcome in outcomes[: len(ORDERS) // 2]))
            assert map_surviving_crashes(abs, [-1] * 20, max_workers=3) == [1] * 20
            gc.collect()
            links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
            return (
                threading.active_count(),
                multiprocessing.active_children(),
                sorted(os.readlink(link).partition(":")[0] for link in links if exists(link)),
            )

        if __name__ == "__main__":
            assert run() == run()
        """
    if not Path("/proc/self/fd").exists():
        pytest.skip("descriptors are listed on Linux only")
    code, printed, told = Script(tmp_path, source, start_method).wait()

    assert (code, told) == (0, "")
    assert printed == 2 * (
        "int ChildProcessError ChildProcessError SystemExit LookupError"
        " RuntimeError TypeError ChildProcessError bytes\n"
    )


@only_posix
def test_a_thread_that_logs_does_not_hang_the_workers(tmp_path: Path) -> None:
    """By default no process is forked, so no lock is inherited."""
    source = """
        import logging, os, threading
        from examples.processes.map_surviving_crashes import map_surviving_crashes

        def log(item):
            logging.warning("from a worker")
            return item

        def go_on():
            while not ended.is_set():
                logging.warning("from a thread")

        if __name__ == "__main__":
            logging.basicConfig(filename=os.devnull)
            ended = threading.Event()
            thread = threading.Thread(target=go_on)
            thread.start()
            try:
                assert map_surviving_crashes(log, range(20), max_workers=2) == list(range(20))
            finally:
                ended.set()
                thread.join()
        """
    code, _, told = Script(tmp_path, source).wait()

    assert code == 0
    assert set(told.splitlines()) <= {"WARNING:root:from a worker"}


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_script_without_a_guard_tells_so(tmp_path: Path, size: int) -> None:
    """Each worker is refused what it would start; no storm, and no hang."""
    source = f"""
        from examples.processes.map_surviving_crashes import map_surviving_crashes
        print(map_surviving_crashes(len, ["a" * {size}] * 2, max_workers=2))
        """
    _, printed, told = Script(tmp_path, source).wait()

    assert "if __name__ == '__main__':" in told
    assert told.count("Traceback") <= 4
    if size == 1:
        assert printed.count("exit code 1") == 2


def test_a_function_that_workers_cannot_find_is_an_error_with_its_text(tmp_path: Path) -> None:
    """As one that was typed into an interactive interpreter."""
    source = """
        import sys
        from examples.processes.map_surviving_crashes import map_surviving_crashes

        if __name__ == "__main__":
            def here_alone(item):
                return item
            print(map_surviving_crashes(here_alone, [1, 2], max_workers=2))
        """
    code, printed, told = Script(tmp_path, source).wait()

    assert (code, told) == (0, "")
    assert printed.count("here_alone") == 2


# The broken one


def test_broken_one_loses_the_items_that_did_nothing() -> None:
    """One worker, three items: the first dies, and all three have the same error."""
    orders: Orders = [("_exit", 7), ("return", 1), ("return", 2)]

    broken = map_in_one_pool(work.do, orders)
    assert {type(outcome).__name__ for outcome in broken} == {"BrokenProcessPool"}

    died, *fine = map_surviving_crashes(work.do, orders, max_workers=1)
    assert isinstance(died, ChildProcessError)
    assert fine == [1, 2]
