"""What can go wrong around map_surviving_crashes: each case runs in a process of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import work_that_ends_badly as work
from faults_of_choose_start_method import another_thread_logging

from examples.processes import map_surviving_crashes as module
from examples.processes.map_surviving_crashes import map_surviving_crashes
from fault_cases import LIMIT_S, METHODS, Falsy, faces, raises, wait_until


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is deleted at the end."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def lives(pid: int) -> bool:
    """Tell whether a process is there and not merely unburied."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# Workers that die


@faces(1, methods=METHODS, posix=True)
def worker_killed(method: str) -> None:
    """The item is named with the signal; the others have their results."""
    orders: list[tuple[str, Any]] = [("return", "first"), ("signal", 9), ("return", "last")]
    first, killed, last = map_surviving_crashes(work.do, orders, max_workers=2, start_method=method)
    assert (first, last) == ("first", "last")
    assert str(killed).startswith("item 1: worker ended: SIGKILL")


@faces(1, methods=METHODS, posix=True)
def worker_killed_and_tried_again(method: str) -> None:
    """It dies the first time and not the second; one that always dies is given up."""
    with folder() as place:
        orders = [("die once", place / "mark"), ("signal", 9), ("raise", LookupError())]
        saved, killed, failed = map_surviving_crashes(
            work.note_and_do,
            [(place / f"tries-{at}", order) for at, order in enumerate(orders)],
            max_workers=2,
            retries=1,
            start_method=method,
        )
        tries = [(place / f"tries-{at}").read_text("utf-8").split() for at in range(3)]
        assert saved == place / "mark"
    assert str(killed).startswith("item 1: worker ended: SIGKILL")
    assert isinstance(failed, LookupError)
    assert [len(set(pids)) for pids in tries] == [2, 2, 1]


@faces(2, methods=METHODS, posix=True)
def worker_ends_itself(method: str) -> None:
    """Exit code 0 is a death; a crash has its signal; an exit is that item's error alone."""
    orders = [("_exit", 0), ("crash", None), ("exit", 3), ("return", 1)]
    silent, crashed, asked, fine = map_surviving_crashes(
        work.do, orders, max_workers=2, start_method=method
    )
    assert "item 0: worker ended: exit code 0" in str(silent)
    assert "item 1: worker ended: SIGSEGV" in str(crashed)
    assert (type(asked), asked.code) == (SystemExit, 3)
    assert fine == 1


@faces(2, methods=METHODS, posix=True)
def worker_leaves_a_child(method: str) -> None:
    """It dies; its child holds all its descriptors, and keeps nobody waiting."""
    with folder() as place:
        path = place / "pids"
        [killed] = map_surviving_crashes(
            work.do, [("leave a child", path)], max_workers=1, start_method=method
        )
        pids = [int(pid) for pid in path.read_text("utf-8").split()]
    assert "SIGKILL" in str(killed)
    wait_until(lambda: not any(map(lives, pids)))


# Workers that hang


@faces(3, methods=METHODS, posix=True)
def call_that_never_ends(method: str) -> None:
    """It and its child ignore SIGTERM; time is up as soon as they hang; the other item is done."""
    with folder() as place:
        path = place / "pids"
        module.monotonic = lambda: 1e6 if path.exists() else 0.0  # type: ignore[attr-defined]
        try:
            done, late = map_surviving_crashes(
                work.do,
                [("return", 1), ("hang", path)],
                max_workers=1,
                time_limit_s=7,
                start_method=method,
            )
        finally:
            module.monotonic = time.monotonic  # type: ignore[attr-defined]
        pids = [int(pid) for pid in path.read_text("utf-8").split()]
    assert done == 1
    assert repr(late) == "TimeoutError('item 1: no result in 7 s')"
    wait_until(lambda: not any(map(lives, pids)))


@faces(3, methods=METHODS)
def call_that_never_ends_by_the_real_clock(method: str) -> None:
    """No clock is replaced."""
    [late] = map_surviving_crashes(
        time.sleep, [99], max_workers=1, time_limit_s=0.2, start_method=method
    )
    assert isinstance(late, TimeoutError)


# What cannot travel


@faces(4)
def argument_that_cannot_be_pickled() -> None:
    """Refused at the call; nothing has started."""
    for item in (work.Refusing(), lambda: 0, threading.Lock()):
        error = raises(Exception, lambda: map_surviving_crashes(str, [1, item], max_workers=1))  # noqa: B023 - called at once
        assert "pickle" in str(error)


@faces(5, methods=METHODS)
def argument_that_fails_to_load(method: str) -> None:
    """An error with its text, also if it asks to exit; the item after it is fine."""
    items = [work.Unloadable(LookupError), work.Unloadable(SystemExit), 1]
    bad, exits, fine = map_surviving_crashes(str, items, max_workers=2, start_method=method)
    assert repr(bad) == "LookupError('cannot be loaded')"
    assert repr(exits) == "SystemExit('cannot be loaded')"
    assert fine == "1"


@faces(6, methods=METHODS)
def answer_that_cannot_travel(method: str) -> None:
    """A result, two that cannot be loaded here, an error that cannot be made again."""
    orders = [
        ("return a lock", None),
        ("return unloadable", None),
        ("return exiting", None),
        ("raise oddly", None),
        ("return", 1),
    ]
    lock, unloadable, exiting, odd, fine = map_surviving_crashes(
        work.do, orders, max_workers=2, start_method=method
    )
    for outcome, text in (
        (lock, "cannot pickle"),
        (unloadable, "LookupError('cannot be loaded')"),
        (exiting, "SystemExit('cannot be loaded')"),
        (odd, "odd 3"),
    ):
        assert isinstance(outcome, Exception)
        assert text in repr(outcome)
    assert fine == 1


@faces(7, methods=METHODS)
def answers_larger_than_a_pipe(method: str) -> None:
    """Both ways, from all workers at once."""
    large = bytes(5_000_000)
    outcomes = map_surviving_crashes(
        work.do, [("return", large)] * 3, max_workers=3, start_method=method
    )
    assert outcomes == [large] * 3


# A parent that is ended


def hang_in_workers(how: str, place: str, method: str) -> None:
    """Let two calls hang, and a third wait for its turn: what the child below runs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have ignored it
    orders = [(how, Path(place) / name) for name in ("one", "two", "three")]
    map_surviving_crashes(work.do, orders, max_workers=2, start_method=method)


@contextmanager
def hanging(
    how: str, place: Path, method: str
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Give a child whose two workers hang, and the numbers of these and of what they started."""
    code = (
        f"from {__name__} import hang_in_workers as hang; hang({how!r}, {str(place)!r}, {method!r})"
    )
    with (
        (place / "errors").open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", code],
            stderr=errors,
            start_new_session=True,
            text=True,
        ) as child,
    ):
        paths = [place / "one", place / "two"]
        wait_until(lambda: all(path.exists() for path in paths))
        yield child, [int(pid) for path in paths for pid in path.read_text("utf-8").split()]


@faces(8, methods=METHODS, posix=True)
def parent_killed(method: str) -> None:
    """Its workers notice in the middle of their calls, and end with what they started."""
    with folder() as place:
        with hanging("hang", place, method) as (parent, pids):
            parent.kill()
            assert parent.wait(LIMIT_S) == -signal.SIGKILL
            wait_until(lambda: not any(map(lives, pids)))
        assert (place / "errors").read_text("utf-8") == ""


@faces(9, methods=METHODS, posix=True)
def interrupted(method: str) -> None:
    """As a terminal sends it, to the whole group: one error, and nobody is left."""
    with folder() as place:
        with hanging("wait", place, method) as (parent, pids):
            os.killpg(parent.pid, signal.SIGINT)
            assert parent.wait(LIMIT_S) == -signal.SIGINT
            wait_until(lambda: not any(map(lives, pids)))
        told = (place / "errors").read_text("utf-8")
        assert (told.count("Traceback"), told.count("KeyboardInterrupt")) == (1, 1), told
        assert not (place / "three").exists()


# Scripts, forks


def run_script(source: str) -> subprocess.CompletedProcess[str]:
    """Run a script from a file, as children import it."""
    with folder() as place:
        path = place / "script.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        command = [sys.executable, "-X", "dev", "-W", "error", str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@faces(10, methods=("forkserver", "spawn"))
def no_main_guard(method: str) -> None:
    """Each worker is refused what it would start, and says so; no storm, and no hang."""
    done = run_script(
        f"""
        from examples.processes.map_surviving_crashes import map_surviving_crashes
        print(map_surviving_crashes(len, ["ab"] * 2, max_workers=2, start_method={method!r}))
        """
    )
    assert "if __name__ == '__main__':" in done.stderr
    assert done.stderr.count("Traceback") <= 4
    # In 3.14 the fork server itself imports the script, and is gone when the first worker starts.
    assert done.stdout.count("exit code 1") == 2 or "ConnectionResetError" in done.stderr


@faces(10, methods=("forkserver", "spawn"))
def function_of_the_script_alone(method: str) -> None:
    """As one that was typed into an interactive interpreter: an error that names it."""
    done = run_script(
        f"""
        from examples.processes.map_surviving_crashes import map_surviving_crashes

        if __name__ == "__main__":
            def here_alone(item):
                return item
            print(map_surviving_crashes(here_alone, [1, 2], max_workers=2, start_method={method!r}))
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("here_alone") == 2


@faces(11, methods=("forkserver", "spawn"))
def another_thread_logs(method: str) -> None:
    """It holds the lock of a handler most of the time; the workers log too, and do not hang."""
    with another_thread_logging():
        outcomes = map_surviving_crashes(work.log, range(3), max_workers=2, start_method=method)
    assert outcomes == [0, 1, 2]


# As with any map


@faces(12)
def input_fails() -> None:
    """Its error goes out, and nothing has started."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    error = raises(OSError, lambda: map_surviving_crashes(abs, items(), max_workers=1))
    assert str(error) == "no more"


@faces(16, 17, methods=METHODS)
def calls_fail(method: str) -> None:
    """Each error is the outcome of its item, with the line that raised it; all others come."""
    kinds = [LookupError, KeyboardInterrupt, StopIteration, Falsy]
    orders = [*(("raise", kind()) for kind in kinds), ("return", 1)]
    *failed, fine = map_surviving_crashes(work.do, orders, max_workers=2, start_method=method)
    assert [type(error) for error in failed] == kinds
    assert all("raise value" in error.__notes__[0] for error in failed)
    assert fine == 1


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, and no item is read; no items, no worker."""
    items = iter([1])
    for limit, value, kind in (
        ("max_workers", 0, ValueError),
        ("max_workers", -1, ValueError),
        ("max_workers", 2.5, TypeError),
        ("max_workers", "x", TypeError),
        ("retries", -1, ValueError),
        ("time_limit_s", 0, ValueError),
        ("time_limit_s", "x", TypeError),
        ("start_method", "x", ValueError),
    ):
        limits: dict[str, Any] = {"max_workers": 1, limit: value}
        raises(kind, lambda: map_surviving_crashes(abs, items, **limits))  # noqa: B023 - called at once
    assert list(items) == [1]
    assert map_surviving_crashes(abs, [], max_workers=9) == []
