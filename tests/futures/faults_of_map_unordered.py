"""What can go wrong around map_unordered: each function here runs in a process of its own."""

import gc
import itertools
import os
import signal
import threading
import time
import traceback
import weakref
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from math import isqrt
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import work_in_workers as work
from executors import NotingPool, drop_in_a_worker, process_pool

from examples.futures.map_unordered import map_unordered
from fault_cases import LIMIT_S, METHODS, Falsy, faces, raises

WINDOW = 2
LARGE = 100_000_000


@faces(12, methods=METHODS)
def input_fails(method: str) -> None:
    """The outcomes of what was pulled come first, then the error, in threads and processes."""

    def items() -> Iterator[int]:
        yield from (1, 4, 9)
        raise OSError("no more")

    for executor in (ThreadPoolExecutor(2), process_pool(2, method)):
        with executor:
            found = set()
            pairs = map_unordered(isqrt, items(), executor=executor)
            error = raises(OSError, lambda: found.update((i, f.result()) for i, f in pairs))  # noqa: B023 - called at once
            assert found == {(1, 1), (4, 2), (9, 3)}
            assert str(error) == "no more"


@faces(12, 17)
def input_asks_to_exit() -> None:
    """It goes out at once; what had not begun is cancelled, what runs has ended."""

    def items() -> Iterator[int]:
        yield from range(5)
        assert runs.wait(LIMIT_S)
        executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
        raise SystemExit

    def call(_: int) -> None:
        runs.set()
        assert last_cancelled.wait(LIMIT_S)

    runs, last_cancelled = threading.Event(), threading.Event()
    with NotingPool(1) as executor:
        raises(SystemExit, lambda: list(map_unordered(call, items(), executor=executor)))
        assert [call.done() for call in executor.given] == [True] * 5


@faces(13)
def endless_input_closed() -> None:
    """Three pairs and the window, no more, are pulled; all calls are done when `close` returns."""
    pulled = 0

    def items() -> Iterator[int]:
        nonlocal pulled
        while True:
            pulled += 1
            yield pulled

    with NotingPool(4) as executor:
        with closing(map_unordered(isqrt, items(), executor=executor, window=7)) as pairs:
            for item, outcome in itertools.islice(pairs, 3):
                assert outcome.result() == isqrt(item)
        assert pulled <= 3 + 7
        assert all(call.done() for call in executor.given)


@faces(13)
def endless_input_left_by_break() -> None:
    """CPython drops the generator at the end of the loop, and so closes it."""
    with NotingPool(4) as executor:
        for item, outcome in map_unordered(isqrt, itertools.count(), executor=executor, window=7):
            assert outcome.result() == isqrt(item)
            if item > 20:
                break
        assert all(call.done() for call in executor.given)


@faces(13)
def endless_input_dropped_in_a_worker() -> None:
    """The garbage collector closes it in a worker that it must not wait for."""
    drop_in_a_worker(
        lambda executor, call, items: map_unordered(call, items, executor=executor, window=4)
    )


@faces(14)
def slow_consumer_and_objects_that_cost() -> None:
    """Of thousands of items, and of their results, hardly more than the window is alive."""

    class Cost:
        pass

    alive: weakref.WeakSet[Cost] = weakref.WeakSet()
    taken = most = 0

    def items() -> Iterator[Cost]:
        nonlocal most
        for pulled in range(1, 5_001):
            cost = Cost()
            with lock:
                alive.add(cost)
                most = max(most, len(alive))
            assert pulled - taken <= 10
            yield cost

    def call(_: Cost) -> Cost:
        result = Cost()
        with lock:
            alive.add(result)
        return result

    lock = threading.Lock()
    with ThreadPoolExecutor(2) as executor:
        for _pair in map_unordered(call, items(), executor=executor, window=10):
            taken += 1
    assert taken == 5_000
    # The window, the pair in the consumer's hands, and what two workers are about to drop.
    assert most <= 2 * (10 + 1 + 2)


@faces(15)
def first_item_slow() -> None:
    """It holds back no other, and no more than the window is pulled beside it."""
    last_taken = threading.Event()

    def call(item: int) -> int:
        assert item > 0 or last_taken.wait(LIMIT_S)
        return item

    order = []
    with ThreadPoolExecutor(2) as executor:
        for item, outcome in map_unordered(call, range(1_000), executor=executor, window=5):
            order.append(outcome.result())
            if item == 999:
                last_taken.set()
    assert order == [*range(1, 1_000), 0]


@faces(16)
def one_call_fails() -> None:
    """Its outcome has the error as it was raised, with the line; all others come."""

    def call(item: int) -> int:
        if item == 3:
            raise LookupError(item)  # this line
        return item

    with ThreadPoolExecutor(2) as executor:
        outcomes = dict(map_unordered(call, range(9), executor=executor, window=2))
    error = outcomes.pop(3).exception()
    assert type(error) is LookupError
    assert "# this line" in "".join(traceback.format_exception(error))
    assert [outcomes[item].result() for item in sorted(outcomes)] == [0, 1, 2, 4, 5, 6, 7, 8]


@faces(17)
def two_calls_fail_at_once() -> None:
    """With errors that are easily taken for something else: each is the outcome of its item."""
    kinds: list[type[BaseException]] = [
        Falsy,
        StopIteration,
        StopAsyncIteration,
        GeneratorExit,
        KeyboardInterrupt,
        SystemExit,
    ]
    both = threading.Barrier(2)

    def call(kind: type[BaseException]) -> None:
        both.wait(LIMIT_S)
        raise kind

    with ThreadPoolExecutor(2) as executor:
        outcomes = list(map_unordered(call, kinds, executor=executor))
    assert len(outcomes) == len(kinds)
    for kind, outcome in outcomes:
        assert type(outcome.exception()) is kind


@faces(9, posix=True)
def interrupted_while_it_waits() -> None:
    """Ctrl-C goes out once, when what runs has ended and the rest is cancelled."""
    main = threading.main_thread().ident or 0
    all_pulled, last_cancelled = threading.Event(), threading.Event()
    begun = []

    def items() -> Iterator[int]:
        yield from range(20)
        executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
        all_pulled.set()

    def call(item: int) -> None:
        begun.append(item)
        assert all_pulled.wait(LIMIT_S)
        for _ in range(4):  # a signal just before a thread waits for a lock does not wake it
            signal.pthread_kill(main, signal.SIGINT)
            if last_cancelled.wait(5):
                break

    with NotingPool(1) as executor:
        raises(KeyboardInterrupt, lambda: list(map_unordered(call, items(), executor=executor)))
        assert begun == [0]
        assert [call.done() for call in executor.given] == [True] * 20
        assert list(map_unordered(isqrt, [], executor=executor)) == []


@faces(9)
def interrupted_between_two_pairs() -> None:
    """Ctrl-C while the consumer works: what runs has ended and the rest is cancelled."""
    full, last_cancelled = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield from range(19)
        full.set()
        yield 19

    def call(item: int) -> None:
        assert full.wait(LIMIT_S)
        assert item == 0 or last_cancelled.wait(LIMIT_S)

    def consume() -> None:
        for item, outcome in map_unordered(call, items(), executor=executor, window=20):
            assert (item, outcome.result()) == (0, None)
            while not executor.given[1].running():
                time.sleep(0.001)
            executor.given[-1].add_done_callback(lambda _: last_cancelled.set())
            signal.raise_signal(signal.SIGINT)

    with NotingPool(1) as executor:
        raises(KeyboardInterrupt, consume)
        assert [call.cancelled() for call in executor.given] == [False] * 2 + [True] * 18
        assert all(call.done() for call in executor.given)


@faces(1, 2, methods=METHODS)
def worker_dies(method: str) -> None:
    """Its item's outcome says so; the next is refused: that is its outcome, and then the end."""
    with process_pool(1, method) as executor:
        pairs = map_unordered(work.end_process, range(9), executor=executor, window=1)
        for expected in (0, 1):
            item, outcome = next(pairs)
            assert (item, isinstance(outcome.exception(), BrokenExecutor)) == (expected, True)
        raises(BrokenExecutor, lambda: next(pairs))
        raises(StopIteration, lambda: next(pairs))


def resident_bytes(what: str) -> int:
    """Tell how much of this process is in memory, or was at the most; 0 where nothing tells."""
    status = Path("/proc/self/status")
    lines = status.read_text("ascii").splitlines() if status.exists() else []
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(what))


@contextmanager
def pipes_read_by_parts() -> Iterator[None]:
    """Read from pipes as Python does from 3.14 on.

    Before, each read makes room for all that is missing, though a pipe never gives so much, and
    the allocator of development mode writes to all that room.
    """

    def read(handle: int, most: int) -> bytes:
        return os.read(handle, min(most, 2**16))

    with patch.object(Connection._recv, "__defaults__", (read,)):  # type: ignore[attr-defined]
        yield


@faces(7, methods=METHODS)
def large_results_left_early(method: str) -> None:
    """Each is more than a pipe holds; the consumer looks away until none can come, and leaves."""
    pulled = []
    before = resident_bytes("VmRSS")
    with process_pool(2, method) as executor, pipes_read_by_parts():
        sizes = (pulled.append(number) or LARGE for number in itertools.count())
        with closing(map_unordered(bytes, sizes, executor=executor, window=WINDOW)) as pairs:
            _, outcome = next(pairs)
            assert len(outcome.result()) == LARGE
            executor.submit(int).result(LIMIT_S)  # the others wait in their pipe, or have passed it
        assert len(pulled) <= 1 + WINDOW
    # The consumer's, the window, and, of what is just arriving, what was read and its buffer.
    assert resident_bytes("VmHWM") <= before + (1 + WINDOW + 2) * LARGE


@faces(21)
def result_kept_nowhere() -> None:
    """Once the caller lets go of a pair, item and result are gone, without the collector."""

    class Big:
        pass

    gc.disable()
    with ThreadPoolExecutor(1) as executor:
        items = (Big() for _ in range(3))
        pairs = map_unordered(lambda _: Big(), items, executor=executor, window=1)
        item, outcome = next(pairs)
        gone = [weakref.ref(item), weakref.ref(outcome.result())]
        del item, outcome
        executor.submit(int).result(LIMIT_S)  # the worker has let go of its last call
        assert [one() for one in gone] == [None, None]
        pairs.close()
    gc.enable()


@faces(18)
def nothing_to_do() -> None:
    """No item, no worker."""
    with ThreadPoolExecutor(4) as executor:
        before = threading.active_count()
        assert list(map_unordered(isqrt, iter(()), executor=executor)) == []
        assert threading.active_count() == before


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, with no item read and no worker."""
    with NotingPool(1) as executor:
        items = iter([1])
        for window, kind in ((0, ValueError), (-1, ValueError), (2.5, TypeError), ("x", TypeError)):
            raises(kind, lambda: map_unordered(abs, items, executor=executor, window=window))  # noqa: B023 - called at once
        assert list(items) == [1]
        assert executor.given == []
