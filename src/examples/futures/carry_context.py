"""Let the calls of a pool of threads see the context variables of whoever submits them.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["carry_context"]

Result = TypeVar("Result")

ELSEWHERE = {"ProcessPoolExecutor", "InterpreterPoolExecutor"}


def carry_context(executor: Executor) -> Executor:
    """Return an executor that runs each call in a copy of its submitter's context.

    Use it where a request's number, a user, a trace or a decimal precision stands in
    a `ContextVar` and the work goes to a pool. Do not use it for processes and
    interpreters: a context cannot be sent there; send the values as arguments.

    Each `submit` copies the context of its caller at that moment; each call of `map`
    gets a copy of its own of what `map` was called in, however late it is submitted.
    So no call sees the context of another request, nor what another call set, and
    nothing that a call sets comes back. Whether threads inherit a context, as they can
    from Python 3.14 on, makes no difference. Copying takes the same time whatever the
    context holds. Order, back-pressure, cancellation and failure are those of
    `executor`.

    Args:
        executor: Runs the calls, in threads of this process.

    Returns:
        An executor to use in the place of `executor`, in a `with` block too: to shut
        it down shuts `executor` down. `executor` can still be used by itself.

    Raises:
        TypeError: If `executor` is none, or one of processes or interpreters.

    Examples:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from contextvars import ContextVar
        >>> request = ContextVar("request", default="unknown")
        >>> with carry_context(ThreadPoolExecutor(1)) as pool:
        ...     for name in ("first", "second"):
        ...         _ = request.set(name)
        ...         pool.submit(request.get).result()
        'first'
        'second'

    Source:
        [Context variables](https://docs.python.org/3/library/contextvars.html) in the
        Python documentation.
    """
    if not isinstance(executor, Executor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"executor must be an Executor, got {executor!r}")
    kinds = {kind.__name__ for kind in type(executor).__mro__}  # by name: to import them takes long
    if kinds & ELSEWHERE:
        raise TypeError(f"executor must run calls in threads of this process, got {executor!r}")
    return _Carrier(executor)


class _Carrier(Executor):
    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(
        self,
        fn: Callable[..., Result],
        /,
        *args: Any,  # noqa: ANN401 - whatever `fn` takes
        **kwargs: Any,  # noqa: ANN401 - likewise
    ) -> Future[Result]:
        return self._executor.submit(copy_context().run, fn, *args, **kwargs)

    def map(
        self,
        fn: Callable[..., Result],
        *iterables: Iterable[Any],
        **options: Any,  # noqa: ANN401 - timeout, chunksize, buffersize: whatever it takes
    ) -> Iterator[Result]:
        context = copy_context()

        def call(*args: Any) -> Result:  # noqa: ANN401 - whatever the items are
            return context.copy().run(fn, *args)

        return self._executor.map(call, *iterables, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as in Executor
        self._executor.shutdown(wait, cancel_futures=cancel_futures)
