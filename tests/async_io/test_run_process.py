"""run_process: bytes kept and dropped, whole trees that end, and many of them at once."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.async_io.map_bounded import map_bounded
from examples.async_io.run_process import FinishedProcess, run_process
from examples.async_io.run_process_broken import communicate

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

Result = TypeVar("Result")

only_posix = pytest.mark.skipif(os.name != "posix", reason="groups of processes are POSIX's")


class ClockLoop(asyncio.SelectorEventLoop if os.name == "posix" else asyncio.ProactorEventLoop):  # type: ignore[misc, name-defined, unused-ignore]
    """A loop whose clock can be put forward."""

    skipped = 0.0

    def time(self) -> float:
        """Give the time, with all that was skipped."""
        real: float = super().time()
        return real + self.skipped


def skip(seconds: float) -> None:
    """Put the clock of the running loop forward, and have it look at its timers."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    loop.skipped += seconds


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main`, and see that it leaves no task and no child, not even a dead one."""

    async def check() -> Result:
        before = psutil.Process().children()
        result = await main
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert [child for child in psutil.Process().children() if child not in before] == []
        return result

    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        return runner.run(check())


def python(code: str, *arguments: str) -> list[str]:
    """Write a command that runs some Python, quickly."""
    return [sys.executable, "-I", "-S", "-c", code, *arguments]


class Guest:
    """A program that has signed in."""

    def __init__(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Keep its connection."""
        self.name, self.reader, self.writer = name, reader, writer

    async def says(self) -> str:
        """Wait for its next line; empty if it has gone."""
        async with asyncio.timeout(3_000):  # of a clock that is put forward
            return (await self.reader.readline()).decode().strip()

    async def gone(self) -> bool:
        """Wait until it is gone, whoever ended it."""
        return await self.says() == ""

    async def let_go(self) -> None:
        """Let it leave."""
        self.writer.close()


VISIT = """
import os, signal, socket, subprocess, sys
desk = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def say(line):
    desk.sendall(line.encode() + b"\\n")
def stay():
    desk.recv(1)
"""


class Desk:
    """Where programs sign in, and are let go."""

    def __init__(self) -> None:
        """Expect nobody yet."""
        self.guests: asyncio.Queue[Guest] = asyncio.Queue()
        self.all: list[Guest] = []
        self.port = 0

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the name of a guest."""
        guest = Guest((await reader.readline()).decode().strip(), reader, writer)
        self.all.append(guest)
        self.guests.put_nowait(guest)

    async def expect(self, *names: str) -> dict[str, Guest]:
        """Wait for so many guests, which may come in any order."""
        guests = [await self.guests.get() for _ in names]
        found = {guest.name: guest for guest in guests}
        assert found.keys() == set(names)
        return found

    def visitor(self, code: str) -> list[str]:
        """Write a command that connects and runs `code`, which has `say` and `stay`."""
        return python(VISIT + code, str(self.port))


@contextlib.asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    """Open a desk on a port of this machine; at the end all may go."""
    desk = Desk()
    server = await asyncio.start_server(desk.welcome, "127.0.0.1", 0)
    desk.port = server.sockets[0].getsockname()[1]
    try:
        yield desk
    finally:
        server.close()
        for guest in desk.all:
            guest.writer.close()
        await asyncio.sleep(0)


# A program that starts another, which holds its output.
PARENT = """
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", {code!r}, sys.argv[1]]{options})
say("parent")
{then}
"""


def parent(code: str, then: str, options: str = "") -> str:
    """Write a program that starts a child with `code`, and then does something."""
    return PARENT.format(code=VISIT + code, then=then, options=options)


def quickly(argv: list[str], **options: Any) -> FinishedProcess:  # noqa: ANN401 - as they come
    """Run a program that ends by itself."""
    return run(run_process(argv, **{"timeout_s": 3_000, "max_output_bytes": 1_000_000, **options}))


# What it gives


def test_gives_the_exit_code_and_bytes_as_they_are() -> None:
    """No text is made of them, and a failure is no error until it is asked for."""
    code = (
        r"import sys; sys.stdout.buffer.write(b'\xff\x00\n'); sys.stderr.write('no'); sys.exit(3)"
    )
    done = quickly(python(code))

    assert (done.returncode, done.stdout, done.stderr) == (3, b"\xff\x00\n", b"no")
    assert (done.args, done.dropped_bytes) == (python(code), 0)
    with pytest.raises(subprocess.CalledProcessError):
        done.check_returncode()


@settings(max_examples=12, deadline=None)
@given(
    st.integers(min_value=0, max_value=300_000),
    st.integers(min_value=0, max_value=300_000),
    st.integers(min_value=0, max_value=300_000),
)
def test_keeps_the_first_bytes_and_counts_the_others(out: int, err: int, most: int) -> None:
    """Less than the bound, exactly it, or more; of each output for itself."""
    code = f"""
import sys
sys.stdout.buffer.write((b"o" * 9 + b"\\n") * {out // 10} + b"x" * {out % 10})
sys.stderr.buffer.write(b"e" * {err})
"""
    done = quickly(python(code), max_output_bytes=most)

    everything = (b"o" * 9 + b"\n") * (out // 10) + b"x" * (out % 10)
    assert done.stdout == everything[:most]
    assert done.stderr == b"e" * min(err, most)
    assert done.dropped_bytes == max(0, out - most) + max(0, err - most)


def test_a_program_that_floods_both_outputs_is_not_held_up() -> None:
    """Ten megabytes each, where a pipe holds 64 KiB."""
    code = """
import sys
for _ in range(160):
    sys.stdout.buffer.write(b"o" * 65_536)
    sys.stderr.buffer.write(b"e" * 65_536)
"""
    done = quickly(python(code), max_output_bytes=10)

    assert (done.stdout, done.stderr) == (b"o" * 10, b"e" * 10)
    assert done.dropped_bytes == 2 * (160 * 65_536 - 10)


def test_a_program_has_nothing_to_read() -> None:
    """It meets the end of its input instead of waiting for ours, whatever the caller passes."""
    assert b"EOFError" in quickly(python("input()")).stderr
    assert b"EOFError" in quickly(python("input()"), stdin=subprocess.PIPE).stderr


def test_hands_on_what_popen_takes(tmp_path: Path) -> None:
    """A folder and an environment."""
    code = "import os; print(os.getcwd(), os.environ['COLOUR'])"
    done = quickly(python(code), cwd=tmp_path, env={**os.environ, "COLOUR": "red"})

    assert done.stdout.decode().split() == [str(tmp_path.resolve()), "red"]


def test_a_missing_program_is_named() -> None:
    """By the error, and by its note with the whole command."""
    with pytest.raises(FileNotFoundError, match="no-such-program") as caught:
        quickly(["no-such-program", "-x"])

    assert caught.value.__notes__ == ["in command ['no-such-program', '-x']"]


@only_posix
def test_a_program_is_alone_in_its_session() -> None:
    """Ctrl-C at a terminal reaches its caller, and the caller decides."""
    done = quickly(python("import os; print(os.getsid(0) == os.getpgid(0) == os.getpid())"))

    assert done.stdout.strip() == b"True"


# How it ends


@only_posix
def test_when_time_is_up_a_program_may_tidy_up() -> None:
    """SIGTERM first: what it then writes is kept, and no second signal waits for the grace."""

    async def main() -> None:
        async with open_desk() as desk:
            code = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit("tidied"))
print("begun", flush=True)
say("here")
stay()
"""
            argv = desk.visitor(code)
            calling = asyncio.create_task(
                run_process(argv, timeout_s=1_000, max_output_bytes=100, grace_s=10_000)
            )
            await desk.guests.get()
            skip(1_000)
            with pytest.raises(subprocess.TimeoutExpired) as caught:
                await calling
            error = caught.value
            assert (error.cmd, error.timeout) == (argv, 1_000)
            assert (error.output, error.stderr) == (b"begun\n", b"tidied\n")

    run(main())


STUBBORN = """
signal.signal(signal.SIGTERM, lambda *_: say("asked to end"))
say("stubborn")
stay()
"""


@only_posix
@pytest.mark.parametrize("cancelled", [False, True], ids=["late", "cancelled"])
def test_a_stubborn_tree_is_killed_when_the_grace_is_over(*, cancelled: bool) -> None:
    """Both ignore SIGTERM, and the child holds the output; the caller ends after them."""

    async def main() -> None:
        async with open_desk() as desk:
            argv = desk.visitor(parent(STUBBORN, STUBBORN))
            calling = asyncio.create_task(
                run_process(argv, timeout_s=1_000, max_output_bytes=100, grace_s=1_000)
            )
            guests = await desk.expect("parent", "stubborn")
            elder, younger = guests["parent"], guests["stubborn"]
            assert await elder.says() == "stubborn"
            if cancelled:
                calling.cancel()
            else:
                skip(1_000)
            assert [await elder.says(), await younger.says()] == ["asked to end", "asked to end"]
            if cancelled:
                calling.cancel()  # again: it changes nothing
                await asyncio.sleep(0)
            assert not calling.done()
            skip(1_000)
            expected = asyncio.CancelledError if cancelled else subprocess.TimeoutExpired
            with pytest.raises(expected):
                await calling
            assert [await elder.gone(), await younger.gone()] == [True, True]

    run(main())


@only_posix
def test_what_a_program_leaves_behind_ends_with_it() -> None:
    """A child holds the output and would stay; it is not waited for, it is killed."""

    async def main() -> None:
        async with open_desk() as desk:
            argv = desk.visitor(parent("say('child'); stay()", "stay()"))
            calling = asyncio.create_task(run_process(argv, timeout_s=None, max_output_bytes=100))
            guests = await desk.expect("parent", "child")
            await guests["parent"].let_go()
            done = await calling
            assert (done.returncode, done.stdout) == (0, b"")
            assert await guests["child"].gone()

    run(main())


@only_posix
@pytest.mark.parametrize("writes", ["stay()", "while True: print('noise' * 1_000)"])
def test_returns_though_a_daemon_holds_the_output(writes: str) -> None:
    """It left the group, so it lives; silent or noisy, nobody waits for it."""

    async def main() -> None:
        async with open_desk() as desk:
            daemon = f"say('child')\n{writes}"
            argv = desk.visitor(
                parent(daemon, "print('mine', flush=True); stay()", ", start_new_session=True")
            )
            calling = asyncio.create_task(run_process(argv, timeout_s=None, max_output_bytes=100))
            guests = await desk.expect("parent", "child")
            await guests["parent"].let_go()
            done = await calling
            assert done.returncode == 0
            assert b"mine\n" in done.stdout or done.dropped_bytes > 0
            if "noise" not in writes:
                assert done.stdout == b"mine\n"
                assert not guests["child"].reader.at_eof()

    run(main())


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="only Linux has larger pipes")
def test_reads_all_that_a_dead_program_has_written() -> None:
    """A full pipe as large as they get, of which nothing was read while the program lived."""

    async def main() -> None:
        async with open_desk() as desk:
            fill = """
import fcntl
size = fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1_048_576)
say(f"{os.getpid()} {size}")
stay()
os.write(1, b"x" * size)
"""
            daemon = parent("say('child'); stay()", fill, ", start_new_session=True")
            calling = asyncio.create_task(
                run_process(desk.visitor(daemon), timeout_s=None, max_output_bytes=10_000_000)
            )
            guests = await desk.expect("parent", "child")
            pid, size = map(int, (await guests["parent"].says()).split())
            guests["parent"].writer.write(b"x")
            with contextlib.suppress(psutil.NoSuchProcess):
                while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    time.sleep(0.01)  # noqa: ASYNC251 - the loop must not read meanwhile
            assert (await calling).stdout == b"x" * size

    run(main())


@only_posix
@pytest.mark.parametrize("turns", range(8))
def test_a_cancellation_at_any_turn_leaves_nothing(turns: int) -> None:
    """Before the start, during it, or after: it goes out once, and nothing runs on."""

    async def main() -> None:
        calling = asyncio.create_task(
            run_process(["sleep", "3000"], timeout_s=None, max_output_bytes=1)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        calling.cancel()
        await asyncio.wait([calling])
        assert calling.cancelled()

    run(main())


def test_a_cancellation_wins_over_an_error_of_the_start() -> None:
    """Nobody is told of a missing program, and nobody misses the error."""

    async def main() -> None:
        calling = asyncio.create_task(
            run_process(["no-such-program"], timeout_s=None, max_output_bytes=1)
        )
        await asyncio.sleep(0)
        calling.cancel()
        await asyncio.wait([calling])
        assert calling.cancelled()

    run(main())


@only_posix
def test_the_cancellation_that_goes_out_is_the_one_that_came_in() -> None:
    """With its words: anyio knows by them that it asked for it, and ends it there."""

    async def main() -> None:
        async with open_desk() as desk:
            came: list[asyncio.CancelledError] = []

            async def call() -> None:
                argv = desk.visitor("say('here'); stay()")
                try:
                    await run_process(argv, timeout_s=None, max_output_bytes=1)
                except asyncio.CancelledError as request:
                    came.append(request)
                    raise

            calling = asyncio.create_task(call())
            guest = await desk.guests.get()
            calling.cancel("by the scope")
            await asyncio.wait([calling])
            assert calling.cancelled()
            assert [request.args for request in came] == [("by the scope",)]
            assert await guest.gone()

    run(main())


@only_posix
def test_a_limit_around_it_ends_the_program_too() -> None:
    """`asyncio.timeout` has its error, and the caller is cancelled no more."""

    async def main() -> None:
        async with open_desk() as desk:

            async def call() -> None:
                async with asyncio.timeout(500):
                    argv = desk.visitor("say('here'); stay()")
                    await run_process(argv, timeout_s=None, max_output_bytes=1)

            calling = asyncio.create_task(call())
            guest = await desk.guests.get()
            skip(500)
            with pytest.raises(TimeoutError):
                await calling
            assert calling.cancelling() == 0
            assert await guest.gone()

    run(main())


# Many of them


@only_posix
def test_fans_out_under_a_ceiling_and_a_failure_ends_all() -> None:
    """Nobody leaves before the house is full; then one fails, and the other is gone."""

    async def main() -> None:
        async with open_desk() as desk:

            async def call(name: str) -> FinishedProcess:
                code = f"say({name!r}); stay(); print({name!r})"
                done = await run_process(desk.visitor(code), timeout_s=None, max_output_bytes=100)
                if name == "bad":
                    done.check_returncode()
                    raise LookupError(name)
                return done

            names = ["one", "two", "three", "bad", "five", "six"]
            calling = asyncio.create_task(map_bounded(call, names, limit=2))
            for expected in range(2):
                guests = await desk.expect(*names[2 * expected : 2 * expected + 2])
                if expected == 0:
                    await guests["one"].let_go()
                    await guests["two"].let_go()
            await guests["bad"].let_go()
            with pytest.raises(ExceptionGroup) as caught:
                await calling
            assert [type(error) for error in caught.value.exceptions] == [LookupError]
            assert await guests["three"].gone()
            assert desk.guests.empty()

    run(main())


# What it refuses


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"timeout_s": -1}, "timeout_s must be 0 or more, got -1"),
        ({"timeout_s": float("nan")}, "timeout_s must be 0 or more, got nan"),
        ({"grace_s": -0.5}, "grace_s must be 0 or more, got -0.5"),
        ({"max_output_bytes": -1}, "max_output_bytes must be 0 or more, got -1"),
    ],
)
def test_refuses_limits_too_low(limit: dict[str, Any], message: str, tmp_path: Path) -> None:
    """At the call, naming the bound and the value; nothing has started."""
    witness = tmp_path / "witness"
    limits: dict[str, Any] = {"timeout_s": None, "max_output_bytes": 1, **limit}
    with pytest.raises(ValueError, match=message):
        _ = run_process(python(f"open({str(witness)!r}, 'w')"), **limits)
    assert not witness.exists()


@pytest.mark.parametrize("most", [2.5, "3"])
def test_refuses_a_bound_that_is_no_whole_number(most: Any) -> None:  # noqa: ANN401 - so it is
    """At the call."""
    with pytest.raises(TypeError):
        _ = run_process(["no-such-program"], timeout_s=None, max_output_bytes=most)


@pytest.mark.parametrize("argv", ["ls -l", b"ls", [], ["ls", 3], ["ls", None]])
def test_refuses_what_is_no_command(argv: Any) -> None:  # noqa: ANN401 - so it is
    """A string would be taken for a list of letters."""
    with pytest.raises(TypeError):
        quickly(argv)


@only_posix
def test_refuses_a_null_character() -> None:
    """No program can get one."""
    with pytest.raises(ValueError, match="null"):
        quickly(["ls", "a\0b"])


# What the usual recipe does


async def ended(pid: str) -> None:
    """Wait until a program has ended, and the loop has noticed that its pipe is closed."""
    try:
        while psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    except psutil.NoSuchProcess:
        pass
    for _ in range(5):
        await asyncio.sleep(0)
    while [one for one in psutil.Process().children() if one.pid == int(pid)]:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)


@only_posix
def test_broken_one_leaves_the_program_when_it_is_cancelled() -> None:
    """The caller has ended, and the program is still there until it is let go."""

    async def main() -> None:
        async with open_desk() as desk:
            argv = desk.visitor("say('here'); stay(); say(str(os.getpid())); stay()")
            calling = asyncio.create_task(communicate(argv, timeout_s=None))
            guest = await desk.guests.get()
            calling.cancel()
            await asyncio.wait([calling])
            assert calling.cancelled()
            guest.writer.write(b"x")
            pid = await guest.says()
            assert pid != ""
            guest.writer.write(b"x")
            await ended(pid)

    run(main())


@only_posix
def test_broken_one_leaves_what_the_program_started() -> None:
    """Time is up, the parent is dead, and its child answers."""

    async def main() -> None:
        async with open_desk() as desk:
            child = "say('child'); stay(); say(str(os.getpid())); stay()"
            argv = desk.visitor(parent(child, "stay()"))
            calling = asyncio.create_task(communicate(argv, timeout_s=1_000))
            guests = await desk.expect("parent", "child")
            skip(1_000)
            assert await guests["parent"].gone()
            guests["child"].writer.write(b"x")
            pid = await guests["child"].says()
            assert pid != ""
            guests["child"].writer.write(b"x")
            with pytest.raises(TimeoutError):
                await calling
            await ended(pid)

    run(main())
