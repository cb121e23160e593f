"""drain_and_join: all that was put arrives, all are joined, deaths are told; and the hang."""

import gc
import multiprocessing
import os
import signal
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import work_that_puts as work
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.processes.drain_and_join import drain_and_join
from examples.processes.drain_and_join_broken import join_and_drain

HERE = Path(__file__).resolve()
pytestmark = pytest.mark.usefixtures("nothing_left")
only_posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


class Producers:
    """Start processes that share a queue, and kill what is left of them."""

    def __init__(self, method: str, maxsize: int = 0) -> None:
        """Make the queue."""
        self.context: Any = multiprocessing.get_context(method)
        self.queue = self.context.Queue(maxsize)
        self.processes: list[Any] = []

    def start(self, target: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 - of any kind
        """Start one more, named by its number."""
        name = f"producer {len(self.processes)}"
        process = self.context.Process(target=target, args=(self.queue, *args), name=name)
        process.start()
        self.processes.append(process)

    def drain(self, **limits: float) -> Iterator[Any]:
        """Drain and join them."""
        return drain_and_join(self.processes, self.queue, **limits)

    def codes(self) -> list[int | None]:
        """Tell the exit codes; `None` would mean that one was not joined."""
        return [process._popen.returncode for process in self.processes]


@pytest.fixture
def producers(start_method: str) -> Iterator[Producers]:
    """Give producers of each start method, and kill what a failing test leaves."""
    made = Producers(start_method)
    yield made
    for process in made.processes:
        process.kill()
        process.join()


@pytest.mark.parametrize("size", [0, work.LARGE], ids=["small", "large"])
def test_all_arrives_in_the_order_of_each_process(producers: Producers, size: int) -> None:
    """However large the messages are, and all are joined."""
    producers.start(work.put_numbers, "a", 5, size)
    producers.start(work.put_numbers, "b", 3, size)

    messages = list(producers.drain())

    assert [number for name, number, _ in messages if name == "a"] == list(range(5))
    assert [number for name, number, _ in messages if name == "b"] == list(range(3))
    assert {len(content) for *_, content in messages} == {size}
    assert producers.codes() == [0, 0]
    assert threading.active_count() == 1 or not [
        thread for thread in threading.enumerate() if thread.name == "drain_and_join"
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starting a process for each is slow")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 10, 100_000])), max_size=4),
    st.integers(0, 3),
    st.integers(1, 3) | st.none(),
)
def test_nothing_is_lost_and_nobody_left(
    sources: list[tuple[int, int]], maxsize: int, taken: int | None
) -> None:
    """Whatever they put, however small the queue, wherever the reader stops."""
    producers = Producers("fork", maxsize)
    for name, (count, size) in enumerate(sources):
        producers.start(work.put_numbers, str(name), count, size)
    messages = producers.drain()

    expected = Counter(
        (str(name), number, size)
        for name, (count, size) in enumerate(sources)
        for number in range(count)
    )
    if taken is None:
        got = Counter((name, number, len(content)) for name, number, content in messages)
        assert got == expected
        assert producers.codes() == [0] * len(sources)
    else:
        got = Counter(
            (name, number, len(content))
            for _, (name, number, content) in zip(range(taken), messages, strict=False)
        )
        messages.close()  # type: ignore[attr-defined]
        assert got <= expected
    assert [process.is_alive() for process in producers.processes] == [False] * len(sources)


def test_processes_run_at_the_same_time(producers: Producers) -> None:
    """Each waits for the other, before and after a message that no pipe holds."""
    barrier = producers.context.Barrier(2)
    for _ in range(2):
        producers.start(work.meet_and_put, barrier)

    assert [len(message) for message in producers.drain()] == [work.LARGE] * 2


def test_those_that_have_ended_before_are_drained_too(producers: Producers) -> None:
    """What they put fits into the pipe, and lies there."""
    producers.start(work.put_numbers, "a", 3)
    producers.processes[0].join()

    assert [number for _, number, _ in producers.drain()] == [0, 1, 2]


def test_nothing_happens_before_the_first_message_is_asked_for(producers: Producers) -> None:
    """A process goes on; closing what never began leaves it alone."""
    event = producers.context.Event()
    producers.start(work.put_and, "end", event)
    before = threading.active_count()
    messages = producers.drain()

    messages.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert producers.processes[0].is_alive()

    event.set()
    assert list(producers.drain()) == ["put"]


def test_a_bounded_queue_lets_its_producers_go_on(start_method: str) -> None:
    """Room for one, and ten to put: each message taken makes room."""
    producers = Producers(start_method, maxsize=1)
    producers.start(work.put_numbers, "a", 10)

    assert [number for _, number, _ in producers.drain()] == list(range(10))


def test_a_joinable_queue(start_method: str) -> None:
    """The process ends when all is said to be done, which is for the reader to say."""
    producers = Producers(start_method)
    producers.queue = producers.context.JoinableQueue()
    producers.start(work.put_and_wait_for_it, 3)

    taken = []
    for message in producers.drain():
        taken.append(message)
        producers.queue.task_done()
    assert taken == [0, 1, 2]


@only_posix
@pytest.mark.parametrize(
    ("act", "code"), [("raise", 1), ("exit", 3), ("_exit", 7), ("kill", -signal.SIGKILL)]
)
def test_a_process_that_dies_ends_the_others(producers: Producers, act: str, code: int) -> None:
    """What has arrived is handed over, then the error, by name and exit code."""
    event = producers.context.Event()
    producers.start(work.put_and, "go on")
    producers.start(work.put_and, act, event)
    messages = producers.drain()
    taken = [next(messages), next(messages)]
    event.set()

    with pytest.raises(ChildProcessError, match=f"producer 1 ended with exit code {code}$"):
        next(messages)

    assert taken == ["put", "put"]
    assert producers.codes() == [-signal.SIGTERM, code]


def begin_a_message(producers: Producers, code: int) -> Any:  # noqa: ANN401 - an event
    """Start one that is amid a message, and give the event that makes it die."""
    written, die = producers.context.Event(), producers.context.Event()
    producers.start(work.cut_off, code, written, die)
    assert written.wait(60)
    return die


@only_posix
@pytest.mark.parametrize("reading", [True, False], ids=["while read", "before read"])
def test_a_process_that_is_killed_amid_a_message(
    producers: Producers,
    reading: bool,  # noqa: FBT001 - as pytest gives it
) -> None:
    """It holds the queue's lock, so another can never write; no hang, and the death is told."""
    die = begin_a_message(producers, -signal.SIGKILL)
    producers.start(work.put_after, die)
    if not reading:
        die.set()
        producers.processes[0].join(60)
    with ThreadPoolExecutor(1) as pool:
        drained = pool.submit(list, producers.drain(timeout_s=60))
        if reading:
            end = time.monotonic() + 30
            while producers.queue._reader.poll() and time.monotonic() < end:
                time.sleep(0.01)  # until the reader has the beginning, and waits for the rest
            die.set()
        with pytest.raises(ChildProcessError, match="producer 0 ended with exit code -9"):
            drained.result(timeout=90)


@only_posix
def test_an_exit_amid_a_message_that_looks_like_success(producers: Producers) -> None:
    """Alone on the queue, the message has an end when the process has, and is an error."""
    begin_a_message(producers, 0).set()

    with pytest.raises(ChildProcessError, match="a process ended amid a message"):
        list(producers.drain())


@only_posix
def test_a_time_limit_ends_those_that_wait_for_a_dead_ones_lock(producers: Producers) -> None:
    """It ended amid a message with exit code 0, so nobody knows; the other is named."""
    die = begin_a_message(producers, 0)
    die.set()
    producers.processes[0].join(60)
    producers.start(work.put_after, die)

    with pytest.raises(TimeoutError, match=r"not ended in time: producer 1$"):
        list(producers.drain(timeout_s=0.5))
    assert producers.codes() == [0, -signal.SIGTERM]


def test_a_stranger_that_holds_the_pipe_does_not_matter(producers: Producers) -> None:
    """Where processes are forked, it has inherited the end to write to, and outlives the others."""
    over = producers.context.Event()
    stranger = producers.context.Process(target=over.wait, args=(60,))
    stranger.start()
    producers.start(work.put_numbers, "a", 3, work.LARGE)
    try:
        assert len(list(producers.drain())) == 3
    finally:
        over.set()
        stranger.join()


def test_what_has_arrived_is_handed_over_before_the_time_is_up(producers: Producers) -> None:
    """The message first, then the error that names all that still ran."""
    told = producers.context.Semaphore(0)
    for _ in range(2):
        producers.start(work.put_and_tell, told)
    assert told.acquire(timeout=60)
    assert told.acquire(timeout=60)
    messages = producers.drain(timeout_s=0.5)
    taken = []

    with pytest.raises(TimeoutError, match=r"producer 0, producer 1$"):  # noqa: PT012 - likewise
        for message in messages:
            taken.append(message)  # noqa: PERF402 - what came before the error is kept
    assert taken == ["put", "put"]
    assert producers.codes() == [-signal.SIGTERM] * 2


@only_posix
def test_stopping_early_ends_the_processes(producers: Producers) -> None:
    """One waits to write, one sleeps, one ignores being asked."""
    producers.start(work.put_numbers, "a", 3, work.LARGE)
    producers.start(work.put_and, "go on")
    producers.start(work.put_and, "ignore")
    messages = producers.drain(grace_s=0.5)
    seen = {"a": 0, "put": 0}
    for message in messages:
        seen["put" if message == "put" else "a"] += 1
        if seen["put"] == 2:
            break

    messages.close()  # type: ignore[attr-defined]

    assert producers.codes()[1:] == [-signal.SIGTERM, -signal.SIGKILL]


def test_dropping_it_is_stopping_early(producers: Producers) -> None:
    """Nobody holds the iterator any longer."""
    producers.start(work.put_and, "go on")
    messages = producers.drain()
    assert next(messages) == "put"

    del messages
    gc.collect()

    assert producers.codes()[0] is not None


@pytest.mark.parametrize("kind", [OSError, EOFError, LookupError])
def test_a_message_that_cannot_be_loaded_is_an_error(
    producers: Producers, kind: type[Exception]
) -> None:
    """Also one that looks like the end of the pipe; its process, amid the next, is ended."""
    producers.start(work.put_unloadable, kind)

    with pytest.raises(kind, match="cannot be loaded"):
        list(producers.drain())
    assert not producers.processes[0].is_alive()


def test_a_message_is_not_kept(producers: Producers) -> None:
    """When the caller has dropped it, it is gone."""
    producers.start(work.put_held)
    messages = producers.drain()
    held = weakref.ref(next(messages))

    gc.collect()
    assert held() is None
    assert list(messages) == []


def test_no_process_at_all() -> None:
    """What lies in the queue is not lost."""
    producers = Producers("spawn")
    assert list(producers.drain()) == []


@pytest.mark.parametrize("seconds", [0, -1.5, float("nan"), float("inf"), 30 * 86_400])
@pytest.mark.parametrize("name", ["timeout_s", "grace_s"])
def test_refuses_times_out_of_bounds(name: str, seconds: float) -> None:
    """Refused at the call, naming the bounds and the value: the system cannot wait a month."""
    with pytest.raises(ValueError, match=f"{name} must be above 0, and at .* got {seconds}"):
        Producers("spawn").drain(**{name: seconds})


def test_refuses_a_process_that_was_not_started() -> None:
    """Refused at the call, naming it."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=print, name="idle")

    with pytest.raises(ValueError, match="must be started, got <SpawnProcess name='idle'"):
        drain_and_join([process], context.Queue())


def test_refuses_other_queues() -> None:
    """Refused at the call: it looks behind the queue, and these have another back."""
    for other in (multiprocessing.get_context("spawn").SimpleQueue(), None, "queue"):
        wrong: Any = other
        with pytest.raises(TypeError, match=r"must be a multiprocessing\.Queue, got"):
            drain_and_join([], wrong)


# The broken one


def test_broken_is_right_for_what_fits_into_a_pipe(producers: Producers) -> None:
    """Which is why it stays in use."""
    producers.start(work.put_numbers, "a", 3, 10)

    assert len(join_and_drain(producers.processes, producers.queue)) == 3  # type: ignore[no-untyped-call]


def test_broken_hangs_on_what_does_not(producers: Producers) -> None:
    """Until somebody else takes what it does not take."""
    producers.start(work.put_numbers, "a", 1, work.LARGE)
    with ThreadPoolExecutor(1) as pool:
        joined = pool.submit(join_and_drain, producers.processes, producers.queue)
        with pytest.raises(TimeoutError):
            joined.result(timeout=1)
        producers.queue.get(timeout=30)

        assert joined.result(timeout=30) == []
