"""What can go wrong around run_process: each case runs in a process of its own."""

import asyncio
import os
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from examples.async_io.run_process import run_process
from fault_cases import cancel_at, faces, fails, raises

CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3000)"
HOSTILE = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-I", "-S", "-c", {CHILD!r}])
for _ in range(160):
    sys.stdout.buffer.write(b"\\xff" * 65_536)
    sys.stderr.buffer.write(b"\\xfe" * 65_536)
print("end", flush=True)
time.sleep(3000)
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
time.sleep(3000)
"""


def python(code: str, *arguments: str) -> list[str]:
    """Write a command that runs some Python, quickly."""
    return [sys.executable, "-I", "-S", "-c", code, *arguments]


@faces(24, posix=True)
def hostile_program() -> None:
    """Floods, no text, ignores SIGTERM, a child that holds the output; then a missing one."""

    async def main() -> None:
        running = run_process(python(HOSTILE), timeout_s=1, max_output_bytes=100_000, grace_s=0.1)
        late = await fails(TimeoutExpired, running)
        assert set(late.output) == {0xFF}
        assert set(late.stderr) == {0xFE}
        running = run_process(["no-such-program"], timeout_s=1, max_output_bytes=1)
        assert "no-such-program" in str(await fails(FileNotFoundError, running))
        # No child, not even a dead one.
        raises(ChildProcessError, lambda: os.waitpid(-1, os.WNOHANG))

    asyncio.run(main())


@faces(24, posix=True)
def loop_ends_under_a_program() -> None:
    """Nobody awaits it any more when `main` returns, and it ignores SIGTERM."""

    async def main(path: Path) -> asyncio.Task[Any]:
        argv = python(STUBBORN, str(path))
        task = asyncio.create_task(
            run_process(argv, timeout_s=None, max_output_bytes=1, grace_s=3000)
        )
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
            await asyncio.sleep(0.01)
        for _ in range(20):  # until asyncio too has done its part of the start
            await asyncio.sleep(0)
        return task

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(main(Path(folder, "there"))).cancelled()


@faces(19, 24, posix=True)
def cancelled_at_any_turn() -> None:
    """In the start, in the wait, in the grace; with a limit in time around."""

    async def call() -> None:
        async with asyncio.timeout(50):
            argv = python("import time; time.sleep(3000)")
            await run_process(argv, timeout_s=None, max_output_bytes=1)

    for turn in (0, 1, 2, 3, 5, 8):
        asyncio.run(cancel_at(turn, call(), times=2))


@faces(9, posix=True)
def interrupted() -> None:
    """The interrupt reaches the caller alone, which ends the program and then itself."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent ignores
    ask = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(3000)"

    async def main() -> None:
        await run_process(python(ask), timeout_s=None, max_output_bytes=1)

    raises(KeyboardInterrupt, lambda: asyncio.run(main()))


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, and nothing has started."""
    cases: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"max_output_bytes": -1}, ValueError),
        ({"max_output_bytes": 2.5}, TypeError),
        ({"max_output_bytes": "x"}, TypeError),
        ({"timeout_s": -1}, ValueError),
        ({"grace_s": -1}, ValueError),
        ({"argv": []}, TypeError),
        ({"argv": "no-such-program"}, TypeError),
    ]
    for wrong, kind in cases:
        given = {"argv": ["no-such-program"], "timeout_s": 1, "max_output_bytes": 1, **wrong}
        raises(kind, partial(run_process, **given))
