"""Map a function over items with any executor, taking in only so many items ahead.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, wait
from itertools import islice
from threading import get_ident
from typing import TypeVar

__all__ = ["map_with_any_executor"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_with_any_executor(
    executor: Executor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    max_ahead: int = 32,
) -> Generator[Result, None, None]:
    """Yield `work(item)` for every item, in order, as `executor` runs them.

    Use it to write a loop once and choose threads, processes or interpreters
    where the executor is made; and for inputs that are long, endless or dear to
    hold. Do not use it for a few items known beforehand: there `executor.map`
    does. With processes, make the work of one item much longer than sending it:
    this map sends items one by one.

    Args:
        executor: Runs the calls; it stays open. Leave the `with` block of the
            executor last.
        work: Work on one item. For processes and interpreters a function of a
            module.
        items: Anything to iterate over. It is read as the results are taken, and
            by the thread that takes them.
        max_ahead: Ceiling on items taken in whose results were not yet taken, 1
            or more. Less than the workers leaves some of them idle.

    Returns:
        A generator of the results. Nothing runs before its first result is asked
        for. If it is not read to its end, close it, by `contextlib.closing`.

    Raises:
        ValueError: If `max_ahead` is below 1.
        TypeError: If it is not a whole number, or `items` cannot be iterated over.
        Exception: What `work` raised, in the place of its result, or
            `BrokenExecutor` if a worker died; what `items` raised, at once.
            Before it goes out, or when the generator is closed, calls not begun
            are cancelled and those in flight are waited for. If another thread
            closes it than the one that reads it, as the garbage collector may,
            nothing is waited for.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     list(map_with_any_executor(pool, str.upper, "abc", max_ahead=2))
        ['A', 'B', 'C']

    Source:
        [Executor.map](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.map)
        in the Python documentation; its `buffersize`, from Python 3.14 on, does alike.
    """
    if operator.index(max_ahead) < 1:
        raise ValueError(f"max_ahead must be 1 or more, got {max_ahead}")
    todo = iter(items)

    def generate() -> Generator[Result, None, None]:
        ahead: deque[Future[Result]] = deque()
        reader = get_ident()
        try:
            ahead.extend(executor.submit(work, item) for item in islice(todo, max_ahead))
            while ahead:
                yield _take_first(ahead)
                reader = get_ident()
                ahead.extend(executor.submit(work, item) for item in islice(todo, 1))
        finally:
            running = [call for call in ahead if not call.cancel()]
            if reader == get_ident():  # the garbage collector may run in a worker
                wait(running)

    return generate()


def _take_first(ahead: deque[Future[Result]]) -> Result:
    result = ahead[0].result()
    ahead.popleft()
    return result  # no name here keeps it alive once the caller lets go of it
