"""weigh_message: the bytes of a pickle and of its buffers, nothing kept, and its errors."""

import multiprocessing
import pickle
import threading
import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.performance import moving_data_broken
from examples.performance.moving_data import weigh_message

LEAVES = st.none() | st.integers() | st.text() | st.binary(max_size=200) | st.floats()
THINGS = st.recursive(
    LEAVES,
    lambda parts: st.lists(parts) | st.tuples(parts, parts) | st.dictionaries(st.text(), parts),
)


class Table:
    """Data with a method, as models and look-up tables are."""

    def __init__(self, rows: bytes) -> None:
        """Keep the rows."""
        self.rows = rows

    def row(self, index: int) -> int:
        """Look one up."""
        return self.rows[index]


@given(THINGS)
def test_weighs_what_pickle_writes(thing: object) -> None:
    """Byte for byte, whatever is nested in what."""
    assert weigh_message(thing) == (len(pickle.dumps(thing, 5)), 0, 0)


@pytest.mark.parametrize("size", [60_000, 70_000, 5_000_000])
def test_what_is_written_past_the_frames_counts(size: int) -> None:
    """Pickle hands large parts to the file by themselves."""
    thing = [b"a" * size, "b" * size, bytearray(size), b""]

    assert weigh_message(thing) == (len(pickle.dumps(thing, 5)), 0, 0)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_buffers_are_weighed_by_themselves(contents: list[bytes]) -> None:
    """Their bytes are those that were put in, and the rest is what pickle writes without them."""
    aside: list[pickle.PickleBuffer] = []
    thing = [pickle.PickleBuffer(content) for content in contents]
    rest = pickle.dumps(thing, 5, buffer_callback=aside.append)

    assert weigh_message(thing) == (len(rest), sum(map(len, contents)), len(contents))


def test_a_buffer_of_large_items_is_weighed_in_bytes() -> None:
    """Ten items of eight bytes in two dimensions are eighty bytes."""
    numbers = memoryview(bytearray(80)).cast("B").cast("d", (2, 5))

    assert weigh_message(pickle.PickleBuffer(numbers)).buffer_bytes == 80


def test_a_buffer_is_let_go_of() -> None:
    """A bytearray that somebody looks into cannot grow."""
    memory = bytearray(10)

    weigh_message(pickle.PickleBuffer(memory))

    memory.append(0)


def test_it_is_what_goes_through_a_pipe() -> None:
    """The other end counts as many bytes; the protocol may differ, and with it a few of them."""
    thing = {"rows": [b"a" * 5_000, "b" * 5_000, list(range(100))], "look": Table(b"c" * 5_000).row}
    reader, writer = multiprocessing.Pipe(duplex=False)
    with reader, writer:
        writer.send(thing)  # small enough for the pipe to hold it
        assert reader.poll(10)
        arrived = len(reader.recv_bytes())

    assert weigh_message(thing).pickle_bytes == pytest.approx(arrived, abs=50)


def test_nothing_is_kept() -> None:
    """Fifty megabytes, large parts and many small ones, are weighed in a hundredth of that."""
    buffer = pickle.PickleBuffer(bytearray(20_000_000))
    thing = [bytes(25_000_000), buffer, list(range(2_000_000))]
    tracemalloc.start()
    try:
        weight = weigh_message(thing)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert weight.pickle_bytes + weight.buffer_bytes > 50_000_000
    assert peak < 500_000


@pytest.mark.parametrize("wrap", [lambda call: call, lambda call: partial(call, 7)])
def test_a_bound_method_carries_its_object(
    wrap: Callable[[Callable[[int], int]], object],
) -> None:
    """Alone or in a partial; a function of a module weighs as much as its name."""
    assert weigh_message(wrap(Table(bytes(10_000)).row)).pickle_bytes > 10_000
    assert weigh_message(len).pickle_bytes < 100


def test_threads_weigh_at_the_same_time() -> None:
    """All are in the middle of a message at once, and each has the weight of its own."""
    everyone, found = threading.Barrier(4), dict[int, int]()

    class Meeting:
        def __reduce__(self) -> tuple[type, tuple[()]]:
            everyone.wait(10)
            return bytes, ()

    def weigh(size: int) -> None:
        found[size] = weigh_message([bytes(size), Meeting(), bytes(size)]).pickle_bytes

    threads = [threading.Thread(target=weigh, args=(size,)) for size in range(100_000, 100_004)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(found) == 4
    assert len({weight - 2 * size for size, weight in found.items()}) == 1


def test_what_cannot_be_sent_cannot_be_weighed() -> None:
    """The error is that of pickle."""
    with pytest.raises(TypeError, match="cannot pickle"):
        weigh_message([1, threading.Lock()])


def test_an_error_in_the_middle_reaches_the_caller() -> None:
    """After a large part has been written."""

    class Failing:
        def __reduce__(self) -> str:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        weigh_message([bytes(1_000_000), Failing()])


def test_broken_one_does_not_see_what_is_carried_along() -> None:
    """A method of a table of a megabyte weighs less than a line of text to it."""
    look_up = Table(bytes(1_000_000)).row

    assert moving_data_broken.weigh_message(look_up) < 200
    assert weigh_message(look_up).pickle_bytes > 1_000_000
