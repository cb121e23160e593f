"""Maps over pools of `WORKERS` processes, in chunks of `CHUNK`; each way starts and ends its pool.

All start by `fork` where there is one, the cheapest; loky, and joblib with it, has its own way.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

import calls
import joblib
import loky
import mpire
import pebble
from ways import OURS, STREAM, Task, Way

from examples.futures.map_unordered import map_unordered
from examples.futures.map_with_any_executor import map_with_any_executor
from examples.performance.overhead import map_in_growing_chunks
from examples.processes.map_in_processes import map_in_processes
from examples.processes.map_surviving_crashes import map_surviving_crashes

WORKERS, CHUNK = 2, 100
METHODS = multiprocessing.get_all_start_methods()
START = "fork" if "fork" in METHODS else "spawn"
CONTEXT = multiprocessing.get_context(START)
Call = Callable[[int], Any]
Items = Iterable[int]


def ours(call: Call, items: Items) -> list[Any]:
    """Return results in order, each with the id of its process."""
    return map_in_processes(call, items, workers=WORKERS, chunk_items=CHUNK, start_method=START)


def ours_growing(call: Call, items: Items) -> list[Any]:
    """Return results in order, in chunks that grow."""
    with ProcessPoolExecutor(WORKERS, CONTEXT) as pool:
        return map_in_growing_chunks(call, items, executor=pool, max_chunks=2 * WORKERS)


def pool_map(call: Call, items: Items) -> list[Any]:
    """Return results in order."""
    with CONTEXT.Pool(WORKERS) as pool:
        return pool.map(call, items, CHUNK)


def executor_map(call: Call, items: Items) -> list[Any]:
    """Return results in order."""
    with ProcessPoolExecutor(WORKERS, CONTEXT) as pool:
        return list(pool.map(call, items, chunksize=CHUNK))


def joblib_list(call: Call, items: Items) -> list[Any]:
    """Return results in order."""
    parallel = joblib.Parallel(WORKERS, backend="loky", batch_size=CHUNK)
    return parallel(joblib.delayed(call)(item) for item in items)


def loky_list(call: Call, items: Items) -> list[Any]:
    """Return results in order."""
    with loky.ProcessPoolExecutor(WORKERS) as pool:
        return list(pool.map(call, items, chunksize=CHUNK))


def mpire_list(call: Call, items: Items) -> list[Any]:
    """Return results in order."""
    with mpire.WorkerPool(WORKERS, start_method=START) as pool:
        return pool.map(call, items, chunk_size=CHUNK)


def pebble_list(call: Call, items: Items) -> list[Any]:
    """Return results in order."""
    with pebble.ProcessPool(max_workers=WORKERS, context=CONTEXT) as pool:
        return list(pool.map(call, items, chunksize=CHUNK).result())


def on_chunk(call: Call, chunk: list[int]) -> list[Any]:
    """Run in the worker: one item of a map is a chunk of work."""
    return [call(item) for item in chunk]


def in_chunks(items: Items) -> Iterator[list[int]]:
    """Cut the input; `itertools.batched` does so from Python 3.12 on."""
    todo = iter(items)
    return iter(lambda: list(islice(todo, CHUNK)), [])


@contextmanager
def ours_as_finished(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results as the chunks finish."""
    with ProcessPoolExecutor(WORKERS, CONTEXT) as pool:
        chunks = map_unordered(
            partial(on_chunk, call), in_chunks(items), executor=pool, window=4 * WORKERS
        )
        yield (result for _, outcome in chunks for result in outcome.result())


@contextmanager
def ours_in_order(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with ProcessPoolExecutor(WORKERS, CONTEXT) as pool:
        chunks = map_with_any_executor(
            pool, partial(on_chunk, call), in_chunks(items), max_ahead=4 * WORKERS
        )
        yield (result for chunk in chunks for result in chunk)


@contextmanager
def imap_unordered(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results as the chunks finish."""
    with CONTEXT.Pool(WORKERS) as pool:
        yield pool.imap_unordered(call, items, CHUNK)


@contextmanager
def executor_stream(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with ProcessPoolExecutor(WORKERS, CONTEXT) as pool:
        yield pool.map(call, items, chunksize=CHUNK)


@contextmanager
def joblib_as_finished(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results as the chunks finish."""
    parallel = joblib.Parallel(
        WORKERS, backend="loky", batch_size=CHUNK, return_as="generator_unordered"
    )
    yield parallel(joblib.delayed(call)(item) for item in items)


@contextmanager
def loky_stream(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with loky.ProcessPoolExecutor(WORKERS) as pool:
        yield pool.map(call, items, chunksize=CHUNK)


@contextmanager
def mpire_as_finished(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results as the chunks finish."""
    with mpire.WorkerPool(WORKERS, start_method=START) as pool:
        yield pool.imap_unordered(call, items, chunk_size=CHUNK)


@contextmanager
def pebble_stream(call: Call, items: Items) -> Iterator[Iterator[Any]]:
    """Stream results in order."""
    with pebble.ProcessPool(max_workers=WORKERS, context=CONTEXT) as pool:
        yield pool.map(call, items, chunksize=CHUNK).result()


def ours_surviving(call: Call, items: Items) -> list[Any]:
    """Return what came of each item, each in a process of its own."""
    return map_surviving_crashes(call, items, max_workers=WORKERS, start_method=START)


def pebble_outcomes(call: Call, items: Items, max_tasks: int = 0) -> list[Any]:
    """Return what came of each item; a worker that dies is replaced."""
    with pebble.ProcessPool(max_workers=WORKERS, max_tasks=max_tasks, context=CONTEXT) as pool:
        futures = [pool.schedule(call, args=[item]) for item in items]
        return [future.exception() or future.result() for future in futures]


def pebble_apart(call: Call, items: Items) -> list[Any]:
    """Return what came of each item, each in a process of its own."""
    return pebble_outcomes(call, items, max_tasks=1)


STREAMS = ("cost", "order", "ahead", "failure", "leaving", "crash", "memory")
LISTS = ("cost", "order", "ahead", "failure", "crash")
TASKS = {
    "processes_list": Task(
        "Processes: a list of results",
        [
            Way("map_in_processes", ours, OURS),
            Way("map_in_growing_chunks", ours_growing, OURS),
            Way("Pool.map", pool_map),
            Way("ProcessPoolExecutor.map", executor_map),
            Way("ProcessPoolExecutor.map", loky_list, "loky"),
            Way("Parallel", joblib_list, "joblib"),
            Way("map", mpire_list, "mpire"),
            Way("ProcessPool.map", pebble_list, "pebble"),
        ],
        20_000,
        LISTS,
        calls,
    ),
    "processes_stream": Task(
        "Processes: a stream of results",
        [
            Way("map_unordered, of chunks", ours_as_finished, OURS, STREAM),
            Way("map_with_any_executor, of chunks", ours_in_order, OURS, STREAM),
            Way("Pool.imap_unordered", imap_unordered, "", STREAM),
            Way("ProcessPoolExecutor.map", executor_stream, "", STREAM),
            Way("ProcessPoolExecutor.map", loky_stream, "loky", STREAM),
            Way("Parallel, generator_unordered", joblib_as_finished, "joblib", STREAM),
            Way("imap_unordered", mpire_as_finished, "mpire", STREAM),
            Way("ProcessPool.map", pebble_stream, "pebble", STREAM),
        ],
        20_000,
        STREAMS,
        calls,
    ),
    "processes_crash": Task(
        "Processes: calls that may crash",
        [
            Way("map_surviving_crashes", ours_surviving, OURS),
            Way("ProcessPool, workers reused", pebble_outcomes, "pebble"),
            Way("ProcessPool(max_tasks=1)", pebble_apart, "pebble"),
        ],
        60,
        ("cost", "order", "crash", "apart", "child"),
        calls,
    ),
}
