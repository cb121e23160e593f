"""start_workers: names, overlap with the caller, failures, refusals."""

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from examples.threads import start_workers_broken
from examples.threads.start_workers import start_workers


def fail_with(error: BaseException) -> Callable[[], None]:
    """Make a worker that raises."""

    def worker() -> None:
        raise error

    return worker


def test_each_worker_runs_under_its_name() -> None:
    """The stack of each thread would show the name it was given."""
    seen: set[str] = set()

    with start_workers(
        {name: lambda: seen.add(threading.current_thread().name) for name in ("reader", "writer")}
    ) as threads:
        assert list(threads) == ["reader", "writer"]

    assert seen == {"reader", "writer"}


def test_workers_run_beside_each_other_and_the_caller() -> None:
    """All three meet at one barrier: only if all three run at once does it open."""
    meeting = threading.Barrier(3)

    with start_workers({"a": lambda: meeting.wait(10), "b": lambda: meeting.wait(10)}):
        meeting.wait(10)


def test_leaving_joins_every_worker() -> None:
    """No thread is alive behind the `with`."""
    go = threading.Event()

    with start_workers({"a": lambda: go.wait(10), "b": lambda: go.wait(10)}) as threads:
        assert all(thread.is_alive() for thread in threads.values())
        go.set()

    assert not any(thread.is_alive() for thread in threads.values())


def test_threads_are_not_daemons() -> None:
    """The interpreter would wait for them even if the caller were gone."""
    with start_workers({"a": lambda: None}) as threads:
        assert not threads["a"].daemon


def test_an_error_reaches_the_caller_after_the_others_have_ended() -> None:
    """One worker fails at once; the other still finishes, and the error names its worker."""
    failed = threading.Event()
    finished = threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError("row 17 has no date")

    def go_on() -> None:
        assert failed.wait(10)
        finished.set()

    with (
        pytest.raises(ExceptionGroup) as caught,
        start_workers({"reader": fail, "writer": go_on}) as threads,
    ):
        pass

    (error,) = caught.value.exceptions
    assert isinstance(error, ValueError)
    assert error.__notes__ == ["in worker 'reader'"]
    assert finished.is_set()
    assert not any(thread.is_alive() for thread in threads.values())


def test_several_errors_come_in_the_order_of_the_workers() -> None:
    """The second worker fails first, and still stands second."""
    second_failed = threading.Event()

    def fail_last() -> None:
        assert second_failed.wait(10)
        raise KeyError

    def fail_first() -> None:
        second_failed.set()
        raise ValueError

    with pytest.raises(ExceptionGroup) as caught, start_workers({"a": fail_last, "b": fail_first}):
        pass

    assert [type(error) for error in caught.value.exceptions] == [KeyError, ValueError]


class FalsyError(Exception):
    """An error that is false in a condition."""

    def __bool__(self) -> bool:
        """Mislead whoever asks `if error`."""
        return False


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), StopIteration(), FalsyError()]
)
def test_no_kind_of_error_is_lost(error: BaseException) -> None:
    """A bare thread would drop SystemExit without a word."""
    with pytest.raises(BaseExceptionGroup) as caught, start_workers({"a": fail_with(error)}):
        pass

    assert caught.value.exceptions == (error,)


def test_an_error_of_the_body_alone_passes_unchanged() -> None:
    """The worker has ended by then."""
    go = threading.Event()
    threads: dict[str, threading.Thread] = {}

    def leave_early() -> None:
        with start_workers({"a": lambda: go.wait(10)}) as running:
            threads.update(running)
            go.set()
            raise LookupError("body")

    with pytest.raises(LookupError, match="body"):
        leave_early()

    assert not threads["a"].is_alive()


def test_errors_of_body_and_workers_come_together() -> None:
    """The error of the body comes first."""

    def leave_early() -> None:
        with start_workers({"a": fail_with(ValueError("worker"))}):
            raise LookupError("body")

    with pytest.raises(ExceptionGroup) as caught:
        leave_early()

    assert [str(error) for error in caught.value.exceptions] == ["body", "worker"]


def test_workers_that_did_start_are_joined_if_one_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system refuses the second thread; the first has ended when the error arrives."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def start_one(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)

    with (
        pytest.raises(RuntimeError, match="can't start"),
        start_workers({"a": lambda: None, "b": lambda: None}),
    ):
        pytest.fail("the body must not run")

    assert not started[0].is_alive()


def test_no_workers_is_nothing_to_wait_for() -> None:
    """The body runs, alone."""
    with start_workers({}) as threads:
        assert threads == {}


def test_refuses_a_worker_that_was_called_already() -> None:
    """`{"reader": read()}` hands over what `read` returned; it is refused before the `with`."""
    with pytest.raises(TypeError, match="'reader' must be callable, got None"):
        start_workers({"reader": None})  # type: ignore[dict-item]


def test_refuses_an_empty_name() -> None:
    """A thread of that name would be called Thread-1."""
    with pytest.raises(ValueError, match="name of 1 character or more, got ''"):
        start_workers({"": int})


def test_broken_one_tells_only_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller goes on as if the worker had done its work."""
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: told.append(failure.exc_value))

    start_workers_broken.start_workers({"reader": start_workers_broken.read_orders})

    assert [type(error) for error in told] == [ValueError]


def test_broken_one_ends_with_exit_code_0() -> None:
    """As a script it prints the traceback, then its success, and exits as if all were well."""
    ended = subprocess.run(
        [sys.executable, start_workers_broken.__file__],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0
    assert ended.stdout == "all orders read\n"
    assert ended.stderr.endswith("ValueError: row 17 has no date\n")
