"""What can go wrong around drain_and_join: each case runs in a process of its own."""

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import work_that_puts as work

from examples.processes.drain_and_join import drain_and_join
from fault_cases import METHODS, faces, raises


def start(
    method: str, *works: tuple[Callable[..., None], *tuple[Any, ...]], maxsize: int = 0
) -> Iterator[Any]:
    """Start a process for each, and drain and join them."""
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue(maxsize)
    processes = [context.Process(target=target, args=(queue, *args)) for target, *args in works]
    for process in processes:
        process.start()
    return drain_and_join(processes, queue, timeout_s=60, grace_s=0.5)


@faces(1, methods=METHODS, posix=True)
def process_killed(method: str) -> None:
    """What arrived is handed over, the others are ended, and the error says so."""
    messages = start(method, (work.put_and, "kill"), (work.put_and, "go on"))
    raises(ChildProcessError, lambda: list(messages))


@faces(1, methods=METHODS, posix=True)
def process_killed_amid_a_message(method: str) -> None:
    """Another waits for the lock that the dead one holds; both are ended."""
    is_set = multiprocessing.get_context(method).Event()
    is_set.set()
    messages = start(method, (work.cut_off, -9, is_set, is_set), (work.put_after, is_set))
    raises(ChildProcessError, lambda: list(messages))


@faces(2, methods=METHODS)
def process_ends_itself(method: str) -> None:
    """While another has more to write than a pipe holds."""
    messages = start(method, (work.put_and, "_exit"), (work.put_numbers, "a", 2, work.LARGE))
    raises(ChildProcessError, lambda: list(messages))


@faces(5, 6, methods=METHODS, posix=True)
def message_that_fails_to_load(method: str) -> None:
    """Its error goes out; the other process ignores SIGTERM, and is killed after the grace."""
    messages = start(method, (work.put_unloadable, LookupError), (work.put_and, "ignore"))
    error = raises(LookupError, lambda: list(messages))
    assert str(error) == "cannot be loaded"


@faces(7, methods=METHODS)
def messages_larger_than_a_pipe(method: str) -> None:
    """Beside many small ones; then through a queue of one place."""
    both = start(method, (work.put_numbers, "a", 5, work.LARGE), (work.put_numbers, "b", 50))
    assert len(list(both)) == 55
    assert len(list(start(method, (work.put_numbers, "a", 50), maxsize=1))) == 50


@faces(7, 13, methods=METHODS, posix=True)
def left_after_the_first_message(method: str) -> None:
    """One is writing, one ignores SIGTERM: both have ended when it is closed."""
    messages: Any = start(method, (work.put_numbers, "a", 5, work.LARGE), (work.put_and, "ignore"))
    next(messages)
    messages.close()
