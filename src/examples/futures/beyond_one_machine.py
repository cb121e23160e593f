"""Open an executor on this machine or on a cluster, so that the code that uses it stays the same.

Copy this file whole: standard library only, Python 3.11 or newer. A cluster needs
the package `distributed` on every host.
"""

import importlib
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, ParamSpec, TypeVar

__all__ = ["open_executor"]

P = ParamSpec("P")
Result = TypeVar("Result")


def open_executor(
    scheduler: str | None = None, *, workers: int | None = None, timeout_s: float = 10.0
) -> AbstractContextManager[Executor]:
    """Give a pool of processes, or the executor of a Dask cluster if one is named.

    Use it for calls that each compute for long and can be pickled, when one machine
    may become too small. Do not use it to spread small calls: a trip to another host
    costs more than one to a process here.

    Failure of a worker: a pool of processes is broken by it. A cluster runs the calls
    again that the worker had, so a call may run twice: make it one that may.
    Cancellation: on a cluster, each call that is not finished can be cancelled. One that
    has begun goes on to its end on its worker, and its result is dropped. Cleanup: the
    end of the `with` block waits for all calls that were not cancelled. Then the pool, or
    the connection, is closed; the cluster itself stays up.

    Args:
        scheduler: Address of a Dask scheduler, as `"tcp://10.0.0.5:8786"`. Without one the
            calls run on this machine.
        workers: Number of processes on this machine; by default one for each core. A
            cluster has the workers that were started on its hosts.
        timeout_s: Seconds to wait for the scheduler to answer, above 0.

    Returns:
        A context manager that gives the executor. Its `submit` and `map` are those of the
        standard library.

    Raises:
        ValueError: If `timeout_s` is not above 0, or `workers` is below 1, or given for a
            cluster.
        ModuleNotFoundError: On entering, if a cluster is named and `distributed` is not
            installed.
        OSError: On entering, if nothing answers at the address in time.

    Examples:
        >>> with open_executor(workers=2) as executor:
        ...     list(executor.map(abs, [-1, -2]))
        [1, 2]

    Source:
        [Executor](https://docs.python.org/3/library/concurrent.futures.html#executor-objects)
        in the Python documentation; `Client.submit` in that of Dask.
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s must be above 0, got {timeout_s}")
    if workers is not None and (workers < 1 or scheduler):
        raise ValueError(f"workers must be 1 or more, and is for this machine, got {workers}")
    return _connect(scheduler, timeout_s) if scheduler else ProcessPoolExecutor(workers)


class _ClusterExecutor(Executor):
    """What `Client.get_executor` gives, without its errors for results that died with a worker."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - of a package that may not be there
        self._client, self._open = client, True
        self._pending: set[Future[Any]] = set()

    def submit(
        self, fn: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[Result]:
        if not self._open:
            raise RuntimeError("cannot schedule new futures after shutdown")
        # If calls were taken to be pure, those that look alike would run once for all.
        there = self._client.submit(partial(fn, *args, **kwargs), pure=False)
        here: Future[Result] = Future()
        self._pending.add(here)
        here.add_done_callback(self._pending.discard)
        here.add_done_callback(lambda _: there.cancel() if here.cancelled() else None)
        there.add_done_callback(partial(_hand_over, here))
        return here

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as Executor's
        self._open = False
        for future in list(self._pending) if cancel_futures else ():
            future.cancel()
        wait_for(list(self._pending) if wait else ())


def _hand_over(here: Future[Any], there: Any) -> None:  # noqa: ANN401 - as above
    if here.set_running_or_notify_cancel():
        try:
            here.set_result(there.result())
        except BaseException as error:  # noqa: BLE001 - an outcome
            here.set_exception(error)


@contextmanager
def _connect(scheduler: str, timeout_s: float) -> Generator[Executor, None, None]:
    distributed: Any = importlib.import_module("distributed")
    connected = distributed.Client(scheduler, timeout=timeout_s, set_as_default=False)
    with connected as client, _ClusterExecutor(client) as executor:
        yield executor
