"""stop_on_error: all is run if the block ends well, nothing is waited for if not; a deadlock."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import suppress
from math import isqrt
from pathlib import Path

import psutil
import pytest
import work_in_workers as work
from executors import NotingPool, process_pool

from examples.futures.shut_down import stop_on_error
from examples.futures.shut_down_broken import call_twice_removed

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_block_that_ends_well_runs_all_that_was_submitted(
    make_executor: Callable[[int], Executor],
) -> None:
    """In every executor; afterwards it takes no more."""
    executor = make_executor(2)
    with stop_on_error(executor) as same:
        assert same is executor
        calls = [executor.submit(isqrt, number) for number in range(30)]

    assert [call.result() for call in calls] == [isqrt(number) for number in range(30)]
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(isqrt, 1)


def test_workers_run_at_the_same_time() -> None:
    """Each call waits for all the others."""
    everyone = threading.Barrier(3)
    with stop_on_error(ThreadPoolExecutor(3)) as executor:
        assert sorted(executor.map(lambda _: everyone.wait(10), range(3))) == [0, 1, 2]


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, SystemExit])
def test_an_error_cancels_what_has_not_begun(error: type[BaseException]) -> None:
    """The call in flight ends when the last one is cancelled; then the error goes out."""
    first_runs, last_cancelled = threading.Event(), threading.Event()

    def call(item: int) -> int:
        first_runs.set()
        assert last_cancelled.wait(10)
        return item

    executor = NotingPool(1)
    with pytest.raises(error), stop_on_error(executor):  # noqa: PT012 - the block is the test
        for item in range(5):
            executor.submit(call, item)
        executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
        assert first_runs.wait(10)
        raise error

    assert executor.given[0].result() == 0
    assert [call.cancelled() for call in executor.given] == [False, True, True, True, True]


@pytest.mark.skipif(os.name != "posix", reason="the worker refuses a signal of POSIX")
def test_an_error_kills_the_workers_if_asked_to(start_method: str, tmp_path: Path) -> None:
    """Two processes that are deaf to SIGTERM and never end: both are gone."""
    signatures = [tmp_path / "one", tmp_path / "two"]
    with (  # noqa: PT012 - the block is the test
        pytest.raises(LookupError),
        stop_on_error(process_pool(2, start_method), kill_workers=True) as executor,
    ):
        calls = [executor.submit(work.sign_and_wait, path) for path in signatures]
        deadline = time.monotonic() + 60
        while not all(path.exists() for path in signatures) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        pids = [int(path.read_text(encoding="utf-8")) for path in signatures]
        raise LookupError

    assert all(call.done() for call in calls)
    for pid in pids:
        with suppress(psutil.NoSuchProcess):  # a child of the fork server is buried by that
            psutil.Process(pid).wait(10)
        assert not psutil.pid_exists(pid)


def wait_for_file(path: Path) -> None:
    """Wait until a worker has written its number."""
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert path.exists()


@pytest.mark.skipif(os.name != "posix", reason="the worker refuses a signal of POSIX")
def test_a_worker_killed_amid_its_result_does_not_keep_the_block(
    start_method: str, tmp_path: Path
) -> None:
    """It has sent half; the executor, which reads, gets the end instead of the other half."""
    executor = process_pool(1, start_method)
    results = executor._result_queue

    def fail_in_block() -> None:
        with stop_on_error(executor, kill_workers=True):
            calls.append(executor.submit(work.send_half, tmp_path / "signed"))
            wait_for_file(tmp_path / "signed")
            raise LookupError

    calls: list[Future[bytes]] = []
    with ThreadPoolExecutor(1) as callers:
        caller = callers.submit(fail_in_block)
        try:
            error = caller.exception(90)
        finally:
            results._writer.close()  # frees the caller if it hangs

    assert isinstance(error, LookupError)
    assert isinstance(calls[0].exception(0), BrokenExecutor)


@pytest.mark.skipif(os.name != "posix", reason="the worker refuses a signal of POSIX")
def test_killed_workers_are_not_replaced(tmp_path: Path) -> None:
    """The executor would do so if one of two had reached its last task just then."""

    class Replacing(ProcessPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the base class has it
            if not cancel_futures:
                super().shutdown(wait=wait)
                return
            self._adjust_process_count()
            had.append(len(self._processes))
            super().shutdown(wait=wait, cancel_futures=True)

    had: list[int] = []
    executor = Replacing(2, multiprocessing.get_context("spawn"), max_tasks_per_child=1)
    with (  # noqa: PT012 - the block is the test
        pytest.raises(LookupError),
        stop_on_error(executor, kill_workers=True),
    ):
        executor.submit(work.sign_and_wait, tmp_path / "signed")
        wait_for_file(tmp_path / "signed")
        raise LookupError

    assert had == [1]


def test_a_block_that_shut_down_by_itself_is_no_trouble(start_method: str) -> None:
    """Its processes are out of reach by then, and its error goes out."""
    executor = process_pool(1, start_method)
    with (  # noqa: PT012 - the block is the test
        pytest.raises(LookupError),
        stop_on_error(executor, kill_workers=True),
    ):
        executor.submit(isqrt, 4).result(60)
        executor.shutdown()
        raise LookupError


def test_workers_that_were_never_started_are_no_trouble(start_method: str) -> None:
    """The block fails before it submits anything."""
    with (
        pytest.raises(LookupError),
        stop_on_error(process_pool(2, start_method), kill_workers=True),
    ):
        raise LookupError


def test_refuses_to_kill_threads() -> None:
    """Refused at the call, before the block."""
    executor = ThreadPoolExecutor(1)
    with pytest.raises(TypeError, match="only processes can be killed, got ThreadPoolExecutor"):
        stop_on_error(executor, kill_workers=True)
    executor.shutdown()


def test_broken_one_waits_for_a_call_behind_itself() -> None:
    """With one worker the inner call cannot begin; with two it does."""

    def wait_a_little(inner: Future[str]) -> str:
        with pytest.raises(TimeoutError):
            inner.result(timeout=0.05)
        assert inner.cancel()  # so nobody had begun it
        return "gave up"

    with ThreadPoolExecutor(1) as executor:
        outer = call_twice_removed(executor, lambda: "done", wait=wait_a_little)
        assert outer.result(10) == "gave up"
    with ThreadPoolExecutor(2) as executor:
        assert call_twice_removed(executor, lambda: "done").result(10) == "done"


def test_broken_one_really_hangs() -> None:
    """Run as a program, it never ends by itself: its stacks show two that wait for a result."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.futures.shut_down_broken"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Timeout")
    assert done.stderr.count(" in result") == 2
