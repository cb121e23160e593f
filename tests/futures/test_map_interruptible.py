"""map_interruptible: real Ctrl-C to real process groups; order, laziness, failures, refusal."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from math import isqrt
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import pytest
import work_in_workers as work
from hypothesis import given
from hypothesis import strategies as st

from examples.futures.map_interruptible import map_interruptible
from fault_cases import wait_until
from faults import run_fault, wait_for_none

pytestmark = pytest.mark.usefixtures("nothing_left")
only_posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no process groups")
LIMIT_S = 20
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _sigint_is_not_ignored() -> Iterator[None]:
    """A shell's background job ignores it, and so would the children."""
    mine = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, mine)


def of_group(group: int) -> set[str]:
    """Name the processes of a group; the dead do not count."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.add(f"{process.pid}: {process.cmdline()}")
    return found


class Script:
    """A script in a process group of its own, as a terminal has it."""

    def __init__(self, folder: Path, source: str) -> None:
        """Start it, in development mode with warnings as errors."""
        file = folder / "script.py"
        file.write_text(
            "import itertools\nfrom work_interrupted import *\n" + source, encoding="utf-8"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", str(file)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )
        self.timer = threading.Timer(60, self.kill)
        self.timer.start()

    def kill(self) -> None:
        """End all of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def says(self) -> list[str]:
        """Wait for its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def press(self) -> None:
        """Send Ctrl-C to all of it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end, and see that nothing outlives it."""
        printed, said = self.process.communicate()
        left = wait_for_none(lambda: of_group(self.process.pid), 10)
        self.kill()
        self.timer.cancel()
        self.timer.join()
        assert not left
        return self.process.returncode, printed, said


def assert_interrupted_once(script: Script) -> str:
    """See that it ends by Ctrl-C, with one traceback and no survivor; give what it printed."""
    code, printed, said = script.end()
    assert (code, said.count("Traceback"), said.count("KeyboardInterrupt")) == (
        -signal.SIGINT,
        1,
        1,
    ), said
    return printed


def wait_for_the_end_of_pools() -> None:
    """Wait until no thread of an executor is left."""
    wait_until(lambda: not any("Executor" in repr(one) for one in threading.enumerate()))


def mapping(call: str, items: str, workers: str, module: str = "map_interruptible") -> str:
    """Write a script that maps with two workers."""
    return f"""
from examples.futures.{module} import map_interruptible

if __name__ == "__main__":
    for result in map_interruptible({call}, {items}, max_workers=2, workers="{workers}"):
        say(f"result {{result}}")
"""


# Ctrl-C, and processes


@only_posix
@pytest.mark.parametrize("items", ["range(100)", "[bytes(1_000_000)] * 100"])
def test_ctrl_c_ends_it_at_once(tmp_path: Path, start_method: str, items: str) -> None:
    """Calls that would run for ever, deaf to SIGTERM; items that fill every pipe."""
    script = Script(tmp_path, mapping("hang", items, start_method))
    assert [script.says()[0] for _ in range(2)] == ["hangs"] * 2
    script.press()
    assert assert_interrupted_once(script) == ""


@only_posix
def test_a_result_that_is_half_sent_holds_nothing_up(tmp_path: Path, start_method: str) -> None:
    """The pool waits for no second half; one item, for no other worker is to be just starting."""
    script = Script(tmp_path, mapping("send_half", "range(1)", start_method))
    assert script.says()[0] == "hangs"
    script.press()
    assert_interrupted_once(script)


@only_posix
def test_results_that_came_before_stand(tmp_path: Path, start_method: str) -> None:
    """In order; then come calls that hang, and Ctrl-C."""
    script = Script(tmp_path, mapping("hang_after_two", "range(100)", start_method))
    said = [script.says() for _ in range(4)]
    assert [words for words in said if words[0] == "result"] == [["result", "0"], ["result", "1"]]
    script.press()
    assert assert_interrupted_once(script) == ""


@only_posix
def test_a_worker_that_is_just_starting_says_nothing(tmp_path: Path) -> None:
    """It imports the script, and Ctrl-C comes in the middle of it."""
    starting = "import time\nif __name__ != '__main__': say('starting'); time.sleep(1)\n"
    script = Script(tmp_path, starting + mapping("hang", "range(100)", "spawn"))
    assert script.says() == ["starting"]
    script.press()
    assert_interrupted_once(script)


@only_posix
def test_programs_that_workers_start_hear_ctrl_c(tmp_path: Path, start_method: str) -> None:
    """Only the workers take no notice of it; they end with the pool."""
    script = Script(tmp_path, mapping("start_program", "range(1)", start_method))
    assert [script.says() for _ in range(2)] == [["True"], ["blocked", "False"]]
    assert script.says()[0] == "hangs"
    script.press()
    assert_interrupted_once(script)


@only_posix
def test_ctrl_c_in_the_middle_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is there and nobody knows it yet: it is held back, and the worker ended."""
    started = []
    start = multiprocessing.get_context("spawn").Process._Popen  # type: ignore[attr-defined]

    def start_and_press(process: Any) -> Any:  # noqa: ANN401 - handed on
        popen = start(process)
        started.append(psutil.Process(popen.pid))
        signal.raise_signal(signal.SIGINT)
        return popen

    context: Any = multiprocessing.get_context("spawn")
    monkeypatch.setattr(context.Process, "_Popen", staticmethod(start_and_press))
    with pytest.raises(KeyboardInterrupt):
        list(map_interruptible(time.sleep, [3600] * 9, max_workers=2))
    assert len(started) == 1
    assert not started[0].is_running()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_in_the_body_of_the_loop() -> None:
    """Between two results: the loop's own generator is dropped, a named one closed."""

    def interrupted(results: Iterator[None]) -> None:
        for _ in results:
            raise KeyboardInterrupt

    items = [0, 3600, 3600, 3600]
    with pytest.raises(KeyboardInterrupt):
        interrupted(map_interruptible(time.sleep, items, max_workers=2))
    assert multiprocessing.active_children() == []
    named = map_interruptible(time.sleep, items, max_workers=2)
    with pytest.raises(KeyboardInterrupt), closing(named):
        interrupted(named)
    assert multiprocessing.active_children() == []


# Ctrl-C, and threads


@only_posix
def test_ctrl_c_ends_threads_after_the_calls_in_flight(tmp_path: Path) -> None:
    """What has begun is waited for, and no other call begins."""
    script = Script(tmp_path, mapping("wait_a_moment", "itertools.count()", "threads"))
    begun = {words[2] for words in (script.says(), script.says()) if words[0] == "waits"}
    script.press()
    lines = [line.split() for line in assert_interrupted_once(script).splitlines()]
    begun |= {words[2] for words in lines if words[0] == "waits"}
    assert begun == {words[1] for words in lines if words[0] == "waited"}


@only_posix
def test_a_second_ctrl_c_ends_the_waiting_for_threads() -> None:
    """A call that does not end holds its thread, but not the caller."""
    pressed = 0
    in_flight, released = threading.Event(), threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        nonlocal pressed
        pressed += 1
        if pressed <= 2:
            raise KeyboardInterrupt

    def press() -> None:
        assert in_flight.wait(LIMIT_S)
        main = threading.main_thread().ident or 0
        while pressed < 2 and not released.wait(0.05):
            signal.pthread_kill(main, signal.SIGINT)

    def call(_: int) -> None:
        in_flight.set()
        assert released.wait(LIMIT_S)

    signal.signal(signal.SIGINT, on_signal)
    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        list(map_interruptible(call, range(9), max_workers=1, workers="threads"))
    assert not released.is_set()
    released.set()
    presser.join(LIMIT_S)
    wait_for_the_end_of_pools()


def test_closed_by_another_thread_it_waits_for_nothing() -> None:
    """As by the garbage collector in a worker, which must not wait for itself."""
    begun: list[int] = []
    go_on = threading.Event()

    def call(item: int) -> None:
        begun.append(item)
        assert item == 0 or go_on.wait(LIMIT_S)

    results = map_interruptible(call, range(9), max_workers=1, workers="threads", buffersize=4)
    next(results)
    closer = threading.Thread(target=results.close)
    closer.start()
    closer.join(LIMIT_S)
    assert not closer.is_alive()
    go_on.set()
    del results
    wait_for_the_end_of_pools()
    assert begun in ([0], [0, 1])


def test_closed_by_another_thread_it_kills_nothing(tmp_path: Path) -> None:
    """The call in flight ends as it would, and so does its process."""
    calls = [tmp_path.exists, (tmp_path / "go on").exists]
    results = map_interruptible(wait_until, calls, max_workers=1)
    next(results)
    [worker] = multiprocessing.active_children()
    closer = threading.Thread(target=results.close)
    closer.start()
    closer.join(LIMIT_S)
    del results
    (tmp_path / "go on").touch()
    wait_for_the_end_of_pools()
    assert worker.exitcode == 0


def test_threads_begin_nothing_more_once_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for its turn is cancelled before what runs is waited for."""
    begun: list[int] = []
    cancelled = threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def call(item: int) -> None:
        begun.append(item)
        assert item == 0 or cancelled.wait(LIMIT_S)

    def shut_down(self: ThreadPoolExecutor, **options: Any) -> None:  # noqa: ANN401 - handed on
        shutdown(self, **{**options, "wait": False})
        cancelled.set()
        shutdown(self, **options)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut_down)
    results = map_interruptible(call, range(9), max_workers=1, workers="threads", buffersize=4)
    next(results)
    results.close()
    assert begun in ([0], [0, 1])


# Results


def test_any_thread_may_use_it() -> None:
    """Though only the main thread hears Ctrl-C, and may handle it."""
    with ThreadPoolExecutor(1) as other:
        results = map_interruptible(isqrt, [4, 9], max_workers=1)
        assert other.submit(list, results).result(LIMIT_S) == [2, 3]


def test_at_the_end_workers_are_not_killed(start_method: str) -> None:
    """They end by themselves, with all that Python does at an exit."""
    results = map_interruptible(isqrt, range(3), max_workers=1, workers=start_method)
    next(results)
    [worker] = multiprocessing.active_children()
    assert list(results) == [1, 1]
    assert worker.exitcode == 0


@given(
    st.lists(st.integers(-1, 99)),
    st.integers(1, 4),
    st.none() | st.integers(1, 9),
    st.none() | st.integers(0, 9),
)
def test_whatever_fails_and_wherever_it_is_left(
    items: list[int], max_workers: int, buffersize: int | None, leaves: int | None
) -> None:
    """Results are those of `map`, to the first error; no more is pulled than was promised."""
    pulled = 0

    def pull() -> Iterator[int]:
        nonlocal pulled
        for item in items:
            pulled += 1
            yield item

    def take(results: Iterator[int]) -> list[Any]:
        taken: list[Any] = []
        ahead = buffersize or 2 * max_workers
        try:
            for result in itertools.islice(results, leaves):
                taken.append(result)
                assert pulled <= len(taken) - 1 + ahead
        except ValueError as error:
            taken.append(str(error))
        return taken

    results = map_interruptible(
        isqrt, pull(), max_workers=max_workers, workers="threads", buffersize=buffersize
    )
    assert pulled == 0
    with closing(results):
        found = take(results)
    pulled = -len(items)
    assert found == take(map(isqrt, items))


def test_in_processes_too(start_method: str) -> None:
    """In the order of the items, lazily, with an endless input that is left."""
    pulled: list[int] = []
    items = (pulled.append(item) or item for item in itertools.count())
    results = map_interruptible(isqrt, items, max_workers=2, workers=start_method, buffersize=3)
    with closing(results):
        assert list(itertools.islice(results, 20)) == [isqrt(item) for item in range(20)]
        assert len(pulled) <= 20 + 3
    assert list(map_interruptible(isqrt, [], max_workers=2, workers=start_method)) == []


@pytest.mark.parametrize("workers", ["spawn", "threads"])
def test_errors_of_a_call_and_of_the_input(workers: str) -> None:
    """Raised where they are met; nothing is left."""

    def items() -> Iterator[int]:
        yield 4
        raise OSError("no more")

    results = map_interruptible(isqrt, [4, -1, 9], max_workers=2, workers=workers)
    assert next(results) == 2
    with pytest.raises(ValueError, match="nonnegative"):
        next(results)
    with pytest.raises(OSError, match="no more"):
        list(map_interruptible(isqrt, items(), max_workers=2, workers=workers))


def test_a_worker_that_dies() -> None:
    """The pool is broken, and ends."""
    with pytest.raises(BrokenProcessPool):
        list(map_interruptible(work.end_process, range(9), max_workers=2))


def test_nothing_is_left() -> None:
    """No thread, child, descriptor, block of shared memory, nor a word on stderr."""
    script = """
    import time
    from examples.futures.map_interruptible import map_interruptible

    for method in {}:
        try:
            for _ in map_interruptible(time.sleep, [0] + [3600] * 9, max_workers=2, workers=method):
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            print(method)
    """
    methods = [one for one in multiprocessing.get_all_start_methods() if one != "fork"]
    assert run_fault(script.format(methods)).splitlines() == methods


@only_posix
def test_other_children_of_the_fork_server_hear_ctrl_c() -> None:
    """SIGINT is blocked while workers are started, and not while their server is."""
    blocked = run_fault(
        """
        import signal
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        from examples.futures.map_interruptible import map_interruptible

        assert list(map_interruptible(abs, [-1], max_workers=1, workers="forkserver")) == [1]
        with ProcessPoolExecutor(1, get_context("forkserver")) as pool:
            blocked = pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
        print(signal.SIGINT in blocked)
        """
    )
    assert blocked == "False\n"


# Refused


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("name", ["max_workers", "buffersize"])
def test_too_small_a_number_is_refused_at_the_call(name: str, number: int) -> None:
    """With its value."""
    options: dict[str, Any] = {"max_workers": 2, name: number}
    with pytest.raises(ValueError, match=f">= 1, got.*{number}"):
        map_interruptible(isqrt, [], **options)


@pytest.mark.parametrize(
    "options",
    [{"max_workers": 2.5}, {"max_workers": "x"}, {"max_workers": 2, "buffersize": 2.5}],
    ids=str,
)
def test_a_number_that_is_not_whole_is_refused(options: Any) -> None:  # noqa: ANN401 - any options
    """At the call."""
    with pytest.raises(TypeError):
        map_interruptible(isqrt, [], **options)


def test_unknown_workers_and_no_items_are_refused() -> None:
    """At the call."""
    with pytest.raises(ValueError, match="cannot find context"):
        map_interruptible(isqrt, [], max_workers=2, workers="rabbits")
    with pytest.raises(TypeError):
        map_interruptible(isqrt, 5, max_workers=2)  # type: ignore[arg-type]


# Others


@only_posix
@pytest.mark.skipif(
    not hasattr(ProcessPoolExecutor, "kill_workers"), reason="kill_workers is there from 3.14 on"
)
def test_the_built_in_way_ends_too(tmp_path: Path) -> None:
    """By hand, with kill_workers: the same for calls that hang."""
    script = Script(
        tmp_path,
        """
if __name__ == "__main__":
    for result in built_in(hang, range(100), max_workers=2, workers="spawn"):
        say(f"result {result}")
""",
    )
    assert [script.says()[0] for _ in range(2)] == ["hangs"] * 2
    script.press()
    assert_interrupted_once(script)


@only_posix
def test_the_broken_one_goes_on_with_the_next_items(tmp_path: Path) -> None:
    """A worker survives Ctrl-C, and begins a call that nobody wants; nothing ends."""
    source = mapping("hang", "range(100)", "spawn", "map_interruptible_broken")
    script = Script(tmp_path, source)
    begun = {tuple(script.says()) for _ in range(2)}
    script.press()
    _, worker, item = script.says()
    assert worker in {words[1] for words in begun}
    assert item == "2"
    assert script.process.poll() is None
    script.kill()
    assert script.end()[0] == -signal.SIGKILL
