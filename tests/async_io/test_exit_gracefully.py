"""exit_gracefully: ask, drain, deadline, a second Ctrl-C; by real signals to real processes."""

import asyncio
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_clock import run_virtually

from examples.async_io.exit_gracefully import exit_gracefully

only_posix = pytest.mark.skipif(os.name != "posix", reason="Windows sends no such signals")
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def _handlers_are_as_before() -> Iterator[None]:
    """Look at the handlers when the test is over; no signal is ignored, as it may be in a job."""
    mine = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before
    signal.signal(signal.SIGINT, mine)


class Program:
    """A script in a process of its own, which is sent signals."""

    START = """
    import asyncio, logging, signal
    from examples.async_io.exit_gracefully import exit_gracefully
    from examples.async_io.exit_gracefully_broken import cancel_on_signals

    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent ignores

    logging.getLogger("asyncio").setLevel("ERROR")  # a step that takes long is no fault

    def say(*words):
        print(*words, flush=True)
    """

    def __init__(self, script: str) -> None:
        """Start it, in development mode with warnings as errors."""
        source = textwrap.dedent(self.START) + textwrap.dedent(script)
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", source],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.timer = threading.Timer(60, self.process.kill)
        self.timer.start()

    def says(self) -> str:
        """Wait for its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, number: int) -> None:
        """Send it a signal when its loop sleeps."""
        while psutil.Process(self.process.pid).status() == psutil.STATUS_RUNNING:
            time.sleep(0.001)
        self.process.send_signal(number)

    def end(self) -> tuple[int, list[str], str]:
        """Wait for its end: exit code, the lines still unread, and stderr."""
        printed, said = self.process.communicate()
        self.timer.cancel()
        self.timer.join()
        return self.process.returncode, printed.splitlines(), said


# Asked to stop


@only_posix
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_and_the_work_in_flight_is_finished(number: int) -> None:
    """The loop sleeps when it comes; the event is set, the worker ends its item, the code is 0."""
    program = Program(
        """
        async def main():
            async with exit_gracefully(drain_s=1000) as stop:
                say("ready")
                await stop.wait()
                await asyncio.sleep(0.01)
                say("drained")
            say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)

        asyncio.run(main())
        say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        """
    )
    assert program.says() == "ready"
    program.send(number)
    assert program.end() == (0, ["drained", "True", "True"], "")


@only_posix
def test_work_that_is_not_drained_in_time_is_cancelled() -> None:
    """Its clean-up is awaited, and the error says what happened."""
    program = Program(
        """
        async def main():
            async with exit_gracefully(drain_s=0.01) as stop:
                say("ready")
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    await asyncio.sleep(0.01)
                    say("cleaned up", stop.is_set())

        try:
            asyncio.run(main())
        except TimeoutError as error:
            say(error)
        """
    )
    assert program.says() == "ready"
    program.send(signal.SIGTERM)
    assert program.end() == (
        0,
        ["cleaned up True", "not drained within 0.01 s of being asked to stop"],
        "",
    )


@only_posix
def test_a_second_sigterm_changes_nothing() -> None:
    """A supervisor may say it twice."""
    program = Program(
        """
        async def main():
            async with exit_gracefully(drain_s=1000) as stop:
                signal.raise_signal(signal.SIGTERM)
                await stop.wait()
                say("asked")
                signal.raise_signal(signal.SIGTERM)
                await asyncio.sleep(0)
                say("still here")

        asyncio.run(main())
        """
    )
    assert program.end() == (0, ["asked", "still here"], "")


# A second Ctrl-C


@only_posix
@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_ctrl_c_ends_a_drain_at_once(number: int) -> None:
    """After either signal; tasks clean up, and the shell is told that Ctrl-C did it."""
    program = Program(
        """
        async def main():
            async with exit_gracefully(drain_s=1000) as stop:
                say("ready")
                await stop.wait()
                loop = asyncio.get_running_loop()
                loop.call_soon(say, "draining")  # main waits by then
                try:
                    await loop.create_future()
                finally:
                    await asyncio.sleep(0)
                    say("cleaned up")
                    say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
                    say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

        asyncio.run(main())
        """
    )
    assert program.says() == "ready"
    program.send(number)
    assert program.says() == "draining"
    program.send(signal.SIGINT)
    code, printed, said = program.end()
    assert (code, printed) == (-signal.SIGINT, ["cleaned up", "True", "True"])
    assert said.count("\nKeyboardInterrupt\n") == 1


@only_posix
def test_a_second_ctrl_c_ends_a_call_that_blocks() -> None:
    """The loop never had a turn to hear of the first."""
    program = Program(
        """
        async def main():
            async with exit_gracefully(drain_s=1000) as stop:
                signal.raise_signal(signal.SIGINT)
                say("asked", stop.is_set())
                signal.raise_signal(signal.SIGINT)
                say("not reached")

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            say("interrupted")
        """
    )
    assert program.end() == (0, ["asked False", "interrupted"], "")


@only_posix
def test_a_third_ctrl_c_ends_a_clean_up_that_hangs() -> None:
    """As without exit_gracefully."""
    program = Program(
        """
        async def main():
            async with exit_gracefully(drain_s=1000) as stop:
                signal.raise_signal(signal.SIGINT)
                try:
                    signal.raise_signal(signal.SIGINT)
                finally:
                    say("cleans up")
                    await asyncio.get_running_loop().create_future()

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            say("interrupted")
        """
    )
    assert program.says() == "cleans up"
    program.send(signal.SIGINT)
    code, printed, _ = program.end()
    assert (code, printed) == (0, ["interrupted"])


# Beside asyncio.run


@only_posix
def test_ctrl_c_after_the_body_is_asyncios_again() -> None:
    """The first one cancels main, as asyncio.Runner does; SIGTERM ends the process."""
    program = Program(
        """
        async def main():
            async with exit_gracefully(drain_s=1000):
                pass
            try:
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                say("cancelled")
                raise

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            say("interrupted")
        signal.raise_signal(signal.SIGTERM)
        """
    )
    assert program.end() == (-signal.SIGTERM, ["cancelled", "interrupted"], "")


@only_posix
@pytest.mark.parametrize("ends", ["return", "raise LookupError", "raise asyncio.CancelledError"])
def test_handlers_are_put_back_however_the_body_ends(ends: str) -> None:
    """Custom ones too; and a second loop, without asyncio.run, finds them."""
    program = Program(
        f"""
        def mine(*_):
            say("mine")

        signal.signal(signal.SIGTERM, mine)

        async def main():
            async with exit_gracefully(drain_s=1000):
                {ends}

        for _ in range(2):
            with asyncio.Runner() as runner:
                try:
                    runner.get_loop().run_until_complete(main())
                except (LookupError, asyncio.CancelledError):
                    say("its own error")
            signal.raise_signal(signal.SIGTERM)
        say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        """
    )
    error = [] if ends == "return" else ["its own error"]
    assert program.end() == (0, [*error, "mine", *error, "mine", "True"], "")


@only_posix
def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """So it is for a program that a shell runs in the background."""
    program = Program(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)

        async def main():
            async with exit_gracefully(drain_s=1000) as stop:
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(0)
                say(stop.is_set())
                signal.raise_signal(signal.SIGTERM)
                await stop.wait()

        asyncio.run(main())
        say(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
        """
    )
    assert program.end() == (0, ["False", "True"], "")


def test_a_signal_in_the_last_turn_of_the_body_is_harmless() -> None:
    """The body ends before the loop hears of it."""

    async def main() -> bool:
        async with exit_gracefully(drain_s=0) as stop:
            signal.raise_signal(signal.SIGINT)
        for _ in range(3):
            await asyncio.sleep(0)
        return stop.is_set()

    assert asyncio.run(main()) is True


def test_a_timeout_of_the_body_stays_its_own() -> None:
    """It is raised as it is, whether a signal came or not."""
    error = TimeoutError("of a request")

    async def main(*, asked: bool) -> None:
        async with exit_gracefully(drain_s=1000) as stop:
            if asked:
                signal.raise_signal(signal.SIGINT)
                await stop.wait()
            raise error

    for asked in (False, True):
        with pytest.raises(TimeoutError) as caught:
            asyncio.run(main(asked=asked))
        assert caught.value is error


# How long


@given(
    st.lists(st.integers(min_value=0, max_value=40), max_size=8),
    st.integers(min_value=0, max_value=30),
    st.integers(min_value=0, max_value=30),
)
def test_what_takes_no_longer_than_the_deadline_is_finished(
    works: list[int], drain_s: int, asked_at: int
) -> None:
    """On a virtual clock: each work is finished or cancelled, and which one the clock decides."""
    finished: list[int] = []
    cancelled: list[int] = []

    async def work(number: int, seconds: int) -> None:
        try:
            await asyncio.sleep(seconds + 0.5)  # never at the very time of the deadline
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        finished.append(number)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(asked_at, signal.raise_signal, signal.SIGINT)
        async with exit_gracefully(drain_s=drain_s) as stop, asyncio.TaskGroup() as group:
            for number, seconds in enumerate(works):
                group.create_task(work(number, seconds))
            await stop.wait()
            assert loop.time() == asked_at

    late = {number for number, seconds in enumerate(works) if seconds >= asked_at + drain_s}
    if late:
        with pytest.raises(TimeoutError, match=f"within {drain_s} s"):
            run_virtually(main())
    else:
        run_virtually(main())
    assert set(cancelled) == late
    assert set(finished) == set(range(len(works))) - late


# What it refuses


@pytest.mark.parametrize("drain_s", [-1, math.nan])
def test_refuses_a_negative_deadline(drain_s: float) -> None:
    """At the call, naming the bound and the value."""
    with pytest.raises(ValueError, match=f"drain_s must be 0 or more, got {drain_s}"):
        exit_gracefully(drain_s=drain_s)


def test_refuses_another_thread() -> None:
    """Only the main thread may handle signals; nothing is changed."""
    errors: list[BaseException] = []

    async def main() -> None:
        async with exit_gracefully(drain_s=1):
            pytest.fail("entered")

    def run() -> None:
        try:
            asyncio.run(main())
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert "main thread" in str(errors[0])


# What the usual recipe does


@only_posix
def test_broken_one_cuts_the_work_in_flight_short() -> None:
    """An order is charged and never sent; exit_gracefully's is sent."""
    script = """
    async def order(asked):
        say("charged")
        signal.raise_signal(signal.SIGTERM)
        for _ in range(3):
            await asyncio.sleep(0.01)
        say("sent")

    async def gracefully():
        async with exit_gracefully(drain_s=1000) as stop:
            await order(stop)

    async def broken():
        await cancel_on_signals(order(None))

    try:
        asyncio.run({}())
    except asyncio.CancelledError:
        say("cancelled")
    """
    assert Program(script.format("gracefully")).end() == (0, ["charged", "sent"], "")
    assert Program(script.format("broken")).end() == (0, ["charged", "cancelled"], "")


@only_posix
def test_broken_one_cannot_be_ended_while_a_call_blocks() -> None:
    """However often somebody presses Ctrl-C, until the call returns by itself."""
    program = Program(
        """
        async def block():
            for _ in range(5):
                signal.raise_signal(signal.SIGINT)
            say("blocked to the end")
            await asyncio.sleep(1000)

        try:
            asyncio.run(cancel_on_signals(block()))
        except asyncio.CancelledError:
            say("cancelled")
        """
    )
    assert program.end() == (0, ["blocked to the end", "cancelled"], "")
