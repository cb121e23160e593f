"""run_in_phases: in step, in order, and nobody left waiting when one fails."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads.meet_at_barrier import run_in_phases
from examples.threads.meet_at_barrier_broken import run_two_phases


def test_nobody_begins_a_phase_before_all_have_ended_the_last() -> None:
    """Counted at the start of every second and third phase: all four are through the one before."""
    ended = [0, 0, 0]
    seen = []
    lock = threading.Lock()

    def end(phase: int) -> None:
        with lock:
            ended[phase] += 1

    def begin(phase: int) -> None:
        with lock:
            seen.append(ended[phase - 1])
        end(phase)

    run_in_phases(
        [lambda _: end(0), lambda _: begin(1), lambda _: begin(2)],
        range(4),
    )

    assert seen == [4] * 8


def test_the_parts_of_a_phase_run_at_the_same_time() -> None:
    """Each part waits for all the others: only a thread for each lets any of them pass."""
    everyone = threading.Barrier(5)

    run_in_phases([lambda _: everyone.wait(10)] * 3, range(5))


def test_each_part_keeps_its_thread() -> None:
    """What a thread keeps, a connection or a cache, is there in the next phase."""
    own = threading.local()

    def first(part: int) -> int:
        own.kept = part
        return part

    assert run_in_phases([first, lambda _: own.kept], range(3)) == [0, 1, 2]


def test_the_last_phase_is_returned_in_the_order_of_parts() -> None:
    """The first part ends last, and its result still comes first."""
    second_done = threading.Event()

    def last(part: int) -> str:
        if part == 0:
            assert second_done.wait(10)
        else:
            second_done.set()
        return f"part {part}"

    assert run_in_phases([str, last], [0, 1]) == ["part 0", "part 1"]


def test_between_runs_once_while_all_the_others_wait() -> None:
    """It swaps what was written for what is read; each part then sees its neighbours' new state."""
    read, written = [1, 2, 3], [0, 0, 0]
    swaps = []

    def spread(part: int) -> int:
        written[part] = read[part - 1] + read[part]
        return written[part]

    def swap() -> None:
        swaps.append(list(written))
        read[:] = written

    assert run_in_phases([spread] * 3, range(3), between=swap) == [17, 16, 15]
    assert swaps == [[4, 3, 5], [9, 7, 8]]


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("phase", [0, 1, 2])
def test_a_failing_part_frees_the_others_and_reaches_the_caller(failing: int, phase: int) -> None:
    """The others end their phase, begin no other, and no thread is left."""
    before = threading.active_count()
    begun = [0, 0, 0]
    lock = threading.Lock()

    def work(number: int, part: int) -> None:
        with lock:
            begun[number] += 1
        if (part, number) == (failing, phase):
            raise LookupError(f"part {part}")

    phases = [lambda part, number=number: work(number, part) for number in range(3)]
    with pytest.raises(LookupError, match=f"part {failing}"):
        run_in_phases(phases, range(3))

    assert threading.active_count() == before
    assert begun[:phase] == [3] * phase
    assert begun[phase + 1 :] == [0] * (2 - phase)


def test_an_error_in_between_reaches_the_caller() -> None:
    """Whichever thread ran it, the caller sees the error and not a broken barrier."""

    def fail() -> None:
        raise ArithmeticError("no sum")

    with pytest.raises(ArithmeticError, match="no sum"):
        run_in_phases([str, str], range(4), between=fail)


def test_of_several_errors_the_one_of_the_first_part_is_raised() -> None:
    """All parts fail, at the same time."""
    together = threading.Barrier(3)

    def fail(part: int) -> None:
        together.wait(10)
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        run_in_phases([fail], range(3))


def test_a_broken_barrier_of_the_phases_own_is_an_error_like_any_other() -> None:
    """It is not taken for that of the function."""

    def fail(_: int) -> None:
        raise threading.BrokenBarrierError("mine")

    with pytest.raises(threading.BrokenBarrierError):
        run_in_phases([fail, str], range(2))


def test_a_thread_that_cannot_start_leaves_nobody_at_the_barrier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second of three threads is refused by the system; the first is not left waiting."""
    before = threading.active_count()
    start, started = threading.Thread.start, []

    def start_one(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)

    with pytest.raises(RuntimeError, match="can't start new thread"):
        run_in_phases([str, str], range(3))

    assert threading.active_count() == before


@given(st.integers(1, 6), st.integers(1, 4))
def test_any_number_of_parts_and_phases(parts: int, phases: int) -> None:
    """Each phase adds up what all wrote in the one before: the result tells if one came early."""
    board = [[1] * parts] + [[0] * parts for _ in range(phases)]

    def add_up(number: int, part: int) -> int:
        board[number + 1][part] = sum(board[number])
        return board[number + 1][part]

    steps = [lambda part, number=number: add_up(number, part) for number in range(phases)]

    assert run_in_phases(steps, range(parts)) == [parts**phases] * parts


def test_no_part_is_no_thread() -> None:
    """And no result."""
    assert run_in_phases([str], []) == []


def test_refuses_no_phase() -> None:
    """Refused at the call."""
    with pytest.raises(ValueError, match="1 function or more, got 0"):
        run_in_phases([], range(3))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_broken_leaves_the_others_at_the_barrier() -> None:
    """One of three dies; the two others wait, and only the limit of this test ends them."""

    def first(part: str) -> None:
        if part == "b":
            raise LookupError(part)

    became = run_two_phases(first, lambda _: pytest.fail("begun"), ["a", "b", "c"], limit_s=0.2)

    assert became == {
        "a": "waits at the barrier",
        "b": "died in the first phase",
        "c": "waits at the barrier",
    }
