"""receive_messages: order, overlap, pace, failure, refusal; the join that never ends."""

import multiprocessing
import os
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import work_in_children as work
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.processes import exchange_messages_broken
from examples.processes.exchange_messages import receive_messages

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_messages_of_a_source_keep_their_order(start_method: str) -> None:
    """Those of two sources mix, and none is missing."""
    messages = list(
        receive_messages(work.count_to, [("a", 50), ("b", 70)], start_method=start_method)
    )

    assert [number for name, number in messages if name == "a"] == list(range(50))
    assert [number for name, number in messages if name == "b"] == list(range(70))
    assert len(messages) == 120


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starting a process for each is slow")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=5), max_size=3))
def test_nothing_is_lost_and_nothing_made_up(ends: list[int]) -> None:
    """Whatever the sources, also none, and also such that send nothing."""
    sources = [(str(name), end) for name, end in enumerate(ends)]

    messages = list(receive_messages(work.count_to, sources, start_method="fork"))

    assert sorted(messages) == [
        pair for name, end in sources for pair in work.count_to((name, end))
    ]


def test_processes_run_at_the_same_time(start_method: str) -> None:
    """Each waits for the other between its messages: only overlap lets them pass."""
    barrier = multiprocessing.get_context(start_method).Barrier(2)

    messages = list(receive_messages(work.meet, [barrier] * 2, start_method=start_method))

    assert sorted(messages) == ["after", "after", "before", "before"]


def test_messages_may_be_larger_than_a_pipe(start_method: str) -> None:
    """Read before the process is joined, so both end."""
    messages = receive_messages(work.send_large, [1_000_000] * 2, start_method=start_method)

    assert [len(message) for message in messages] == [1_000_000] * 4


def test_the_reader_sets_the_pace(start_method: str) -> None:
    """Nobody makes more than one message that was not asked for."""
    counted = multiprocessing.get_context(start_method).Value("q", 0)
    messages = receive_messages(work.count_large, [counted], start_method=start_method)

    for taken in range(1, 4):
        next(messages)
        assert counted.value <= taken + 1
    messages.close()  # type: ignore[attr-defined]


def test_nothing_starts_before_the_first_message_is_asked_for() -> None:
    """And closing what never began is nothing."""
    messages = receive_messages(work.speak_and, ["go on"])

    assert multiprocessing.active_children() == []
    messages.close()  # type: ignore[attr-defined]


def test_an_error_reaches_the_caller_after_what_was_sent_before_it(start_method: str) -> None:
    """With the place where it was raised; the other process, which has no end, is ended."""
    messages = receive_messages(work.speak_and, ["fail", "go on"], start_method=start_method)

    with pytest.raises(LookupError, match="no more") as failure:
        assert all(message in {"spoke", "more"} for message in messages)

    assert "in speak_and" in failure.value.__notes__[0]
    assert multiprocessing.active_children() == []


def test_messages_before_an_error_arrive() -> None:
    """The one that was sent."""
    messages = receive_messages(work.speak_and, ["fail"])

    assert next(messages) == "spoke"
    with pytest.raises(LookupError):
        next(messages)


def test_an_error_that_cannot_travel_comes_as_its_text() -> None:
    """It pickles, but could not be made again here."""
    with pytest.raises(RuntimeError, match="Odd: odd 3"):
        list(receive_messages(work.speak_and, ["fail oddly"]))


def test_a_message_that_cannot_be_sent_is_an_error() -> None:
    """Not a line on standard error, and a reader who waits for ever."""
    with pytest.raises(Exception, match=r"pickle|local object"):
        list(receive_messages(work.speak_and, ["send a function"]))


@pytest.mark.parametrize("kind", [OSError, FileNotFoundError, EOFError, LookupError])
def test_a_message_that_cannot_be_loaded_is_an_error(
    kind: type[Exception], start_method: str
) -> None:
    """Also one that looks like the end of the pipe; its process, amid the next, is ended."""
    messages = receive_messages(work.send_unloadable, [kind], start_method=start_method)
    with ThreadPoolExecutor(1) as caller:
        received = caller.submit(list, messages)
        try:
            error = received.exception(60)
        finally:
            for child in multiprocessing.active_children():  # none, unless the caller hangs
                child.kill()

    assert type(error) is kind
    assert str(error) == "cannot be loaded"
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("act", "code"), [("die", 7), ("leave", 0)])
def test_a_process_that_dies_is_an_error(act: str, code: int, start_method: str) -> None:
    """Its exit code is told, and 0 is a death too if it had not said that it was done."""
    messages = receive_messages(work.speak_and, [act, "go on"], start_method=start_method)

    with pytest.raises(ChildProcessError, match=f"exit code {code}"):
        assert all(message in {"spoke", "more"} for message in messages)
    assert multiprocessing.active_children() == []


def test_stopping_early_ends_the_processes(start_method: str) -> None:
    """Two have no end of their own."""
    messages = receive_messages(work.speak_and, ["go on", "go on"], start_method=start_method)
    assert next(messages) == "spoke"

    messages.close()  # type: ignore[attr-defined]

    assert multiprocessing.active_children() == []


def test_a_process_that_will_not_end_is_killed() -> None:
    """It was asked to end, and took no notice."""
    messages = receive_messages(work.speak_and, ["ignore"], grace_s=0.05)
    assert next(messages) == "spoke"

    messages.close()  # type: ignore[attr-defined]

    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("grace_s", [0, -1.5, float("nan")])
def test_refuses_a_grace_that_is_none(grace_s: float) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"above 0, got {grace_s}"):
        receive_messages(work.count_to, [], grace_s=grace_s)


def test_refuses_a_start_method_that_is_none() -> None:
    """Refused at the call, naming it."""
    with pytest.raises(ValueError, match="teleport"):
        receive_messages(work.count_to, [], start_method="teleport")


def test_refuses_what_is_no_series_of_sources() -> None:
    """Refused at the call, not at the first message."""
    with pytest.raises(TypeError, match="not iterable"):
        receive_messages(work.count_to, 3)  # type: ignore[arg-type]


def test_broken_is_right_for_what_fits_into_a_pipe() -> None:
    """Which is why it stays in use."""
    assert exchange_messages_broken.receive(1_000) == 1_000


def test_broken_joins_a_process_that_waits_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs until somebody else takes the message that it does not take."""
    context = multiprocessing.get_context("spawn")
    queues: queue.Queue[Any] = queue.Queue()

    class Noting:
        Process = staticmethod(context.Process)

        def Queue(self) -> object:  # noqa: N802 - as a context has it
            made = context.Queue()
            queues.put(made)
            return made

    monkeypatch.setattr(multiprocessing, "get_context", lambda _: Noting())
    received: list[int] = []
    caller = threading.Thread(
        target=lambda: received.append(exchange_messages_broken.receive(1_000_000)), daemon=True
    )
    caller.start()
    messages = queues.get(timeout=10)

    caller.join(2)
    assert caller.is_alive()

    assert len(messages.get(timeout=30)) == 1_000_000  # now the process can end
    messages.put(b"12345")  # and the caller gets to its own read
    caller.join(30)
    assert received == [5]
    messages.close()
    messages.join_thread()
