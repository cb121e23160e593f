"""SharedArray: one memory in many processes, one owner, nothing left behind."""

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import pytest
import work_on_shared_array as work
from hypothesis import given
from hypothesis import strategies as st

from examples.processes import share_array as module
from examples.processes.share_array import SharedArray

pytestmark = pytest.mark.usefixtures("nothing_left", "no_block_left")
BLOCKS = Path("/dev/shm")  # noqa: S108 - where Linux keeps them


@pytest.fixture
def no_block_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write down every block that is made, and look for it when the test is over."""
    made: list[str] = []

    class Noted(SharedMemory):
        def __init__(self, name: str | None = None, **options: Any) -> None:  # noqa: ANN401 - as the class has it
            super().__init__(name, **options)
            made.append(self.name)

    monkeypatch.setattr(module, "SharedMemory", Noted)
    yield
    for name in made:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


def run_script(script: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script that children can import, from a file of its own."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    return subprocess.run(
        [sys.executable, *options, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_a_child_changes_what_the_owner_sees(start_method: str) -> None:
    """The child doubles a number; nothing came back through a pipe."""
    context = multiprocessing.get_context(start_method)
    with SharedArray("q", 3) as array:
        with array.view() as numbers:
            numbers[1] = 21
        child = context.Process(target=work.double, args=(array, 1))
        child.start()
        child.join(30)
        assert child.exitcode == 0
        with array.view() as numbers:
            assert numbers.tolist() == [0, 42, 0]


def test_processes_use_it_at_the_same_time(start_method: str) -> None:
    """Each passes the barrier only while all have their view, and sees what the others wrote."""
    context = multiprocessing.get_context(start_method)
    with SharedArray("i", 3) as array:
        everyone = context.Barrier(3)
        children = [
            context.Process(target=work.meet_inside, args=(array, index, everyone))
            for index in range(3)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0, 0, 0]


def test_an_error_in_a_worker_reaches_the_caller(start_method: str) -> None:
    """The worker's error, not one of the memory; the array is as usable as before."""
    with SharedArray("d", 5) as array, multiprocessing.get_context(start_method).Pool(1) as pool:
        with pytest.raises(LookupError, match="5"):
            pool.apply(work.fail, (array,))
        pool.apply(work.double, (array, 4))
        pool.close()
        pool.join()


def test_a_worker_that_dies_takes_nothing_along(start_method: str) -> None:
    """What it wrote is there, and the owner still takes the memory back."""
    context = multiprocessing.get_context(start_method)
    with SharedArray("b", 1) as array:
        child = context.Process(target=work.die, args=(array,))
        child.start()
        child.join(30)
        assert child.exitcode == 3
        with array.view() as numbers:
            assert numbers[0] == 7


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=50))
def test_keeps_what_is_written(values: list[float]) -> None:
    """Whatever the numbers, another view gives them back; there are no more than asked for."""
    with SharedArray("d", len(values)) as array:
        with array.view() as numbers:
            assert numbers.tolist() == [0.0] * len(values)
            for index, value in enumerate(values):
                numbers[index] = value
        with pickle.loads(pickle.dumps(array)).view() as numbers:  # noqa: S301 - made here
            assert numbers.tolist() == values


def test_threads_have_views_of_their_own() -> None:
    """Many views are opened and closed at once, and none closes another's."""
    with SharedArray("q", 8) as array:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda index: [work.double(array, index) for _ in range(20)], range(8)))
        with array.view() as numbers:
            assert numbers.tolist() == [0] * 8


def test_the_memory_is_taken_back_after_an_error() -> None:
    """The block is gone, and a view of it is refused."""
    array = SharedArray("d", 1)
    with pytest.raises(ZeroDivisionError), array:
        raise ZeroDivisionError
    with pytest.raises(FileNotFoundError), array.view():
        pass


def test_leaving_twice_does_no_harm() -> None:
    """An owner within an owner: the inner one takes the memory back."""
    with SharedArray("d", 1) as array, array:
        pass


@pytest.mark.skipif(not BLOCKS.is_dir(), reason="only Linux shows the blocks as files")
def test_a_block_that_somebody_removed_hides_no_error(tmp_path: Path) -> None:
    """As logind does at a logout: the body's error goes out, the views hold, all is closed."""
    script = """
from pathlib import Path
from examples.processes.share_array import SharedArray
try:
    with SharedArray("d", 4) as array, array.view() as numbers:
        Path("/dev/shm", array.name).unlink()
        numbers[0] = 1
        raise LookupError
except LookupError:
    mapped = Path("/proc/self/maps").read_text()
    print("closed", array.name not in mapped)
"""
    done = run_script(script, tmp_path)
    assert (done.stdout, done.returncode) == ("closed True\n", 0)


def test_a_copy_never_takes_the_memory_back() -> None:
    """Only the owner does."""
    with SharedArray("d", 1) as array:
        with pickle.loads(pickle.dumps(array)):  # noqa: S301 - made here
            pass
        with array.view() as numbers:
            assert numbers[0] == 0


def test_a_view_that_outlives_its_block_is_reported(tmp_path: Path) -> None:
    """What was made from the view is still in use when the body ends."""
    script = """
from examples.processes.share_array import SharedArray
with SharedArray("d", 4) as array:
    try:
        with array.view() as numbers:
            part = memoryview(numbers)[1:]
            part_of_part = numbers[2:]
    except BufferError as error:
        print("refused:", error)
"""
    done = run_script(script, tmp_path)
    assert done.stdout.startswith("refused: ")


def test_its_owner_leaves_no_warning(tmp_path: Path) -> None:
    """A script that shares with children of the usual kind ends without a word."""
    script = """
import multiprocessing
from examples.processes.share_array import SharedArray

def fill(array, value):
    with array.view() as numbers:
        numbers[:] = memoryview(bytes([value]) * len(numbers))

if __name__ == "__main__":
    with SharedArray("B", 100_000) as array:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.starmap(fill, [(array, 1), (array, 1)])
            pool.close()
            pool.join()
        with array.view() as numbers:
            print(sum(numbers))
"""
    done = run_script(script, tmp_path, "-W", "error")
    assert (done.stdout, done.stderr) == ("100000\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only a fork leaves the tracker behind")
def test_a_worker_older_than_the_tracker_takes_nothing_along(tmp_path: Path) -> None:
    """Forked before the first array; it, and a tracker that it may have started, have ended."""
    script = """
import multiprocessing, os
from examples.processes.share_array import SharedArray

def double(arrays, alive):
    os.dup2(alive.fileno(), 0)  # a tracker would have it too
    with arrays.recv().view() as numbers:
        numbers[0] *= 2

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    arrays, to_worker = context.Pipe(duplex=False)
    ended, alive = context.Pipe(duplex=False)
    worker = context.Process(target=double, args=(arrays, alive))
    worker.start()
    alive.close()
    with SharedArray("q", 1) as array:
        with array.view() as numbers:
            numbers[0] = 21
        to_worker.send(array)
        worker.join(30)
        assert ended.poll(30)  # nobody has the other end
        with array.view() as numbers:
            print(worker.exitcode, numbers[0])
"""
    done = run_script(script, tmp_path)
    assert (done.stdout, done.stderr) == ("0 42\n", "")


def test_another_program_takes_nothing_along(tmp_path: Path) -> None:
    """No child of multiprocessing; it, and a tracker that it may have started, have ended."""
    with SharedArray("q", 1) as array:
        script = f"""
import pickle
with pickle.loads({pickle.dumps(array)!r}).view() as numbers:
    numbers[0] = 42
"""
        done = run_script(script, tmp_path)  # returns when nobody has its output open
        assert (done.stdout, done.stderr) == ("", "")
        with array.view() as numbers:
            assert numbers[0] == 42


@pytest.mark.parametrize("typecode", ["", "dd", "x", "u", "P"])
def test_refuses_a_type_that_is_no_number(typecode: str) -> None:
    """Refused at the call, naming what there is."""
    with pytest.raises(ValueError, match="must be one of bBhHiIlLqQfd, got"):
        SharedArray(typecode, 1)


@pytest.mark.parametrize("length", [0, -1])
def test_refuses_a_length_below_one(length: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {length}"):
        SharedArray("d", length)


def test_refuses_a_length_that_is_no_whole_number() -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        SharedArray("d", 2.5)  # type: ignore[arg-type]


@pytest.mark.skipif(not BLOCKS.is_dir(), reason="only Linux shows how much room there is")
def test_refuses_more_than_there_is_room_for() -> None:
    """An error at the call, instead of a death at the first use."""
    with pytest.raises(OSError, match="bytes wanted"):
        SharedArray("d", shutil.disk_usage(BLOCKS).total)


def run_in_little_room(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a place of its own, with one megabyte of shared memory."""
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = ['mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"', "sh"]
    return subprocess.run(
        [*within, *mount, sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def _little_room() -> None:
    if shutil.which("unshare") is None or run_in_little_room("").returncode != 0:
        pytest.skip("this system lets no user mount a place of its own")


@pytest.mark.usefixtures("_little_room")
@pytest.mark.parametrize(
    "look", ["", "m.shutil = Namespace(disk_usage=lambda _: Namespace(free=9**9))"]
)
def test_a_place_that_is_full_is_an_error_at_the_call(look: str) -> None:
    """Not a death at the first write; the array before it is whole, and no block is left."""
    script = f"""
from pathlib import Path
from types import SimpleNamespace as Namespace
from examples.processes import share_array as m
with m.SharedArray("B", 600_000) as array:
    {look}  # others take room meanwhile
    try:
        m.SharedArray("B", 600_000)
    except OSError as error:
        print(error.errno == 28, len(list(Path("/dev/shm").iterdir())))
    with array.view() as numbers:
        numbers[:] = memoryview(b"1" * 600_000)
print(len(list(Path("/dev/shm").iterdir())))
"""
    done = run_in_little_room(script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True 1\n0\n", "")


@pytest.mark.usefixtures("_little_room")
def test_without_that_it_is_a_death_at_the_first_write() -> None:
    """By SIGBUS, which no `except` sees."""
    script = """
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=2_000_000)
memory.buf[:] = bytes(2_000_000)
"""
    assert run_in_little_room(script).returncode == -signal.SIGBUS


def test_broken_one_leaves_the_block_and_closes_under_a_view(tmp_path: Path) -> None:
    """The block outlives its maker, and reading it fails."""
    script = """
from examples.processes.share_array_broken import first_numbers, share_array
name = share_array([1.0, 2.0])
print(name)
try:
    first_numbers(name, 1)
except BufferError as error:
    print(error)
"""
    done = run_script(script, tmp_path)
    assert "exported pointers exist" in done.stdout
    if os.name == "posix":
        assert "leaked shared_memory" in done.stderr
    with pytest.raises(FileNotFoundError):
        SharedMemory(done.stdout.split()[0])  # the tracker cleaned up after the process
