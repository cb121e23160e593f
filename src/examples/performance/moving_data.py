"""Weigh what a message to another process would carry, before it is sent.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import pickle
from typing import NamedTuple

__all__ = ["weigh_message"]


class Weight(NamedTuple):
    """Bytes in the pickle itself, and in buffers that may travel beside it."""

    pickle_bytes: int
    buffer_bytes: int
    buffers: int


def weigh_message(thing: object) -> Weight:
    """Count the bytes that `thing` has as a pickle, without keeping them.

    Use it on what you are about to give to a pool, a pipe or a queue: the function,
    its arguments, the result. A function counts too: a bound method carries its
    object. Do not use it on what goes to a thread: that is not pickled.

    Protocol 5 is asked, as it alone tells buffers apart. Multiprocessing takes the
    default protocol, before 3.14 the fourth; there a message may differ by some bytes.

    Args:
        thing: Anything that can be pickled. It is taken apart as if it were sent, so its
            `__reduce__` or `__getstate__` is called.

    Returns:
        `pickle_bytes` are always packed and unpacked. `buffer_bytes` are those of the
        `buffers`, such as the numbers of NumPy arrays, which a consumer of protocol 5
        need not pack; multiprocessing packs them as well and sends the sum of both.

    Raises:
        Exception: What pickling raised, if `thing` cannot be sent.

    Examples:
        >>> numbers = list(range(1_000_000))
        >>> weigh_message(numbers).pickle_bytes > 1_000_000
        True
        >>> weigh_message(range(1_000_000)).pickle_bytes < 100  # says the same
        True
        >>> weigh_message(numbers.index).pickle_bytes > 1_000_000
        True
        >>> weigh_message(pickle.PickleBuffer(bytearray(5_000)))[1:]
        (5000, 1)

    Source:
        [Out-of-band buffers](https://docs.python.org/3/library/pickle.html#out-of-band-buffers)
        in the Python documentation.
    """
    scales, sizes = _Scales(), list[int]()

    def set_aside(buffer: pickle.PickleBuffer) -> None:
        with memoryview(buffer) as view:
            sizes.append(view.nbytes)

    pickle.Pickler(scales, protocol=5, buffer_callback=set_aside).dump(thing)
    return Weight(scales.bytes, sum(sizes), len(sizes))


class _Scales:
    """A file that keeps nothing of what is written but its size."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, part: bytes) -> None:
        self.bytes += memoryview(part).nbytes
