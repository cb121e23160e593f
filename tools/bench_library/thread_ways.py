"""Maps over pools of threads; `LIMIT` threads where waits are to overlap, else `WORKERS`."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import as_completed as first_done
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from typing import Any

import calls
import joblib
import mpire
import pebble
from ways import OURS, STREAM, Task, Way

from examples.futures.map_unordered import map_unordered
from examples.futures.map_with_any_executor import map_with_any_executor

LIMIT, WORKERS, WINDOW = 100, 4, 100
Call = Callable[[int], Any]
Items = Iterable[int]


def workers_for(call: Call) -> int:
    """Choose as many threads as waits are to overlap; for small calls few."""
    return LIMIT if call is calls.wait else WORKERS


@contextmanager
def ours_as_finished(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream outcomes as the calls finish."""
    window = 2 * LIMIT if call is calls.wait else WINDOW
    with ThreadPoolExecutor(workers_for(call)) as pool:
        yield map_unordered(call, items, executor=pool, window=window)


@contextmanager
def ours_in_order(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    ahead = 2 * LIMIT if call is calls.wait else WINDOW
    with ThreadPoolExecutor(workers_for(call)) as pool:
        yield map_with_any_executor(pool, call, items, max_ahead=ahead)


@contextmanager
def as_completed(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Submit all, and take each that is done."""
    with ThreadPoolExecutor(workers_for(call)) as pool:
        yield first_done([pool.submit(call, item) for item in items])


@contextmanager
def executor_map(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with ThreadPoolExecutor(workers_for(call)) as pool:
        yield pool.map(call, items)


@contextmanager
def imap_unordered(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results as the calls finish."""
    with ThreadPool(workers_for(call)) as pool:
        yield pool.imap_unordered(call, items)


@contextmanager
def imap(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with ThreadPool(workers_for(call)) as pool:
        yield pool.imap(call, items)


@contextmanager
def joblib_stream(call: Call, items: Items, return_as: str) -> Iterator[Iterator[Any]]:
    """Stream results."""
    parallel = joblib.Parallel(workers_for(call), backend="threading", return_as=return_as)
    yield parallel(joblib.delayed(call)(item) for item in items)


def joblib_as_finished(call: Call, items: Items) -> Any:  # noqa: ANN401 - a context manager
    """Stream results as the calls finish."""
    return joblib_stream(call, items, "generator_unordered")


def joblib_in_order(call: Call, items: Items) -> Any:  # noqa: ANN401 - a context manager
    """Stream results in order."""
    return joblib_stream(call, items, "generator")


@contextmanager
def mpire_as_finished(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results as the calls finish."""
    with mpire.WorkerPool(workers_for(call), start_method="threading") as pool:
        yield pool.imap_unordered(call, items, chunk_size=1)


@contextmanager
def mpire_in_order(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with mpire.WorkerPool(workers_for(call), start_method="threading") as pool:
        yield pool.imap(call, items, chunk_size=1)


@contextmanager
def pebble_map(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with pebble.ThreadPool(max_workers=workers_for(call)) as pool:
        yield pool.map(call, items).result()


MEASURES = ("cost", "overlap", "order", "ahead", "failure", "leaving", "memory")
TASKS = {
    "threads_finished": Task(
        "Threads: results as the calls finish",
        [
            Way("map_unordered", ours_as_finished, OURS, STREAM),
            Way("submit and as_completed", as_completed, "", STREAM),
            Way("ThreadPool.imap_unordered", imap_unordered, "", STREAM),
            Way("Parallel, generator_unordered", joblib_as_finished, "joblib", STREAM),
            Way("imap_unordered", mpire_as_finished, "mpire", STREAM),
        ],
        100_000,
        MEASURES,
        calls,
    ),
    "threads_order": Task(
        "Threads: a stream of results in order",
        [
            Way("map_with_any_executor", ours_in_order, OURS, STREAM),
            Way("Executor.map", executor_map, "", STREAM),
            Way("ThreadPool.imap", imap, "", STREAM),
            Way("Parallel, generator", joblib_in_order, "joblib", STREAM),
            Way("imap", mpire_in_order, "mpire", STREAM),
            Way("ThreadPool.map", pebble_map, "pebble", STREAM),
        ],
        100_000,
        MEASURES,
        calls,
    ),
}
