"""What can go wrong around map_interruptible, in a process of its own."""

import gc
import itertools
import os
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures._base import _AcquireFutures  # type: ignore[attr-defined]
from contextlib import AbstractContextManager
from math import isqrt
from multiprocessing import active_children
from operator import neg
from typing import Any
from unittest.mock import patch

from examples.futures import map_interruptible as module
from examples.futures.map_interruptible import map_interruptible
from fault_cases import LIMIT_S, METHODS, Falsy, faces, raises, wait_until


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


def pressing(place: object, name: str, time: int) -> AbstractContextManager[object]:
    """Let Ctrl-C come just before some function is called for the so-manieth time."""
    function, times = getattr(place, name), itertools.count(1)

    def press(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - handed on
        if next(times) == time:
            signal.raise_signal(signal.SIGINT)
        return function(*arguments, **options)

    return patch.object(place, name, press)


@faces(9, methods=METHODS, posix=True)
def interrupted_twice(method: str) -> None:
    """The second Ctrl-C comes just before the workers are killed, or just after: all end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent ignores
    before = threading.active_count()
    for place, name, times in (
        (module, "get_ident", 2),  # the first is in the loop
        (ProcessPoolExecutor, "shutdown", 1),
    ):
        endless = map_interruptible(hang, itertools.count(), max_workers=2, workers=method)
        with pressing(module, "wait", 1), pressing(place, name, times):
            raises(KeyboardInterrupt, lambda: next(endless))  # noqa: B023 - called at once
        wait_until(lambda: not active_children() and threading.active_count() == before)
        raises(StopIteration, lambda: next(endless))  # noqa: B023 - likewise


@faces(9)
def interrupted_as_a_future_is_locked() -> None:
    """It is unlocked before the error goes out, or its worker would wait for it for ever."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent ignores
    pressed = threading.Event()
    lock = _AcquireFutures.__enter__

    def lock_and_press(futures: Any) -> None:  # noqa: ANN401 - handed on
        lock(futures)
        pressed.set()
        signal.raise_signal(signal.SIGINT)

    def call(_: int) -> None:
        assert pressed.wait(LIMIT_S)

    results = map_interruptible(call, range(9), max_workers=1, workers="threads")
    with patch.object(_AcquireFutures, "__enter__", lock_and_press):
        raises(KeyboardInterrupt, lambda: next(results))


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


@faces(21)
def result_kept_nowhere() -> None:
    """Once the caller lets go of a result, it is gone, without the collector."""

    class Large:
        pass

    gc.disable()
    items = range(3)
    results = map_interruptible(lambda _: Large(), items, max_workers=1, workers="threads")
    gone = weakref.ref(next(results))
    wait_until(lambda: gone() is None)  # the worker is about to let go
    results.close()
    gc.enable()


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
