"""Pass items through stages that work at the same time, each with its own threads.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import itertools
import operator
import queue
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from threading import Semaphore, Thread, current_thread
from typing import Any

__all__ = ["run_pipeline"]


def run_pipeline(
    items: Iterable[Any],
    stages: Sequence[Callable[[Any], Any]],
    *,
    workers: int | Sequence[int] = 1,
    max_in_flight: int = 16,
) -> Generator[Any, None, None]:
    """Yield `stages[-1](... stages[0](item))` for every item, all stages at work.

    Use it when stages block, and each has a limit of its own: eight threads
    that fetch, one that owns the file. Where any thread may do all stages for an
    item, a pool that calls one function after the other is simpler and no slower.

    Work starts with the first result asked for. Close the iterator, or use
    `contextlib.closing`, to stop early and leave no thread behind.

    Args:
        items: One argument per item. It is read by a thread of its own, as far
            as `max_in_flight` allows, so it may be infinite.
        stages: Functions of one argument, one or more.
        workers: Threads of each stage, or one number for all, 1 or more.
        max_in_flight: Ceiling on items that were read and whose result was not
            yet taken, 1 or more. It bounds every queue, and memory with them.

    Returns:
        An iterator over the results, in the order of `items`.

    Raises:
        ValueError: At the call, if there is no stage, if `workers` does not
            have one number for each, or if a number is below 1.
        TypeError: At the call, if a number is not a whole one.
        Exception: What a stage or `items` raised, after the results of the items
            before, as `map` would. Nothing is read any more and later items begin no
            stage; calls in flight are waited for.

    Examples:
        >>> list(run_pipeline(["3", "1", "2"], [int, float], workers=2))
        [3.0, 1.0, 2.0]
        >>> squares = run_pipeline(itertools.count(), [lambda number: number**2])
        >>> [next(squares) for _ in range(4)]
        [0, 1, 4, 9]
        >>> squares.close()

    Source:
        [queue](https://docs.python.org/3/library/queue.html), Python 3.15; the
        ceiling is the window of a sliding window protocol.
    """
    if not stages:
        raise ValueError("stages must hold 1 function or more, got 0")
    counts = list(workers) if isinstance(workers, Sequence) else [workers] * len(stages)
    if len(counts) != len(stages) or min(map(operator.index, counts)) < 1:
        raise ValueError(f"workers must be 1 or more for each of {len(stages)}, got {workers}")
    if operator.index(max_in_flight) < 1:
        raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight}")
    return _Run(iter(items), list(stages), max_in_flight).results(counts)


class _Run:
    # An item takes a place before it is read, and gives it back when its result is taken. So no
    # queue is ever full, no put waits, and nobody has to be woken from one.

    def __init__(self, items: Iterator[Any], stages: list[Any], max_in_flight: int) -> None:
        self._items, self._stages = items, stages
        # Numbers of the items that failed: what stands behind one of them begins no stage.
        self._places, self._failed = Semaphore(max_in_flight), list[int]()
        self._inboxes = [queue.Queue[Any](max_in_flight + 1) for _ in stages]
        self._results = queue.Queue[queue.SimpleQueue[Any]](max_in_flight)
        self._hand_on = [*(inbox.put_nowait for inbox in self._inboxes[1:]), _hand_out]

    def _read(self) -> None:
        for number in itertools.count():
            self._places.acquire()
            if self._failed:
                return
            result: queue.SimpleQueue[Any] = queue.SimpleQueue()  # for one outcome
            self._results.put_nowait(result)  # in the order of items, whichever is ready first
            try:
                self._inboxes[0].put_nowait((number, result, next(self._items)))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                result.put(None if isinstance(error, StopIteration) else (True, error))
                return
            del result  # or this thread would keep the outcome alive

    def _work(self, position: int) -> None:
        call, inbox = self._stages[position], self._inboxes[position]
        for number, result, item in iter(inbox.get, None):
            if number <= min(self._failed, default=number):
                try:
                    self._hand_on[position]((number, result, call(item)))
                except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                    self._failed.append(number)
                    result.put((True, error))
            del item, result  # as above
        inbox.put_nowait(None)  # for the next worker of this stage

    def results(self, counts: list[int]) -> Generator[Any, None, None]:
        # Daemon threads: an interpreter that exits joins all others first, and would wait for ever
        # if somebody still held an unfinished iterator.
        threads = [
            Thread(target=self._work, args=(at,), daemon=True, name=f"stage {at + 1}.{n}")
            for at, count in enumerate(counts)
            for n in range(1, count + 1)
        ]
        threads.append(Thread(target=self._read, daemon=True, name="reader"))
        try:
            for thread in threads:
                thread.start()
            for has_failed, *outcome in iter(lambda: self._results.get().get(), None):
                if has_failed:
                    raise outcome.pop()
                self._places.release()
                yield outcome.pop()
        finally:
            if sys and not sys.is_finalizing():  # at exit the name itself may be gone
                self._failed.append(-1)  # before every item: nothing more begins
                self._places.release()  # the reading thread may wait for one
                for inbox in self._inboxes:
                    inbox.put_nowait(None)
                # The garbage collector may close it in one of them, and that cannot join itself.
                for thread in filter(Thread.is_alive, {*threads} - {current_thread()}):
                    thread.join()


def _hand_out(job: tuple[int, queue.SimpleQueue[Any], Any]) -> None:
    job[1].put((False, job[2]))
