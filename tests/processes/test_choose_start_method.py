"""make_process_pool: start method, preload, initializer, failure, refusal; the fork that hangs."""

import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import work_in_children as work

from examples.processes import choose_start_method as module
from examples.processes.choose_start_method import make_process_pool

pytestmark = pytest.mark.usefixtures("nothing_left")

HAS_FORK = "fork" in multiprocessing.get_all_start_methods()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this thread be the only one, whatever other tests have left behind."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.mark.usefixtures("alone")
def test_results_keep_the_order_of_the_items(start_method: str) -> None:
    """From other processes, and at most as many as asked for."""
    with make_process_pool(2, start_method=start_method) as pool:
        assert list(pool.map(abs, [-1, 2, -3])) == [1, 2, 3]
        pids = set(pool.map(work.pid_of, range(20)))

    assert len(pids) <= 2
    assert os.getpid() not in pids


@pytest.mark.usefixtures("alone")
def test_workers_run_at_the_same_time(start_method: str) -> None:
    """Each waits for the other: only two processes at once let them pass."""
    with (
        multiprocessing.get_context("spawn").Manager() as manager,
        make_process_pool(2, start_method=start_method) as pool,
    ):
        barrier = manager.Barrier(2)
        assert sorted(pool.map(work.wait_for, [barrier] * 2)) == [0, 1]


@pytest.mark.usefixtures("alone")
def test_an_error_reaches_the_caller(start_method: str) -> None:
    """The error of a task, and with it nothing is left."""
    with (
        make_process_pool(2, start_method=start_method) as pool,
        pytest.raises(LookupError),
    ):
        list(pool.map(work.always_fail, [1], [2]))


@pytest.mark.usefixtures("alone")
def test_the_initializer_runs_in_each_worker(start_method: str) -> None:
    """It imports a module there that nobody else has imported."""
    with make_process_pool(
        1, start_method=start_method, initializer=__import__, initargs=("this_is_rare",)
    ) as pool:
        assert pool.submit(work.is_imported, "this_is_rare").result()
    assert "this_is_rare" not in sys.modules


@pytest.fixture(autouse=True)
def rare_module(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a module that nobody imports by chance."""
    with open(f"{tmp_path}/this_is_rare.py", "w", encoding="utf-8"):  # noqa: PTH123
        monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no server")
def test_the_fork_server_has_imported_what_was_asked_for(tmp_path: object) -> None:
    """In a program of its own: a fork server that runs already takes no more orders."""
    script = (
        "import sys\n"
        "import work_in_children as work\n"
        "from examples.processes.choose_start_method import make_process_pool\n"
        "with make_process_pool(1, start_method='forkserver', preload=['this_is_rare']) as pool:\n"
        "    print(pool.submit(work.is_imported, 'this_is_rare').result())\n"
        "print('this_is_rare' in sys.modules)\n"
    )
    paths = os.pathsep.join(map(str, [*filter(None, sys.path), tmp_path]))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("platform", "expected"), [("linux", "forkserver"), ("darwin", "spawn"), ("win32", "spawn")]
)
def test_the_default_depends_on_the_platform_alone(
    platform: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on the version of Python, and it is never fork."""
    asked: list[str] = []
    context = multiprocessing.get_context("spawn")
    context_of = multiprocessing.get_context

    def note(method: str) -> object:
        asked.append(method)
        return context_of(method) if method in multiprocessing.get_all_start_methods() else context

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(multiprocessing, "get_context", note)
    make_process_pool(1).shutdown()

    assert asked[0] == expected


@pytest.mark.skipif(not HAS_FORK, reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("alone")
def test_forked_workers_exist_before_any_thread_of_the_pool() -> None:
    """All are there when the pool is handed over."""
    with make_process_pool(3, start_method="fork"):
        assert len(multiprocessing.active_children()) == 3


@pytest.mark.skipif(not HAS_FORK, reason="no fork")
def test_refuses_to_fork_while_another_thread_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the thread, and no pool is made."""
    monkeypatch.setattr(module, "ProcessPoolExecutor", pytest.fail)
    end = threading.Event()
    thread = threading.Thread(target=end.wait, args=(10,), name="writes-the-log")
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="writes-the-log"):
            make_process_pool(1, start_method="fork")
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize("workers", [0, -1])
def test_refuses_workers_below_one(workers: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {workers}"):
        make_process_pool(workers)


@pytest.mark.parametrize("workers", [2.5, "3"])
def test_refuses_workers_that_are_no_whole_number(workers: object) -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        make_process_pool(workers)  # type: ignore[arg-type]


def test_refuses_one_name_for_several_modules() -> None:
    """A string is a series of letters, and none of them is a module."""
    with pytest.raises(TypeError, match="got 'json'"):
        make_process_pool(preload="json")


def test_refuses_a_start_method_that_is_none() -> None:
    """Refused at the call, naming it."""
    with pytest.raises(ValueError, match="teleport"):
        make_process_pool(start_method="teleport")


@pytest.mark.skipif(not HAS_FORK, reason="no fork")
def test_broken_one_waits_for_a_lock_that_nobody_can_release() -> None:
    """`choose_start_method_broken`: the parent's lock is free, and the child still waits."""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-m", "examples.processes.choose_start_method_broken"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "the parent's lock is held: False",
        "exit code of the child: 1",
    ]
    assert "in work\n" in done.stderr
    assert ("DeprecationWarning" in done.stderr) == (sys.version_info >= (3, 12))
