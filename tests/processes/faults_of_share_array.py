"""What can go wrong around SharedArray: each case runs in a process of its own."""

import errno
import gc
import multiprocessing
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import work_on_shared_array as work

from examples.processes import share_array as module
from examples.processes.share_array import SharedArray
from fault_cases import LIMIT_S, METHODS, faces, raises, wait_until


def is_gone(copy: bytes) -> bool:
    """Tell whether the memory of a pickled array was taken back."""
    try:
        with pickle.loads(copy).view():  # noqa: S301 - made here
            return False
    except FileNotFoundError:
        return True


def run(method: str, target: Any, *args: object) -> int | None:  # noqa: ANN401 - a function
    """Run a worker to its end and return its exit code."""
    child: Any = multiprocessing.get_context(method)
    child = child.Process(target=target, args=args)
    child.start()
    child.join(LIMIT_S)
    code: int | None = child.exitcode
    child.close()
    return code


@faces(25, methods=METHODS, posix=True)
def workers_die_while_attached(method: str) -> None:
    """Killed, crashed or gone without cleaning up: the owner has the memory, and takes it back."""
    with SharedArray("b", 3) as array:
        copy = pickle.dumps(array)
        for index, end in enumerate((-signal.SIGKILL, -signal.SIGTERM, 7)):
            assert run(method, work.die_by, array, index, end) == end
        with array.view() as numbers:
            assert numbers.tolist() == [1, 1, 1]
    assert is_gone(copy)


@faces(8, methods=METHODS, posix=True)
def owner_killed(method: str) -> None:
    """A worker still has the memory, and attaches again; at its end it is taken back, in words."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        code = f"from work_on_shared_array import own_until_killed as own; own{method, name}"
        with (
            (place / "errors").open("w", encoding="utf-8") as errors,
            subprocess.Popen(
                [sys.executable, "-X", "dev", "-c", code], stderr=errors, start_new_session=True
            ) as owner,
        ):
            wait_until((place / "array").exists)
            copy = (place / "array").read_bytes()
            owner.kill()
        wait_until((place / "owner is dead").exists)
        with pickle.loads(copy).view() as numbers:  # noqa: S301 - made here
            assert numbers[0] == 2
        (place / "end").touch()
        wait_until(lambda: is_gone(copy))
        wait_until(lambda: "1 leaked shared_memory object" in (place / "errors").read_text("utf-8"))
        assert "Traceback" not in (place / "errors").read_text("utf-8")


@faces(25, methods=METHODS)
def only_the_owner_unlinks(method: str) -> None:
    """A worker uses it as the owner does, also a forked one, which has a copy of all there is."""
    with SharedArray("q", 1) as array:
        for expected in (1, 2):
            assert run(method, work.use_as_owner, array) == 0
            with array.view() as numbers:
                assert numbers[0] == expected


@faces(25, methods=METHODS, posix=True)
def attaching_fails(method: str) -> None:
    """A worker that may not have so much memory has an error, and takes nothing along."""
    if not module.PLACE.is_dir():
        return  # only on Linux is a limit to memory kept
    with SharedArray("B", 64_000_000) as array:
        assert run(method, work.attach_without_memory, array) == 0
        with array.view() as numbers:
            assert numbers[0] == 1


@faces(25)
def body_fails() -> None:
    """Between create and unlink: in the `with` block, before it, and in the making."""
    copies = []

    def fail_within() -> None:
        with SharedArray("d", 1) as array:
            copies.append(pickle.dumps(array))
            raise LookupError

    def fail_before() -> None:
        array = SharedArray("d", 1)
        copies.append(pickle.dumps(array))
        raise LookupError

    for fail in (fail_within, fail_before):
        raises(LookupError, fail)
    gc.collect()
    assert list(map(is_gone, copies)) == [True, True]
    with patch.object(module, "_reserve", side_effect=KeyboardInterrupt) as reserve:
        raises(KeyboardInterrupt, lambda: SharedArray("d", 1))
        assert not reserve.call_args.args[0].exists()


@faces(25, methods=METHODS)
def two_runs_at_once(method: str) -> None:
    """Each owns an array, while the other does: they have different names and numbers."""
    context: Any = multiprocessing.get_context(method)
    barrier, names = context.Barrier(2), context.SimpleQueue()
    owners = [
        context.Process(target=work.own_and_meet, args=(number, barrier, names))
        for number in range(2)
    ]
    for owner in owners:
        owner.start()
    assert names.get() != names.get()
    for owner in owners:
        owner.join(LIMIT_S)
        assert owner.exitcode == 0
        owner.close()
    names.close()


@faces(25, methods=METHODS)
def nested_use(method: str) -> None:
    """A view in a view, an array in an array, and a worker that hands it on to its own."""
    with SharedArray("q", 1) as outer, SharedArray("q", 1) as inner:
        copy = pickle.dumps(inner)
        with outer.view() as numbers, outer.view() as again, inner.view() as others:
            numbers[0], others[0] = 1, 2
            assert again[0] == 1
        assert run(method, work.hand_on, method, outer, inner) == 0
        inner.__exit__()
        assert is_gone(copy)
        with outer.view() as numbers:
            assert numbers[0] == 3


@faces(25, posix=True)
def no_room() -> None:
    """Others take the room between the look and the making: an error, and no block is left."""
    if not module.PLACE.is_dir():
        return  # only Linux gives more than there is
    room = shutil.disk_usage(module.PLACE)
    roomy = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=2 * room.total))
    with patch.object(module, "shutil", roomy):
        error = raises(OSError, lambda: SharedArray("B", room.total + 4096))
    assert error.errno == errno.ENOSPC
