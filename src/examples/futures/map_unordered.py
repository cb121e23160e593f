"""Map a function over items with any executor, and take each outcome as soon as it is there.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, wait
from itertools import islice
from queue import SimpleQueue
from threading import get_ident
from typing import TypeVar

__all__ = ["map_unordered"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_unordered(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    executor: Executor,
    window: int = 100,
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Yield each item with the finished future of `call(item)`, whichever ends first.

    Use it for long or endless inputs whose calls may fail, in threads, processes,
    interpreters or a cluster. Do not use it where results are to stand in the order
    of the items: `executor.map` does that, from Python 3.14 on bounded by
    `buffersize`.

    Order: as the calls finish. Back-pressure: at most `window` items are pulled
    ahead of the pairs taken, so a slow consumer holds the input back. Failure of a
    call: an outcome, not the end. Memory: nothing is kept of what was handed over.
    Cancellation: when the generator is closed, dropped or interrupted, calls not
    begun are cancelled, and those in flight are waited for. A second Ctrl-C ends the
    waiting. If another thread closes it than the one that reads it, as the garbage
    collector may, nothing is waited for.

    Args:
        call: Work on one item. For processes and interpreters a function of a
            module.
        items: Anything to iterate over, endless or not. It is read by the thread
            that takes the pairs, and must not wait for their outcomes.
        executor: Runs the calls; it stays open. Leave its `with` block last.
        window: Ceiling on items pulled and not handed over, 1 or more. Take at least
            twice the number of workers, or some may be idle.

    Returns:
        A generator of pairs: the item, and a future that is done. Its `result()`
        returns what the call returned or raises what it raised. Nothing runs before
        the first pair is asked for.

    Raises:
        ValueError: If `window` is below 1.
        TypeError: If it is not a whole number, or `items` cannot be iterated over.
        Exception: What `items` raised, or the executor when it refused an item, as
            after the death of a worker. It goes out when the outcomes of all items
            pulled have been taken; a refused item's is the refusal.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     for text, outcome in map_unordered(int, ["1", "two"], executor=pool, window=1):
        ...         print(text, "-", outcome.exception() or outcome.result())
        1 - 1
        two - invalid literal for int() with base 10: 'two'

    Source:
        [Future objects](https://docs.python.org/3/library/concurrent.futures.html#future-objects)
        in the Python documentation.
    """
    if operator.index(window) < 1:
        raise ValueError(f"window must be 1 or more, got {window}")
    return _outcomes(call, iter(items), executor, window)


def _outcomes(
    call: Callable[[Item], Result], todo: Iterable[Item], executor: Executor, window: int
) -> Generator[tuple[Item, Future[Result]], None, None]:
    pending: dict[Future[Result], Item] = {}
    done: SimpleQueue[Future[Result]] = SimpleQueue()
    failed: list[Exception] = []

    def pull() -> bool:
        try:
            for item in islice(todo, 1):
                future = _submit(executor, call, item, failed)
                pending[future] = item
                future.add_done_callback(done.put)
                return not failed
        except Exception as error:  # noqa: BLE001 - raised when the others are out
            failed.append(error)
        return False

    def take() -> tuple[Item, Future[Result]]:
        future = done.get()
        return pending.pop(future), future  # no name in the generator keeps it alive

    reader = get_ident()
    more = True
    try:
        while more or pending:
            more = more and pull()
            if more and len(pending) < window and done.empty():
                continue  # there is room, and nothing to hand over yet
            if pending:
                yield take()
                reader = get_ident()
    finally:
        running = [future for future in pending if not future.cancel()]
        if reader == get_ident():  # the garbage collector may run in a worker, and wait for itself
            wait(running)
    if failed:
        raise failed.pop()


def _submit(
    executor: Executor, call: Callable[[Item], Result], item: Item, failed: list[Exception]
) -> Future[Result]:
    try:
        return executor.submit(call, item)
    except Exception as error:  # noqa: BLE001 - a worker died, or somebody shut it down
        failed.append(error)
        refused: Future[Result] = Future()
        refused.set_exception(error)
        return refused
