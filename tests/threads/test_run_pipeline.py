"""run_pipeline: order, overlap, back-pressure, errors, early ends, and nobody left."""

import contextlib
import gc
import itertools
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads.run_pipeline import run_pipeline


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Every test ends with the threads that it began with."""
    before = set(threading.enumerate())
    yield
    gc.collect()  # iterators that an exception's traceback kept alive
    assert set(threading.enumerate()) == before


def double(number: int) -> int:
    """Stand for a first stage."""
    return 2 * number


def test_results_keep_the_order_of_the_items() -> None:
    """The first item is ready last, and still comes first."""
    third_done = threading.Event()

    def call(number: int) -> int:
        if number == 0:
            assert third_done.wait(10)
        elif number == 2:
            third_done.set()
        return number

    assert list(run_pipeline(range(3), [call], workers=2)) == [0, 1, 2]


def test_stages_work_at_the_same_time() -> None:
    """Each stage waits for the other two, at work on other items: only overlap lets them pass."""
    all_at_work = threading.Barrier(3)

    def stage(position: int) -> Callable[[int], int]:
        def call(number: int) -> int:
            if number == 2 - position:  # items 2, 1, 0 in stages 0, 1, 2
                all_at_work.wait(10)
            return number

        return call

    assert list(run_pipeline(range(3), [stage(0), stage(1), stage(2)])) == [0, 1, 2]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stage_has_the_workers_that_it_was_given(workers: int) -> None:
    """The peak inside the first stage is counted; a barrier fills it. The other stage has one."""
    everyone = threading.Barrier(workers)
    running, peaks = [0, 0], [0, 0]
    lock = threading.Lock()

    def stage(position: int, number: int) -> int:
        with lock:
            running[position] += 1
            peaks[position] = max(peaks[position], running[position])
        if position == 0:
            everyone.wait(10)
        with lock:
            running[position] -= 1
        return number

    stages = [lambda number: stage(0, number), lambda number: stage(1, number)]
    assert list(run_pipeline(range(6), stages, workers=[workers, 1])) == list(range(6))
    assert peaks == [workers, 1]


@pytest.mark.parametrize("max_in_flight", [1, 3, 8])
def test_reads_no_further_than_it_may(max_in_flight: int) -> None:
    """The input counts how far it was read whenever a result is taken; it is infinite."""
    read = 0

    def numbers() -> Iterator[int]:
        nonlocal read
        for number in itertools.count():
            read += 1
            yield number

    with contextlib.closing(
        run_pipeline(numbers(), [double, double], workers=2, max_in_flight=max_in_flight)
    ) as results:
        for taken in range(1, 30):
            assert next(results) == 4 * (taken - 1)
            assert read <= taken + max_in_flight


def test_fills_its_places_and_then_waits() -> None:
    """With no result taken, exactly `max_in_flight` items are read: the last stage stands still."""
    read = threading.Semaphore(0)
    go_on = threading.Event()
    seen = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            seen.append(number)
            read.release()
            yield number

    def stand_still(number: int) -> int:
        assert go_on.wait(10)
        return number

    results = run_pipeline(numbers(), [double, stand_still], max_in_flight=5)
    first = threading.Thread(target=next, args=(results,))
    first.start()
    for _ in range(5):
        assert read.acquire(timeout=10)
    assert len(seen) == 5
    go_on.set()
    first.join(10)
    results.close()


@given(
    numbers=st.lists(st.integers(), max_size=20),
    workers=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    max_in_flight=st.integers(1, 6),
    fails_at=st.integers(0, 25),
    failing_stage=st.integers(0, 2),
    taken=st.integers(0, 25),
)
def test_is_map_whatever_the_sizes_the_failure_and_the_end(  # noqa: PLR0913 - what is drawn
    *,
    numbers: list[int],
    workers: tuple[int, int],
    max_in_flight: int,
    fails_at: int,
    failing_stage: int,
    taken: int,
) -> None:
    """The results up to the failure or to the break are those of map; then comes the error."""

    def read() -> Iterator[tuple[int, int]]:
        for position, number in enumerate(numbers):
            if (position, failing_stage) == (fails_at, 2):
                raise LookupError(position)
            yield position, number

    def stage(own: int, change: Callable[[int], int]) -> Callable[..., tuple[int, int]]:
        def call(entry: tuple[int, int]) -> tuple[int, int]:
            position, number = entry
            if (position, failing_stage) == (fails_at, own):
                raise LookupError(position)
            return position, change(number)

        return call

    stages = [stage(0, lambda number: number + 1), stage(1, lambda number: number * 3)]
    expected = [3 * (number + 1) for number in numbers]
    got = []
    with contextlib.closing(
        run_pipeline(read(), stages, workers=workers, max_in_flight=max_in_flight)
    ) as results:
        if fails_at < min(len(numbers), taken):
            expected = expected[:fails_at]
            with pytest.raises(LookupError) as caught:
                got.extend(number for _, number in results)
            assert caught.value.args == (fails_at,)
        else:
            expected = expected[:taken]
            got.extend(number for _, number in itertools.islice(results, taken))
    assert got == expected


def test_of_two_errors_the_earlier_item_wins() -> None:
    """Item 1 fails before item 0 does; the caller sees the error of item 0."""
    later_failed = threading.Event()

    def call(number: int) -> int:
        if number == 1:
            later_failed.set()
        else:
            assert later_failed.wait(10)
        raise ValueError(f"item {number}")

    with pytest.raises(ValueError, match="item 0"):
        list(run_pipeline(range(2), [call], workers=2))


def test_after_an_error_nothing_more_is_read() -> None:
    """While item 0 still holds the second stage, the thread that reads has ended."""
    reading: list[threading.Thread] = []
    failed = threading.Event()

    def numbers() -> Iterator[int]:
        reading.append(threading.current_thread())
        yield from range(2)
        assert failed.wait(10)
        yield from itertools.count(2)

    def first(number: int) -> int:
        if number == 1:
            failed.set()
            raise ValueError("item 1")
        return number

    def second(number: int) -> int:
        reading[0].join(10)
        assert not reading[0].is_alive()
        return number

    results = run_pipeline(numbers(), [first, second], max_in_flight=10**6)
    assert next(results) == 0
    with pytest.raises(ValueError, match="item 1"):
        next(results)


def test_an_error_of_the_consumer_ends_it() -> None:
    """The body of the loop raises."""
    results = run_pipeline(itertools.count(), [double], workers=2)

    def consume() -> None:
        with contextlib.closing(results):
            for number in results:
                if number > 10:
                    raise KeyError(number)

    with pytest.raises(KeyError):
        consume()


def test_a_closed_pipeline_waits_for_calls_in_flight() -> None:
    """What was begun has ended when close returns."""
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def call(number: int) -> int:
        if number == 1:
            begun.set()
            assert may_end.wait(10)
            ended.append(number)
        return number

    results = run_pipeline(itertools.count(), [call])
    next(results)
    assert begun.wait(10)
    threading.Timer(0.01, may_end.set).start()
    results.close()

    assert ended == [1]
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(10)


def test_nothing_starts_before_the_first_result_is_asked_for() -> None:
    """No thread, and no item read."""
    before = threading.active_count()
    items = iter([1, 2])
    results = run_pipeline(items, [double])

    assert threading.active_count() == before
    assert next(items) == 1
    assert list(results) == [4]


def test_a_thread_that_cannot_start_is_an_error_and_leaves_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second of three threads is refused by the system."""
    start, started = threading.Thread.start, []

    def start_one(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_one)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            list(run_pipeline(range(3), [double, double]))


def test_an_interpreter_can_exit_while_a_pipeline_is_unfinished() -> None:
    """A global iterator is still there at exit; its threads do not hold up the interpreter."""
    program = (
        "import itertools; from examples.threads.run_pipeline import run_pipeline;"
        "results = run_pipeline(itertools.count(), [str], max_in_flight=2); print(next(results))"
    )
    child = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert (child.returncode, child.stdout, child.stderr) == (0, "0\n", "")


def test_no_item_no_result() -> None:
    """Empty in, empty out."""
    assert list(run_pipeline([], [double])) == []


@pytest.mark.parametrize(
    ("stages", "tuning", "match"),
    [
        ([], {}, "stages must hold 1 function or more, got 0"),
        ([str], {"workers": 0}, "workers must be 1 or more for each of 1, got 0"),
        ([str, str], {"workers": [1, 0]}, r"got \[1, 0\]"),
        ([str, str], {"workers": [1]}, r"for each of 2, got \[1\]"),
        ([str], {"max_in_flight": 0}, "max_in_flight must be 1 or more, got 0"),
        ([str], {"max_in_flight": -1}, "got -1"),
    ],
)
def test_refuses_bad_arguments_at_the_call(
    stages: list[type], tuning: dict[str, int], match: str
) -> None:
    """Before any result is asked for, naming the value."""
    with pytest.raises(ValueError, match=match):
        run_pipeline([1], stages, **tuning)


@pytest.mark.parametrize(
    "tuning", [{"workers": 2.5}, {"workers": "x"}, {"max_in_flight": 2.5}, {"max_in_flight": "x"}]
)
def test_refuses_what_is_no_number_of_threads(tuning: dict[str, int]) -> None:
    """Refused at the call, as is an input that cannot be read."""
    with pytest.raises(TypeError):
        run_pipeline([1], [str], **tuning)
    with pytest.raises(TypeError):
        run_pipeline(5, [str])


def test_broken_blocks_the_producer_for_ever() -> None:
    """The consumer is dead, the queue full: the child ends in put, by its watchdog."""
    child = subprocess.run(
        [sys.executable, "-m", "examples.threads.run_pipeline_broken"],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert child.returncode == 1
    assert "consumer died: ZeroDivisionError" in child.stdout
    assert "never printed" not in child.stdout
    assert " in put\n" in child.stderr


@pytest.mark.skipif(not hasattr(queue.Queue, "shutdown"), reason="Queue.shutdown came with 3.13")
def test_a_queue_that_is_shut_down_wakes_who_is_blocked_in_put() -> None:
    """What 3.13 brought: the producer of the broken variant could be told."""
    full: queue.Queue[int] = queue.Queue(1)
    full.put(0)
    outcomes: list[type[BaseException] | None] = []
    about_to_put = threading.Event()

    def produce() -> None:
        about_to_put.set()
        try:
            full.put(1, timeout=30)
        except BaseException as error:  # noqa: BLE001 - whichever
            outcomes.append(type(error))

    thread = threading.Thread(target=produce)
    thread.start()
    assert about_to_put.wait(10)
    full.shutdown(immediate=True)
    thread.join(60)

    assert outcomes == [queue.ShutDown]
