"""Start named threads, work meanwhile, join them all.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Thread

__all__ = ["start_workers"]


def start_workers(
    workers: Mapping[str, Callable[[], object]],
) -> AbstractContextManager[dict[str, Thread]]:
    """Run each callable in a thread of its own while the `with` body runs.

    Use it for a few long jobs that each deserve a name. For the results of
    many short calls use a pool; a worker that never ends needs a way to stop,
    because leaving the `with` waits for it.

    Args:
        workers: For each thread its name and what it calls, without arguments.
            Bind arguments with `functools.partial`; what is returned is dropped.

    Returns:
        A context manager. Entering starts the threads, in order, and gives them
        by name; leaving joins them all, whatever failed.

    Raises:
        ValueError: If a name is empty.
        TypeError: If a worker cannot be called, as in `{"reader": read()}`.
        ExceptionGroup: On leaving, after every thread has ended, if a worker
            failed: the errors in the order of `workers`, after that of the body
            if it failed too. `BaseExceptionGroup` if one called `sys.exit`.
        RuntimeError: On entering, if the system starts no more threads, after
            those that did start have ended.

    Examples:
        >>> from threading import current_thread
        >>> seen = []
        >>> def sign() -> None:
        ...     seen.append(current_thread().name)
        >>> with start_workers({"reader": sign, "writer": sign}) as threads:
        ...     list(threads)  # this thread works meanwhile
        ['reader', 'writer']
        >>> sorted(seen)
        ['reader', 'writer']

    Source:
        [Thread objects](https://docs.python.org/3/library/threading.html#thread-objects)
        in the Python documentation.
    """
    for name, work in workers.items():
        if not name:
            raise ValueError(f"a worker needs a name of 1 character or more, got {name!r}")
        if not callable(work):
            raise TypeError(f"worker {name!r} must be callable, got {work!r}")
    return _run(dict(workers))


@contextmanager
def _run(workers: dict[str, Callable[[], object]]) -> Generator[dict[str, Thread], None, None]:
    errors: dict[str, BaseException] = {}

    def run(name: str) -> None:
        try:
            workers[name]()
        except BaseException as error:  # noqa: BLE001 - raised again, in the caller
            error.add_note(f"in worker {name!r}")
            errors[name] = error

    def all_errors(*first: BaseException) -> BaseException:
        in_order = [errors[name] for name in workers if name in errors]
        return BaseExceptionGroup("workers failed", [*first, *in_order])

    threads = {name: Thread(target=run, args=(name,), name=name) for name in workers}
    try:
        with ExitStack() as joins:
            for thread in threads.values():
                thread.start()
                joins.callback(thread.join)
            yield threads
    except BaseException as error:
        if errors:
            raise all_errors(error) from None
        raise
    if errors:
        raise all_errors()
