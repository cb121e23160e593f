"""Put a fault into a process of its own, twice, and look at what it leaves behind.

`run_fault` is for tests. This file is also what the new process runs.
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

HERE = Path(__file__).resolve()
SOURCES = HERE.parents[1] / "src"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
BETWEEN = "\f"  # parts what the two times print
PATIENCE_S = 10.0  # for what is about to go


def run_fault(
    fault: str | Callable[[], object], *, limit_s: float = 60, options: tuple[str, ...] = ()
) -> str:
    """Run a fault twice in a new interpreter, in development mode, with warnings as errors.

    It must end in time and with exit code 0, print the same both times, and write nothing to
    stderr: no "never retrieved", no "was destroyed", no warning. The second time must leave no
    thread, child, descriptor or block of shared memory; what stays for good, such as a fork
    server, is there after the first. No process that it started may outlive it.

    Args:
        fault: A script, or a function without parameters, of a module that imports little.
        limit_s: Seconds for both times, until all stacks are shown and all is killed.
        options: Further options of the interpreter.

    Returns:
        What it printed each time.
    """
    folders = [str(SOURCES)]
    if not isinstance(fault, str):
        folders.append(str(Path(sys.modules[fault.__module__].__file__ or "").parent))
        fault = f"from {fault.__module__} import {fault.__name__} as fault\nfault()"
    command = [sys.executable, "-X", "dev", "-W", "error", *options, str(HERE)]
    # Into files: a pipe would be held open by whatever outlives the process.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as err,
        subprocess.Popen(
            [*command, str(limit_s), str(PATIENCE_S)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(folders), "PYTHONSAFEPATH": "1"},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            encoding="utf-8",
            start_new_session=True,
        ) as process,
    ):
        try:
            process.communicate(textwrap.dedent(fault), limit_s + 2 * PATIENCE_S)
            survivors = wait_for_none(lambda: processes_of_group(process.pid), PATIENCE_S)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.name == "posix":
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
        out.seek(0)
        err.seek(0)
        printed, said = out.read(), err.read()
    assert (process.returncode, said) == (0, ""), f"{process.returncode}: {printed}\n{said}"
    assert not survivors, f"processes that outlive it: {survivors}"
    first, _, second = printed.partition(BETWEEN)
    assert first == second, f"first it printed {first!r}, then {second!r}"
    return second


def wait_for_none(what_is_left: Callable[[], set[str]], patience_s: float) -> set[str]:
    """Give what is left some time to go, and return what stays."""
    deadline = time.monotonic() + patience_s
    while (left := what_is_left()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def processes_of_group(group: int) -> set[str]:
    """List the processes of a group, where the system has groups; the dead do not count."""
    if os.name != "posix":
        return set()
    import psutil  # noqa: PLC0415 - the new process does without

    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.add(f"{process.pid}: {process.cmdline()}")
    return found


# What runs in the new process


def resources() -> dict[str, set[str]]:
    """Name the threads, children, descriptors and blocks of shared memory."""
    gc.collect()
    found = {"threads": {str(thread) for thread in threading.enumerate()}, "descriptors": set()}
    if sys.platform == "linux":
        tasks = Path("/proc/self/task").glob("*/children")
        found["children"] = {pid for task in tasks for pid in task.read_text().split()}
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


def main(limit_s: float, patience_s: float) -> None:
    """Run the script on stdin twice, switching threads often, and tell what it left."""
    faulthandler.dump_traceback_later(limit_s, exit=True)
    logging.getLogger("asyncio").addFilter(  # a slow step tells of a busy machine
        lambda record: not str(record.msg).startswith("Executing")
    )
    # Children inherit it: their semaphores are known from those that other programs leave.
    vars(multiprocessing.current_process())["_config"]["semprefix"] = f"/mp{os.getpid()}"
    sys.setswitchinterval(1e-5)
    script = compile(sys.stdin.read(), "<fault>", "exec")
    exec(script, {"__name__": "__main__"})  # noqa: S102 - what this file is for
    sys.stdout.write(BETWEEN)
    sys.stdout.flush()
    before = resources()
    exec(script, {"__name__": "__main__"})  # noqa: S102
    left = {kind: names - before[kind] for kind, names in resources().items()}
    faulthandler.cancel_dump_traceback_later()
    # Blocks of other programs come and go: what counts is what stays.
    left["shared memory"] = wait_for_none(lambda: left["shared memory"] & blocks(), patience_s)
    assert not any(left.values()), f"left behind: {left}"


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
