"""Run one program from asyncio: bounded output, and a process tree that ends with its caller.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import asyncio
import operator
import os
import signal
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from subprocess import DEVNULL, CompletedProcess, TimeoutExpired
from typing import Any

__all__ = ["FinishedProcess", "run_process"]


class FinishedProcess(CompletedProcess[bytes]):
    """A `subprocess.CompletedProcess` that tells how much output it lacks.

    Attributes:
        dropped_bytes: Bytes of both outputs that were beyond the bound. They were
            read, and thrown away.
    """

    dropped_bytes = 0


def run_process(  # noqa: C901 - what it promises takes as much
    argv: Sequence[str],
    *,
    timeout_s: float | None,
    max_output_bytes: int,
    grace_s: float = 5.0,
    **popen: Any,  # noqa: ANN401 - as subprocess.Popen has them
) -> Coroutine[Any, Any, FinishedProcess]:
    """Run a program, keep the first bytes of its output, and leave nothing of it running.

    Use it in an asyncio program, for programs that end: `git`, `ffmpeg`, a
    compiler. Without asyncio, run programs from threads. Do not use it for a
    program that is talked to: it has nothing to read.

    The program runs without a shell, in a session and process group of its own.
    When it ends, its group is killed, so what it leaves behind holds nothing up.
    Not reached is what left the group, as daemons do, and on Windows whatever
    the program started. If Python itself is killed, the program goes on. Before 3.14,
    asyncio may wait for ever if the loop ends while it starts a program.

    Args:
        argv: The name of the program and its arguments.
        timeout_s: Seconds until it is ended, 0 or more; `None` for no limit.
        max_output_bytes: How much to keep in memory of the output, and as much of
            the error output: the first bytes. Beyond, the program is not held
            up: what it writes is read, dropped, and counted.
        grace_s: Seconds between SIGTERM and SIGKILL, 0 or more. They are the
            program's: what it started is killed as soon as it has ended.
        popen: What else `subprocess.Popen` takes: `cwd`, `env`, `umask`.

    Returns:
        A coroutine, to be awaited once, that gives `returncode`, `stdout`, `stderr` as
        bytes, and `dropped_bytes`, also if the program failed: `check_returncode()`
        makes an error of that.

    Raises:
        TypeError: At the call, if `argv` is no list, or empty, or `max_output_bytes` no
            whole number. When awaited, if something in `argv` is no string.
        ValueError: At the call, if a limit is below 0. When awaited, if an argument has a
            null character.
        OSError: If it cannot be started; a note names `argv`.
        TimeoutExpired: When time is up and its group has been ended: SIGTERM, the
            grace, SIGKILL. `output` and `stderr` have what was kept.
        CancelledError: If the caller is cancelled, after the same. Cancelling it
            again changes nothing; the end of the loop cuts the grace short.

    Examples:
        >>> import sys
        >>> argv = [sys.executable, "-c", "print(6 * 7)"]
        >>> done = asyncio.run(run_process(argv, timeout_s=60, max_output_bytes=1_000))
        >>> done.returncode, int(done.stdout), done.dropped_bytes
        (0, 42, 0)

    Source:
        [Subprocess protocols](https://docs.python.org/3/library/asyncio-protocol.html#subprocess-protocols)
        in the Python documentation.
    """
    if isinstance(argv, (str, bytes)) or not argv:
        raise TypeError(f"argv must be a list of strings, at least one, got {argv!r}")
    limits = {"max_output_bytes": max_output_bytes, "grace_s": grace_s, "timeout_s": timeout_s or 0}
    for name, limit in limits.items():
        if not limit >= 0:  # so written, it refuses NaN too
            raise ValueError(f"{name} must be 0 or more, got {limit}")
    most_bytes = operator.index(max_output_bytes)

    async def run() -> FinishedProcess:
        program = _Program(most_bytes)
        start = partial(asyncio.get_running_loop().subprocess_exec, lambda: program, *argv, **popen)
        running = asyncio.create_task(program.run(start, timeout_s, grace_s))
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError as request:
                if not program.wanted.done():
                    program.wanted.set_result(request)
        failure = None if running.cancelled() else running.exception()  # so that it is looked at
        if program.wanted.done():
            raise program.wanted.result()  # the same one: anyio wants its own back
        if isinstance(failure, OSError):
            failure.add_note(f"in command {list(argv)}")  # Windows does not say which
        returncode, late = running.result()
        kept = bytes(program.kept[1]), bytes(program.kept[2])
        if late:
            raise TimeoutExpired(argv, timeout_s or 0, *kept)
        done = FinishedProcess(argv, returncode, *kept)
        done.dropped_bytes = program.read_bytes - sum(map(len, kept))
        return done

    return run()


class _Program(asyncio.SubprocessProtocol):
    def __init__(self, most_bytes: int) -> None:
        self.kept, self.most_bytes, self.read_bytes = [bytearray() for _ in range(3)], most_bytes, 0
        self.ended, self.wanted = asyncio.Future[Any](), asyncio.Future[Any]()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.kept[fd] += data[: self.most_bytes - len(self.kept[fd])]
        self.read_bytes += len(data)

    def process_exited(self) -> None:
        self.ended.set_result(None)

    async def run(self, start: Any, timeout_s: float | None, grace_s: float) -> tuple[int, bool]:  # noqa: ANN401
        child, _ = await start(stdin=DEVNULL, start_new_session=True)
        either = [self.ended, self.wanted]
        try:
            timely, _ = await asyncio.wait(either, timeout=timeout_s, return_when="FIRST_COMPLETED")
            _signal_group(child, "SIGTERM")
            await asyncio.wait([self.ended], timeout=grace_s)
        finally:
            _signal_group(child, "SIGKILL")
            await asyncio.wait([self.ended])
            for _ in range(8):  # what it wrote is in the pipes; others may keep them open for ever
                await asyncio.sleep(0)
            child.close()
            await asyncio.sleep(0)  # so that the pipes are closed
        return child.get_returncode(), not timely


def _signal_group(child: asyncio.SubprocessTransport, name: str) -> None:
    with suppress(ProcessLookupError, PermissionError):  # the latter from macOS, for the dead
        kill_group: Any = getattr(os, "killpg", None)  # Windows has none
        kill_group(child.get_pid(), getattr(signal, name)) if kill_group else child.kill()
