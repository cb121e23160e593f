"""Collect results as they are ready, each with the item it came from.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, wait
from itertools import islice
from queue import SimpleQueue
from threading import get_ident
from typing import TypeVar

__all__ = ["submit_and_collect"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def submit_and_collect(
    executor: Executor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    max_pending: int = 32,
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Yield each item with its finished future, whichever is ready first.

    Use it to go on with what is there while the rest still runs, and to decide
    for each item what an error means. Do not use it where the results are to
    stand in the order of the items: that is a map.

    Args:
        executor: Runs the calls; it stays open. Leave the `with` block of the
            executor last.
        work: Work on one item. For processes and interpreters a function of a
            module.
        items: Anything to iterate over. It is read as the results are taken.
        max_pending: Ceiling on items taken in whose outcome was not yet taken, 1
            or more. Less than the workers leaves some of them idle.

    Returns:
        A generator of pairs: the item, and a future that is done. Its `result()`
        returns what the call returned or raises what it raised: ask it, or the
        error is lost. If the generator is not read to its end, close it, by
        `contextlib.closing`.

    Raises:
        ValueError: If `max_pending` is below 1.
        TypeError: If it is not a whole number, or `items` cannot be iterated over.
        Exception: What `items` raised, or the executor when it refused a call.
            Before it goes out, or when the generator is closed, calls not begun
            are cancelled and those in flight are waited for. If another thread
            closes it than the one that reads it, as the garbage collector may,
            nothing is waited for.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     pairs = submit_and_collect(pool, int, ["1", "two"])
        ...     found = {item: done.exception() or done.result() for item, done in pairs}
        >>> found["1"]
        1
        >>> found["two"]
        ValueError("invalid literal for int() with base 10: 'two'")

    Source:
        [Future objects](https://docs.python.org/3/library/concurrent.futures.html#future-objects)
        in the Python documentation.
    """
    if operator.index(max_pending) < 1:
        raise ValueError(f"max_pending must be 1 or more, got {max_pending}")
    todo = iter(items)

    def generate() -> Generator[tuple[Item, Future[Result]], None, None]:
        pending: dict[Future[Result], Item] = {}
        finished: SimpleQueue[Future[Result]] = SimpleQueue()

        def submit_next(count: int) -> None:
            for item in islice(todo, count):
                call = executor.submit(work, item)
                pending[call] = item
                call.add_done_callback(finished.put)

        def next_pair() -> tuple[Item, Future[Result]]:
            done = finished.get()
            return pending.pop(done), done

        reader = get_ident()
        try:
            submit_next(max_pending)
            while pending:
                yield next_pair()  # no name here keeps it alive
                reader = get_ident()
                submit_next(1)
        finally:
            running = [call for call in pending if not call.cancel()]
            if reader == get_ident():  # the garbage collector may run in a worker
                wait(running)

    return generate()
