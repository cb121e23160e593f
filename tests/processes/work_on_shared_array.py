"""Work for child processes on a shared array."""

import errno
import os
import pickle
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from examples.processes.share_array import SharedArray
from fault_cases import wait_until


def double(array: SharedArray, index: int) -> None:
    """Double one number in place."""
    with array.view() as numbers:
        numbers[index] *= 2


def fail(array: SharedArray) -> None:
    """Fail with the view open."""
    with array.view() as numbers:
        raise LookupError(len(numbers))


def meet_inside(array: SharedArray, index: int, everyone: Barrier) -> None:
    """Write a number, wait until all have written theirs, and check them all."""
    with array.view() as numbers:
        numbers[index] = index + 1
        everyone.wait(30)
        assert numbers.tolist() == [1, 2, 3]
        everyone.wait(30)


def die(array: SharedArray) -> None:
    """Die with the view open."""
    with array.view() as numbers:
        numbers[0] = 7
        os._exit(3)


def die_by(array: SharedArray, index: int, end: int) -> None:
    """Write, and end with the view open, by a signal or an exit code."""
    with array.view() as numbers:
        numbers[index] = 1
        if end < 0:
            os.kill(os.getpid(), -end)
        os._exit(end)


def use_as_owner(array: SharedArray) -> None:
    """Add 1 in a `with` block of the array, as only its owner should have."""
    with array, array.view() as numbers:
        numbers[0] += 1


def attach_without_memory(array: SharedArray) -> None:
    """Be allowed less memory than it has, and then enough."""
    import resource  # noqa: PLC0415 - absent on Windows

    _, most = limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    used = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + array.length // 2, most))
    refused = 0
    try:
        with array.view():
            pass
    except OSError as error:
        refused = error.errno
    assert refused == errno.ENOMEM
    resource.setrlimit(resource.RLIMIT_AS, limits)
    with array.view() as numbers:
        numbers[0] = 1


def own_and_meet(number: int, barrier: Any, names: Any) -> None:  # noqa: ANN401 - a barrier, a queue
    """Own an array at the same time as another process does."""
    with SharedArray("q", 1) as array:
        with array.view() as numbers:
            numbers[0] = number
        barrier.wait(30)
        names.put(array.name)
        with array.view() as numbers:
            assert numbers[0] == number
        barrier.wait(30)


def hand_on(method: str, target: SharedArray, source: SharedArray) -> None:
    """Have a process of its own add one number to another."""
    child: Any = get_context(method)
    child = child.Process(target=add, args=(target, source))
    child.start()
    child.join(30)
    assert child.exitcode == 0


def add(target: SharedArray, source: SharedArray) -> None:
    """Add the first number of an array to that of another."""
    with target.view() as numbers, source.view() as others:
        numbers[0] += others[0]


def own_until_killed(method: str, place: str) -> None:
    """Own an array while a worker uses it, which does not end first."""
    with SharedArray("q", 1) as array:
        worker: Any = get_context(method)
        worker = worker.Process(target=outlive_owner, args=(array, Path(place)))
        worker.start()
        worker.join()


def outlive_owner(array: SharedArray, place: Path) -> None:
    """Hold a view until the owner is dead, use the array anew, and end when told."""
    owner = parent_process()
    assert owner is not None
    with array.view() as numbers:
        numbers[0] = 1
        (place / "new").write_bytes(pickle.dumps(array))
        (place / "new").rename(place / "array")
        owner.join()
    with array.view() as numbers:
        numbers[0] += 1
    (place / "owner is dead").touch()
    wait_until((place / "end").exists)
