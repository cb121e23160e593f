"""Run every call whatever fails, then tell all the errors at once.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import copy
import reprlib
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from typing import TypeVar

__all__ = ["carry_on_after_errors"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def carry_on_after_errors(
    executor: Executor, work: Callable[[Item], Result], items: Iterable[Item]
) -> tuple[list[tuple[Item, Result]], BaseExceptionGroup | None]:
    """Call `work(item)` for every item; return the results and the errors.

    Use it where each call counts for itself, as in uploads or checks: one that
    fails must not keep the others from being tried, nor hide that others failed
    too. Do not use it where the first error makes the rest pointless: a map
    raises it.

    Args:
        executor: Runs the calls; it stays open.
        work: Work on one item. For processes and interpreters a function of a
            module. Give it a time limit of its own: a call that never ends keeps
            this one from returning.
        items: One argument per call, read to its end before the first result.

    Returns:
        The results, each with its item, in the order of `items`; and `None`, or
        a group of all errors in the same order, each with a note that names its
        item. To raise it: `if errors: raise errors`. If a worker dies or the
        executor refuses a call, that is the error of each item concerned.

    Raises:
        Exception: What `items` raised. Calls not begun are cancelled, those in
            flight are waited for.
        KeyboardInterrupt: Likewise.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     results, errors = carry_on_after_errors(pool, int, ["1", "two", "3"])
        >>> results
        [('1', 1), ('3', 3)]
        >>> [(type(error).__name__, error.__notes__) for error in errors.exceptions]
        [('ValueError', ["for item 'two'"])]

    Source:
        [Future objects](https://docs.python.org/3/library/concurrent.futures.html#future-objects)
        and [exception groups](https://docs.python.org/3/builtins/exceptions.html#exception-groups)
        in the Python documentation.
    """
    calls: list[tuple[Item, Future[Result]]] = []
    results: list[tuple[Item, Result]] = []
    errors: list[BaseException] = []
    try:
        calls.extend((item, _submit(executor, work, item)) for item in items)
        for item, call in calls:
            error = _error_of(call)
            if error is None:
                results.append((item, call.result()))
            else:
                error.add_note(f"for item {reprlib.repr(item)}")
                errors.append(error)
    finally:  # after an interrupt some are not done
        wait([call for _, call in calls if not call.cancel()])
    if not errors:
        return results, None
    return results, BaseExceptionGroup(f"{len(errors)} of {len(calls)} calls failed", errors)


def _submit(executor: Executor, work: Callable[[Item], Result], item: Item) -> Future[Result]:
    try:
        return executor.submit(work, item)
    except RuntimeError as error:  # a worker died, or somebody else shut the executor down
        refused: Future[Result] = Future()
        refused.set_exception(error)
        return refused


def _error_of(call: Future[Result]) -> BaseException | None:
    try:
        error = call.exception()
    except CancelledError as cancelled:  # somebody else shut the executor down
        return cancelled
    if isinstance(error, BrokenExecutor):  # up to 3.13, one for all that a process took along
        shared = error
        error = copy.copy(shared).with_traceback(shared.__traceback__)
        error.__cause__ = shared.__cause__
    return error
