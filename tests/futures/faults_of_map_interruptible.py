"""What can go wrong around map_interruptible, in a process of its own."""

import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from math import isqrt
from operator import neg

from examples.futures.map_interruptible import map_interruptible
from fault_cases import LIMIT_S, METHODS, Falsy, faces, raises


def hang(_: object) -> None:
    """Never come back."""
    while True:
        time.sleep(LIMIT_S)


@faces(9, methods=METHODS, posix=True)
def interrupted_while_calls_hang(method: str) -> None:
    """Ctrl-C goes out once, though no call would ever end; a further map works."""
    endless = map_interruptible(hang, itertools.count(), max_workers=2, workers=method)
    with subprocess.Popen(["/bin/sh", "-c", f"sleep 0.2; kill -INT {os.getpid()}"]):
        raises(KeyboardInterrupt, lambda: next(endless))
    assert list(map_interruptible(neg, [1, 2], max_workers=1, workers=method)) == [-1, -2]


@faces(1, 2, methods=METHODS, posix=True)
def worker_dies(method: str) -> None:
    """The pool says that it is broken, and what was handed over before stands."""
    results = map_interruptible(os._exit, [0], max_workers=1, workers=method)
    raises(Exception, lambda: next(results))
    raises(StopIteration, lambda: next(results))


@faces(13)
def endless_input_left_early() -> None:
    """It is pulled no further than promised."""
    pulled = []

    def items() -> Iterator[int]:
        for item in itertools.count():
            pulled.append(item)
            yield item

    results = map_interruptible(isqrt, items(), max_workers=2, workers="threads", buffersize=4)
    assert [next(results) for _ in range(3)] == [0, 1, 1]
    results.close()
    assert len(pulled) <= 3 + 4


@faces(16, 17)
def falsy_error() -> None:
    """An error that calls itself empty is an error all the same."""

    def call(item: int) -> int:
        if item == 1:
            raise Falsy
        return item

    results = map_interruptible(call, range(3), max_workers=1, workers="threads")
    assert next(results) == 0
    raises(Falsy, lambda: next(results))
    raises(StopIteration, lambda: next(results))
