"""carry_context: each call in a copy of its submitter's context, whatever threads inherit."""

import asyncio
import concurrent.futures
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar
from typing import Any

import faults_of_carry_context as faults
import pytest
from executors import NotingPool, process_pool
from hypothesis import given
from hypothesis import strategies as st

from examples.futures.carry_context import carry_context
from examples.futures.carry_context_broken import map_in_context
from faults import run_fault

pytestmark = pytest.mark.usefixtures("nothing_left")

request = ContextVar("request", default="unknown")
needs_3_14 = pytest.mark.skipif(sys.version_info < (3, 14), reason="new in 3.14")


@pytest.mark.parametrize(
    "options",
    [
        (),
        pytest.param(("-X", "thread_inherit_context=0"), marks=needs_3_14),
        pytest.param(("-X", "thread_inherit_context=1"), marks=needs_3_14),
    ],
    ids=["default", "not-inherited", "inherited"],
)
@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.__name__)
def test_survives(fault: Callable[[], None], options: tuple[str, ...]) -> None:
    """The same whether threads inherit a context or not; the fault's docstring says what."""
    run_fault(fault, options=options)


@needs_3_14
def test_a_plain_pool_is_stale_where_threads_inherit() -> None:
    """The fault that the function mends is there."""
    run_fault(faults.plain_pool_is_stale, options=("-X", "thread_inherit_context=1"))


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=3)), max_size=30), st.integers(1, 4))
def test_each_call_sees_its_submitter(steps: list[tuple[bool, str]], workers: int) -> None:
    """Whatever is set between the calls, by the caller or by the calls themselves."""

    def look_and_set() -> str:
        seen = request.get()
        request.set("set by a call")
        return seen

    with carry_context(ThreadPoolExecutor(workers)) as executor:
        calls = []
        for sets, name in steps:
            if sets:
                request.set(name)
            calls.append((request.get(), executor.submit(look_and_set)))
        assert [call.result(10) for _, call in calls] == [name for name, _ in calls]


def test_nothing_comes_back() -> None:
    """What a call sets is seen neither by the caller nor by the next call on the same worker."""
    request.set("mine")
    with carry_context(ThreadPoolExecutor(1)) as executor:
        executor.submit(request.set, "yours").result(10)
        assert list(executor.map(lambda name: request.set(name).old_value, "ab")) == ["mine"] * 2
        assert executor.submit(request.get).result(10) == "mine"
    assert request.get() == "mine"


def test_calls_of_a_map_run_at_the_same_time() -> None:
    """Each in a copy of its own: one copy could not be entered twice."""
    everyone = threading.Barrier(3)
    with carry_context(ThreadPoolExecutor(3)) as executor:
        assert sorted(executor.map(lambda _: everyone.wait(10), range(3))) == [0, 1, 2]


def test_map_takes_what_executor_map_takes() -> None:
    """Several inputs, a time limit, a chunk size."""
    with carry_context(ThreadPoolExecutor(2)) as executor:
        assert list(executor.map(pow, [2, 3], [3, 2], timeout=10, chunksize=5)) == [8, 9]
        go_on = threading.Event()
        with pytest.raises(TimeoutError):
            next(executor.map(lambda _: go_on.wait(10), [1], timeout=0))
        go_on.set()


def test_the_map_is_that_of_the_executor() -> None:
    """One that sends its items in chunks, say, still does."""

    class Reversing(ThreadPoolExecutor):
        def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:  # noqa: ANN401 - as map's
            return reversed([fn(*items) for items in zip(*iterables, strict=True)])

    request.set("here")
    with carry_context(Reversing(1)) as executor:
        assert list(executor.map(lambda item: (request.get(), item), [1, 2])) == [
            ("here", 2),
            ("here", 1),
        ]


@needs_3_14
def test_a_bounded_map_keeps_the_context_of_its_call() -> None:
    """Items submitted later, under another name, see the name at the call of `map`."""
    request.set("at the call")
    with carry_context(ThreadPoolExecutor(1)) as executor:
        names = executor.map(lambda _: request.get(), itertools.count(), buffersize=2)  # type: ignore[call-arg,unused-ignore]
        request.set("later")
        assert list(itertools.islice(names, 5)) == ["at the call"] * 5
        names.close()  # type: ignore[attr-defined]


def test_keywords_of_any_name_reach_the_call() -> None:
    """Also those that the methods on the way might use."""
    with carry_context(ThreadPoolExecutor(1)) as executor:
        call = executor.submit(dict, fn=1, self=2, callable=3, executor=4)
        assert call.result(10) == {"fn": 1, "self": 2, "callable": 3, "executor": 4}


def test_asyncio_runs_calls_in_it() -> None:
    """`run_in_executor` carries the task's context then."""

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()

        async def look(name: str) -> str:
            request.set(name)
            return await loop.run_in_executor(executor, request.get)

        return await asyncio.gather(look("first"), look("second"))

    with carry_context(ThreadPoolExecutor(1)) as executor:
        assert asyncio.run(main()) == ["first", "second"]


def test_shutting_it_down_shuts_the_executor_down() -> None:
    """With what was cancelled told as the executor tells it."""
    go_on = threading.Event()
    pool = NotingPool(1)
    executor = carry_context(pool)
    calls = [executor.submit(go_on.wait, 10) for _ in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert not calls[0].done()
    go_on.set()
    assert calls == pool.given
    assert [call.cancelled() for call in calls] == [False, True, True]
    wait(calls[:1], timeout=10)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)
    pool.shutdown()


def test_refuses_what_is_no_executor() -> None:
    """Refused at the call, naming it."""
    with pytest.raises(TypeError, match="must be an Executor, got <class"):
        carry_context(ThreadPoolExecutor)  # type: ignore[arg-type]


def test_refuses_processes_and_interpreters() -> None:
    """Refused at the call, naming it; nothing was started."""
    pools = [process_pool(1, "spawn")]
    if hasattr(concurrent.futures, "InterpreterPoolExecutor"):
        pools.append(concurrent.futures.InterpreterPoolExecutor(1))
    for pool in pools:
        with (
            pool,
            pytest.raises(TypeError, match=f"threads of this process, got .*{type(pool).__name__}"),
        ):
            carry_context(pool)


def test_broken_one_fails_when_two_calls_meet() -> None:
    """The first is in its call when the second begins: the one context is entered already."""
    second_failed = threading.Event()

    def call(item: int) -> None:
        assert item == 0
        assert second_failed.wait(10)

    with NotingPool(2) as executor:
        results = map_in_context(executor, call, range(2))
        executor.given[1].add_done_callback(lambda _: second_failed.set())
        failures = [done.exception(10) for done in executor.given]
        results.close()  # type: ignore[attr-defined]

    assert sorted(type(failure).__name__ for failure in failures) == ["NoneType", "RuntimeError"]


def test_broken_one_lets_one_call_see_what_another_set() -> None:
    """On a single worker no two calls meet, and the copy is shared."""
    request.set("mine")

    def look_and_set(name: str) -> str:
        seen = request.get()
        request.set(name)
        return seen

    with ThreadPoolExecutor(1) as executor:
        assert list(map_in_context(executor, look_and_set, ["a", "b"])) == ["mine", "a"]
