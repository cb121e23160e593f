"""open_executor on this machine, and on a real scheduler with two worker processes.

The programs that use the cluster are processes of their own: its client keeps threads.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from examples.futures.beyond_one_machine import open_executor
from fault_cases import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "src"
PATIENCE_S = 60.0
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join((str(SOURCES), str(HERE)))}

needs_cluster = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="no Dask here: make environment"
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """Start a scheduler and two workers; give the address."""
    told = tmp_path / "scheduler.json"
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": tmp_path,
        "env": ENVIRONMENT,
    }

    def start(role: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", "--no-dashboard"]
        process = subprocess.Popen([*command, "--host", "127.0.0.1", *arguments], **quiet)
        started.callback(process.wait)
        started.callback(process.kill)
        return process

    with contextlib.ExitStack() as started:
        start("scheduler", "--port", "0", "--scheduler-file", str(told))
        wait_until(lambda: told.exists() and told.read_text("utf-8"))  # there, and written
        address = json.loads(told.read_text(encoding="utf-8"))["address"]
        for _ in range(2):
            start("worker", address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0")
        yield address


def run(script: str, *arguments: object) -> list[str]:
    """Run a script and give the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_cluster
def test_a_map_on_the_cluster_gives_what_it_gives_here(cluster: str) -> None:
    """The same pairs, from both workers, in `map_unordered` and in `map`."""
    lines = run(
        """
        import math, os, sys
        from examples.futures.beyond_one_machine import open_executor
        from examples.futures.map_unordered import map_unordered

        with open_executor(sys.argv[1]) as executor:
            pairs = map_unordered(math.factorial, range(50), executor=executor, window=8)
            found = {number: outcome.result() for number, outcome in pairs}
            print(found == {number: math.factorial(number) for number in range(50)})
            print(list(executor.map(abs, [-2, 1])))
            asked = [executor.submit(os.getpid) for _ in range(50)]
            print(os.getpid() in {call.result() for call in asked})
        """,
        cluster,
    )

    assert lines == ["True", "[2, 1]", "False"]


@needs_cluster
def test_a_failing_call_is_an_outcome(cluster: str) -> None:
    """The error of the worker comes back, with its text."""
    lines = run(
        """
        import sys
        from examples.futures.beyond_one_machine import open_executor
        from examples.futures.map_unordered import map_unordered

        with open_executor(sys.argv[1]) as executor:
            for text, outcome in map_unordered(int, ["two"], executor=executor):
                print(text, repr(outcome.exception()))
        """,
        cluster,
    )

    assert len(lines) == 1
    assert lines[0].startswith('two ValueError("invalid literal')


@needs_cluster
@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL here")
def test_a_worker_killed_in_the_middle_loses_nothing(cluster: str, tmp_path: Path) -> None:
    """The call that killed it runs again, elsewhere; all results are there, once each."""
    lines = run(
        """
        import sys
        from examples.futures.beyond_one_machine import open_executor
        from examples.futures.map_unordered import map_unordered
        from work_on_cluster import square_and_die_once

        with open_executor(sys.argv[1]) as executor:
            tasks = [(number, sys.argv[2]) for number in range(40)]
            pairs = map_unordered(square_and_die_once, tasks, executor=executor, window=10)
            print(sorted(outcome.result() for _, outcome in pairs))
        """,
        cluster,
        tmp_path,
    )

    assert (tmp_path / "died").exists()
    assert lines == [str([number * number for number in range(40)])]


@needs_cluster
def test_a_call_that_runs_is_cancelled_and_goes_on(cluster: str, tmp_path: Path) -> None:
    """The future says cancelled; the worker ends what it began."""
    lines = run(
        """
        import sys, time
        from pathlib import Path
        from examples.futures.beyond_one_machine import open_executor
        from work_on_cluster import go_on

        marks = Path(sys.argv[2])
        with open_executor(sys.argv[1]) as executor:
            call = executor.submit(go_on, str(marks))
            while not (marks / "begun").exists():
                time.sleep(0.01)
            print(call.running(), call.cancel(), call.cancelled())
        (marks / "go").touch()
        """,
        cluster,
        tmp_path,
    )

    assert lines == ["False True True"]
    wait_until((tmp_path / "ended").exists)


@needs_cluster
def test_calls_that_look_alike_all_run(cluster: str) -> None:
    """Dask takes calls for pure unless told otherwise, and runs equal ones once."""
    lines = run(
        """
        import os, sys
        from examples.futures.beyond_one_machine import open_executor

        with open_executor(sys.argv[1]) as executor:
            calls = [executor.submit(os.urandom, 16) for _ in range(5)]
            print(len({call.result() for call in calls}))
        """,
        cluster,
    )

    assert lines == ["5"]


@needs_cluster
def test_the_end_waits_for_the_calls(cluster: str, tmp_path: Path) -> None:
    """As that of a pool does."""
    run(
        """
        import sys, threading
        from pathlib import Path
        from examples.futures.beyond_one_machine import open_executor
        from work_on_cluster import go_on

        with open_executor(sys.argv[1]) as executor:
            executor.submit(go_on, sys.argv[2])
            threading.Timer(0.1, (Path(sys.argv[2]) / "go").touch).start()
        assert (Path(sys.argv[2]) / "ended").exists()
        """,
        cluster,
        tmp_path,
    )


@needs_cluster
def test_nobody_at_the_address_is_an_error_in_time() -> None:
    """A port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        lines = run(
            """
            import sys
            from examples.futures.beyond_one_machine import open_executor

            try:
                with open_executor(sys.argv[1], timeout_s=0.2):
                    pass
            except OSError as error:
                print("nobody there")
            """,
            f"tcp://127.0.0.1:{taken.getsockname()[1]}",
        )

    assert lines == ["nobody there"]


def test_without_a_scheduler_the_calls_run_in_processes_here() -> None:
    """Other processes, as many as asked for at most."""
    with open_executor(workers=2) as executor:
        assert isinstance(executor, ProcessPoolExecutor)
        found = set(executor.map(divmod, [7, 7], [2, 3]))
    assert found == {(3, 1), (2, 1)}
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without Dask."""
    monkeypatch.setitem(sys.modules, "distributed", None)

    with (
        pytest.raises(ModuleNotFoundError, match="distributed"),
        open_executor("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"timeout_s": 0}, "timeout_s must be above 0, got 0"),
        ({"timeout_s": float("nan")}, "above 0, got nan"),
        ({"workers": 0}, "1 or more.*got 0"),
        ({"scheduler": "tcp://127.0.0.1:1", "workers": 2}, "this machine, got 2"),
    ],
)
def test_what_cannot_be_is_refused_at_the_call(arguments: dict[str, object], named: str) -> None:
    """Before anything is started, with the bound and the value."""
    with pytest.raises(ValueError, match=named):
        open_executor(**arguments)  # type: ignore[arg-type]
