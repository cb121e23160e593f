"""Put a fault into a process of its own, again and again, and look at what it leaves behind.

`run_fault` is for tests, `repeat_fault` for `make faults`. This file is also what the new process
runs.
"""

import contextlib
import faulthandler
import gc
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve()
SOURCES = HERE.parents[1] / "src"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
BETWEEN = "\f"  # ends what is printed each time
PATIENCE_S = 10.0  # for what is about to go
MARK = "RUN_OF_A_FAULT"  # in the environment of all that a fault starts


class Outcome(NamedTuple):
    """What came of a fault.

    Attributes:
        printed: What it printed, each time that all was as it must be.
        trouble: What was not; empty if nothing.
    """

    printed: list[str]
    trouble: str


def run_fault(
    fault: str | Callable[..., object],
    *arguments: str,
    limit_s: float = 60,
    options: tuple[str, ...] = (),
) -> str:
    """Put a fault to the test twice, as `repeat_fault` does; return what it printed each time."""
    found = repeat_fault(fault, *arguments, limit_s=limit_s, options=options)
    assert not found.trouble, found.trouble
    return found.printed[-1]


def repeat_fault(
    fault: str | Callable[..., object],
    *arguments: str,
    times: int = 2,
    limit_s: float = 60,
    python: str = sys.executable,
    options: tuple[str, ...] = (),
) -> Outcome:
    """Run a fault some times in a new interpreter, in development mode, with warnings as errors.

    It must end in time and with exit code 0, print the same each time, and write nothing to
    stderr: no "never retrieved", no "was destroyed", no warning. From the second time on, it must
    leave no thread, child, descriptor or block of shared memory; what stays for good, such as a
    fork server, is there after the first. No process that it started may outlive it.

    Args:
        fault: A script, or a function of a module that imports little.
        arguments: What the function is called with.
        times: How often.
        limit_s: Seconds for each time, until all stacks are shown and all is killed.
        python: The interpreter, Python 3.11 or newer.
        options: Further options of the interpreter.

    Returns:
        What came of it.
    """
    folders = [str(SOURCES)]
    if not isinstance(fault, str):
        file, name = Path(sys.modules[fault.__module__].__file__ or ""), fault.__module__
        folders += [str(file.parents[depth]) for depth in range(name.count(".") + 1)]
        fault = f"from {name} import {fault.__name__} as fault\nfault(*{arguments})"
    command = [python, "-X", "dev", "-W", "error", *options, str(HERE)]
    mark = os.urandom(8).hex()
    # Into files: a pipe would be held open by whatever outlives the process.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as err,
        subprocess.Popen(
            [*command, str(times), str(limit_s), str(PATIENCE_S)],
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(folders), "PYTHONSAFEPATH": "1", MARK: mark},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            encoding="utf-8",
            start_new_session=True,
        ) as process,
    ):
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):  # as an exit code tells
                process.communicate(textwrap.dedent(fault), limit_s * times + 2 * PATIENCE_S)
            survivors = wait_for_none(lambda: set(marked(mark).values()), PATIENCE_S)
        finally:
            process.kill()
            for pid in marked(mark):
                with contextlib.suppress(OSError):
                    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()
        out.seek(0)
        err.seek(0)
        *printed, rest = out.read().split(BETWEEN)
        said = err.read()
    same = [text for text in printed if text == printed[0]]
    passed = same[: times - 1]  # of one with trouble, even if that came at its end
    if (process.returncode, said) != (0, ""):
        return Outcome(passed, f"{process.returncode}: {printed[-1:]}{rest}\n{said}")
    if survivors:
        return Outcome(passed, f"processes that outlive it: {survivors}")
    if same != printed:
        return Outcome(passed, f"first it printed {same[0]!r}, later {set(printed) - set(same)!r}")
    return Outcome(printed, "")


def wait_for_none(what_is_left: Callable[[], set[str]], patience_s: float) -> set[str]:
    """Give what is left some time to go, and return what stays."""
    deadline = time.monotonic() + patience_s
    while (left := what_is_left()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def marked(mark: str) -> dict[int, str]:
    """List the processes that have this mark in their environment; the dead have none."""
    import psutil  # noqa: PLC0415 - the new process does without

    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found[process.pid] = f"{process.pid}: {process.cmdline()}"
    return found


# What runs in the new process


def resources() -> dict[str, set[str]]:
    """Name the threads, children, descriptors and blocks of shared memory."""
    gc.collect()
    found = {"threads": {str(thread) for thread in threading.enumerate()}, "descriptors": set()}
    if sys.platform == "linux":
        found["children"] = set()
        for children in Path("/proc/self/task").glob("*/children"):
            with contextlib.suppress(OSError):  # of a thread that is just ending
                found["children"].update(children.read_text().split())
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the one that listed them
                found["descriptors"].add(f"{descriptor.name}: {descriptor.readlink()}")
    else:
        found["children"] = {str(child) for child in multiprocessing.active_children()}
    return found | {"shared memory": blocks()}


def blocks() -> set[str]:
    """Name the blocks of shared memory, where they are files, but no semaphore of others."""
    own = f"sem.mp{os.getpid()}-"
    found = {path.name for path in SHARED_MEMORY.iterdir()} if SHARED_MEMORY.is_dir() else set()
    return {name for name in found if name.startswith(own) or not name.startswith("sem.")}


def limit(seconds: float) -> None:
    """End this process in so many seconds, with the stacks of its threads; 0 takes it back."""
    if hasattr(signal, "setitimer"):  # no thread, which Python would see before it forks
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True)
    else:
        faulthandler.cancel_dump_traceback_later()


def main(times: int, limit_s: float, patience_s: float) -> None:
    """Run the script on stdin so often, switching threads often; stop if it leaves something."""
    logging.getLogger("asyncio").addFilter(  # a slow step tells of a busy machine
        lambda record: not str(record.msg).startswith("Executing")
    )
    # Children inherit it: their semaphores are known from those that other programs leave.
    vars(multiprocessing.current_process())["_config"]["semprefix"] = f"/mp{os.getpid()}"
    sys.setswitchinterval(1e-5)
    script = compile(sys.stdin.read(), "<fault>", "exec")
    before: dict[str, set[str]] = {}
    for _ in range(times):
        limit(limit_s)
        exec(script, {"__name__": "__main__"})  # noqa: S102 - what this file is for
        limit(0)
        assert not os.fstat(2).st_size, "it wrote this to stderr"
        before = before or resources()
        left = {kind: names - before[kind] for kind, names in resources().items()}
        # Blocks of other programs come and go: what counts is what stays.
        left["shared memory"] = wait_for_none(lambda: left["shared memory"] & blocks(), patience_s)  # noqa: B023 - called at once
        assert not any(left.values()), f"left behind: {left}"
        sys.stdout.write(BETWEEN)
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(float, sys.argv[2:]))
