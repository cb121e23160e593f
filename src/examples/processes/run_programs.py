"""Run many programs at once, with a ceiling and a time limit for each.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from subprocess import DEVNULL, CompletedProcess, Popen, TimeoutExpired, run
from tempfile import TemporaryFile
from threading import Event
from typing import IO

__all__ = ["run_programs"]

Outcome = CompletedProcess[bytes] | TimeoutExpired | OSError


def run_programs(
    commands: Iterable[Sequence[str]],
    *,
    timeout_s: float,
    max_running: int | None = None,
    max_output_bytes: int | None = None,
) -> list[Outcome]:
    """Run every command as a child process, and tell of each what came of it.

    Use it when another program does the work: `gzip`, `ffmpeg`, a linter. Do
    not use it to run Python functions in parallel: a pool of processes passes
    objects. Do not use it for programs that read from a terminal.

    Each command runs without a shell, with nothing to read, in a process group
    of its own. When it ends or its time is up, the group is killed, and so is
    what it started; on Windows only if its time is up. What it writes goes to
    files, which do not fill up as a pipe does, and which are deleted.

    Args:
        commands: The name of a program and its arguments, for each.
        timeout_s: Seconds for each program, more than 0.
        max_running: Ceiling on programs at once, 1 or more; `None` for one per
            core.
        max_output_bytes: How much to keep of each output and of each error
            output: the first bytes. `None` for all.

    Returns:
        For each command, in the order of `commands`, one of three: a
        `CompletedProcess` with `returncode`, `stdout` and `stderr`, also if the
        program failed; a `TimeoutExpired`, with what it wrote until then; an
        `OSError`, if it did not start.

    Raises:
        TypeError: If a command is not a list of strings.
        ValueError: If a command is empty, has a null character or one that the
            system cannot encode, or a limit is too low. No program has started then.
        KeyboardInterrupt: If it comes, after all that run are killed.

    Examples:
        >>> import sys
        >>> programs = [[sys.executable, "-c", f"print({n} * {n})"] for n in (3, 4)]
        >>> [int(done.stdout) for done in run_programs(programs, timeout_s=60)]
        [9, 16]

    Source:
        [subprocess](https://docs.python.org/3/library/subprocess.html) in the
        Python documentation.
    """
    for name, limit, least in (
        ("max_running", max_running, 1),
        ("max_output_bytes", max_output_bytes, 0),
    ):
        if limit is not None and operator.index(limit) < least:
            raise ValueError(f"{name} must be {least} or more, got {limit}")
    if not timeout_s > 0:  # so written, it refuses NaN too
        raise ValueError(f"timeout_s must be more than 0, got {timeout_s}")
    todo = [_check(command) for command in commands]
    running: set[Popen[bytes]] = set()
    stopping = Event()

    def run_one(command: list[str]) -> Outcome:
        with TemporaryFile() as output, TemporaryFile() as errors:
            try:
                process = Popen(  # noqa: S603 - the caller's program
                    command, stdin=DEVNULL, stdout=output, stderr=errors, process_group=0
                )
            except OSError as error:
                error.add_note(f"in command {command}")  # Windows does not say which
                return error
            running.add(process)
            if stopping.is_set():
                _kill_group(process)
            with suppress(TimeoutExpired):
                process.wait(timeout_s)
            late = process.returncode is None
            _kill_group(process)
            code = process.wait()
            running.discard(process)
            kept = [_read(file, max_output_bytes) for file in (output, errors)]
        if late:
            return TimeoutExpired(command, timeout_s, *kept)
        return CompletedProcess(command, code, *kept)

    pool = ThreadPoolExecutor(max_running or os.cpu_count(), thread_name_prefix="run_programs")
    try:
        return list(pool.map(run_one, todo))
    finally:
        stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running.copy():
            _kill_group(process)
        pool.shutdown()


def _check(command: Sequence[str]) -> list[str]:
    if isinstance(command, (str, bytes)) or not all(isinstance(part, str) for part in command):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a command must be a list of strings, got {command!r}")
    if not command or any(b"\0" in os.fsencode(part) for part in command):
        raise ValueError(f"a command must name a program, without null characters, got {command!r}")
    return list(command)


def _kill_group(process: Popen[bytes]) -> None:
    if sys.platform == "win32":
        kill = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        run(kill, capture_output=True, check=False)  # noqa: S603 - Windows has no groups to kill
    else:
        with suppress(ProcessLookupError, PermissionError):  # the latter from macOS, for the dead
            os.killpg(process.pid, signal.SIGKILL)


def _read(file: IO[bytes], most_bytes: int | None) -> bytes:
    file.seek(0)
    return file.read(-1 if most_bytes is None else most_bytes)
