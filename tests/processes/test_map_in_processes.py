"""map_in_processes: order, who did what, failure, refusal; a wrong prime, and a map without end."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from math import isqrt
from pickle import PicklingError

import psutil
import pytest
import work_in_children as work

from examples.processes import map_in_processes as module
from examples.processes.map_in_processes import map_in_processes
from examples.processes.map_in_processes_broken import is_prime, is_prime_with_pid, map_in_pool

pytestmark = pytest.mark.usefixtures("nothing_left")


def results_of(done: list[tuple[int, int]]) -> list[int]:
    """Leave out who did it."""
    return [result for result, _ in done]


@pytest.mark.parametrize("chunk_items", [1, 7, 100])
def test_results_keep_the_order_of_the_items(start_method: str, chunk_items: int) -> None:
    """The same as one after another, whatever travels together."""
    done = map_in_processes(
        isqrt, iter(range(30)), workers=2, chunk_items=chunk_items, start_method=start_method
    )

    assert results_of(done) == [isqrt(number) for number in range(30)]


def test_says_in_which_process_each_call_ran(start_method: str) -> None:
    """The process itself agrees; there are no more of them than asked for, and none is this one."""
    done = map_in_processes(work.pid_of, range(20), workers=2, start_method=start_method)

    assert all(said == seen for said, seen in done)
    assert len(set(done)) <= 2
    assert os.getpid() not in results_of(done)


def test_calls_run_at_the_same_time(start_method: str) -> None:
    """Each call waits for the other: only two processes at once let them pass."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        barrier = manager.Barrier(2)
        done = map_in_processes(work.wait_for, [barrier] * 2, workers=2, start_method=start_method)

    assert sorted(results_of(done)) == [0, 1]
    assert len({pid for _, pid in done}) == 2


def test_an_idle_worker_takes_what_is_left() -> None:
    """One is held up by the first item until the last is done: the other does all the rest."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        event = manager.Event()
        orders = [("hold", event), *[("", None)] * 8, ("release", event)]
        done = map_in_processes(work.hold_or_release, orders, workers=2)

    (_, held_up), *rest = done
    assert len({pid for _, pid in rest}) == 1
    assert held_up not in {pid for _, pid in rest}


def test_a_chunk_is_done_by_one_process() -> None:
    """Three items at a time travel and run together."""
    pids = [pid for pid, _ in map_in_processes(work.pid_of, range(9), workers=3, chunk_items=3)]

    assert all(len(set(pids[at : at + 3])) == 1 for at in (0, 3, 6))


def test_an_error_reaches_the_caller(start_method: str) -> None:
    """A negative number has no square root; no child is left."""
    with pytest.raises(ValueError, match="nonnegative"):
        map_in_processes(isqrt, [4, -1, 9], workers=2, start_method=start_method)


@pytest.mark.parametrize("exit_code", [0, 7])
def test_a_process_that_dies_is_an_error(exit_code: int, start_method: str) -> None:
    """It does not hang, and exit code 0 is a death too."""
    with pytest.raises(BrokenProcessPool):
        map_in_processes(os._exit, [exit_code], workers=2, start_method=start_method)


@pytest.mark.parametrize("unsendable", [lambda item: item, abs], ids=["function", "item"])
def test_what_cannot_be_sent_starts_no_process(
    unsendable: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused at the call."""
    monkeypatch.setattr(module, "ProcessPoolExecutor", pytest.fail)
    items = [(number for number in range(3))] if unsendable is abs else [1]

    with pytest.raises((PicklingError, AttributeError, TypeError), match="pickle"):
        map_in_processes(unsendable, items)  # type: ignore[arg-type]


def test_items_that_fail_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second item cannot be had."""
    monkeypatch.setattr(module, "ProcessPoolExecutor", pytest.fail)

    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        map_in_processes(isqrt, items())


def test_nothing_to_do_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list, and no process for it."""
    monkeypatch.setattr(module, "ProcessPoolExecutor", pytest.fail)

    assert map_in_processes(isqrt, []) == []


@pytest.mark.parametrize("name", ["workers", "chunk_items"])
@pytest.mark.parametrize("value", [0, -1])
def test_refuses_numbers_below_one(name: str, value: int) -> None:
    """Refused at the call, naming the bound and the value."""
    with pytest.raises(ValueError, match=f"{name} must be 1 or more, got {value}"):
        map_in_processes(isqrt, [], **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["workers", "chunk_items"])
@pytest.mark.parametrize("value", [2.5, "3"])
def test_refuses_what_is_no_whole_number(name: str, value: object) -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        map_in_processes(isqrt, [], **{name: value})  # type: ignore[arg-type]


def test_refuses_a_start_method_that_is_none() -> None:
    """Refused at the call, naming it."""
    with pytest.raises(ValueError, match="teleport"):
        map_in_processes(isqrt, [], start_method="teleport")


def test_as_many_workers_as_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as this process is bound to, not as many as the machine has."""
    monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
    assert module._usable_cores() == 3

    monkeypatch.delattr(os, "process_cpu_count")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert module._usable_cores() == 2

    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert module._usable_cores() == 1


def test_broken_calls_products_prime() -> None:
    """Whatever only 2 divides is taken for a prime, in any process."""
    assert [number for number in range(11) if is_prime(number)] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert [told[:2] for told in map_in_pool(is_prime_with_pid, [9, 10])] == [
        (9, False),
        (10, True),
    ]


def test_broken_waits_for_ever_for_a_worker_that_died() -> None:
    """The worker speaks once and dies; nobody does its work again, and the map does not end."""
    script = (
        "from examples.processes.map_in_processes_broken import map_in_pool\n"
        "if __name__ == '__main__':\n"
        '    map_in_pool(eval, [\'print("died", flush=True) or __import__("os")._exit(7)\'])\n'
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline().strip() == b"died"
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(2)
        finally:
            pool = psutil.Process(child.pid)
            pool.suspend()  # or it would replace the workers that are ended here
            for process in [*pool.children(recursive=True), pool]:
                process.kill()
        assert child.stdout.read() == b""
