"""What the tests of futures share: executors of every kind, and a look at what is left."""

import concurrent.futures
import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

# Children of every start method get this path, and import the work from there.
sys.path.insert(0, str(Path(__file__).parent))

from executors import process_pool

QUIET = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # pytest has a thread
METHODS = sorted(multiprocessing.get_all_start_methods())
INTERPRETERS = hasattr(concurrent.futures, "InterpreterPoolExecutor")


@pytest.fixture(
    params=[pytest.param(method, marks=QUIET if method == "fork" else ()) for method in METHODS]
)
def start_method(request: pytest.FixtureRequest) -> str:
    """Give each start method that this platform has."""
    method: str = request.param
    return method


@pytest.fixture(
    params=[
        "threads",
        *(pytest.param(method, marks=QUIET if method == "fork" else ()) for method in METHODS),
        *(["interpreters"] if INTERPRETERS else []),
    ]
)
def make_executor(request: pytest.FixtureRequest) -> Callable[[int], Executor]:
    """Give a way to make each kind of executor, with so many workers."""
    if request.param == "threads":
        return partial(ThreadPoolExecutor, thread_name_prefix="pool")
    if request.param == "interpreters":
        make: Callable[[int], Executor] = concurrent.futures.InterpreterPoolExecutor
        return make
    return partial(process_pool, method=request.param)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Look for threads and children when the test is over."""
    before = threading.active_count()
    yield
    assert threading.active_count() <= before
    assert multiprocessing.active_children() == []
