"""Explain why an object cannot be sent to another process, and where in it.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import copyreg
import inspect
import pickle
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any

__all__ = ["explain_unpicklable"]

TOO_DEEP = "nested too deeply"


def explain_unpicklable(thing: object, *, name: str = "thing") -> list[str]:
    """List the innermost parts of `thing` that cannot be pickled, with path and reason.

    Use it when a pool, a process or a queue refuses what it was given, or on the
    result or the exception of a call that cannot come back. Do not use it on
    data from others: to see whether a pickle can be loaded, it loads it.

    `thing` is pickled and loaded as a pool would do it, and so are its parts,
    so it costs as much again for each level. What multiprocessing sends by means
    of its own, such as sockets and pipes, is reported as well.

    Args:
        thing: Anything: a function, its arguments, a result, an exception.
        name: What the paths call it.

    Returns:
        One line for each culprit, in the order met, as in
        `thing.jobs[0].lock: cannot pickle '_thread.lock' object`; an empty list
        if `thing` can be sent and loaded. What a local function or lambda has in
        its closure is listed too: it will have to be sent some other way.

    Raises:
        TypeError: If `name` is not a string.

    Examples:
        >>> import threading
        >>> explain_unpicklable({"jobs": [print, threading.Lock()]})
        ["thing['jobs'][1]: cannot pickle '_thread.lock' object"]
        >>> explain_unpicklable(["a", 1, print])
        []

    Source:
        [What can be pickled and unpickled?](https://docs.python.org/3/library/pickle.html#what-can-be-pickled-and-unpickled)
        in the Python documentation.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"name must be a string, got {name!r}")
    return list(dict.fromkeys(_explain(thing, name, {})))


def _explain(thing: object, path: str, seen: dict[int, object]) -> list[str]:
    reason = _refusal(thing)
    if not reason or id(thing) in seen:
        return []
    seen[id(thing)] = thing  # kept alive, so that no other object gets its id
    lines: list[str] = []
    try:
        for step, part in () if reason == TOO_DEEP else _parts(thing, type(thing)):
            lines += _explain(part, path + step, seen)
    except Exception:  # noqa: BLE001 - what cannot be taken apart is its own reason
        lines.clear()
    if not lines or isinstance(thing, FunctionType):
        lines.insert(0, f"{path}: {reason}")
    return lines


def _refusal(thing: object) -> str:
    try:
        pickled = pickle.dumps(thing)
    except RecursionError:
        return TOO_DEEP
    except Exception as error:  # noqa: BLE001 - a class may refuse with any error
        if isinstance(thing, (FunctionType, type)):
            return f"sent by name, and {thing.__module__}.{thing.__qualname__} does not lead to it"
        return str(error) or type(error).__name__
    try:
        pickle.loads(pickled)  # noqa: S301 - made here
    except Exception as error:  # noqa: BLE001 - likewise
        return f"can be sent, but not loaded: {error}"
    return ""


def _parts(thing: Any, kind: type) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - of any kind
    if kind is dict:
        yield from _items(thing.items())
    elif kind is list or kind is tuple:
        yield from ((f"[{index}]", part) for index, part in enumerate(thing))
    elif isinstance(thing, FunctionType):
        closure = inspect.getclosurevars(thing).nonlocals
        yield from ((f" closure {name!r}", part) for name, part in closure.items())
    elif isinstance(thing, MethodType):
        yield ".__self__", thing.__self__
    elif issubclass(kind, partial):
        yield from ((f".{name}", getattr(thing, name)) for name in ("func", "args", "keywords"))
    elif not isinstance(thing, type):
        yield from _reduced(thing)


def _items(items: Iterable[tuple[object, object]]) -> Iterator[tuple[str, object]]:
    for key, value in items:
        yield f" key {key!r}", key
        yield f"[{key!r}]", value


def _reduced(thing: object) -> Iterator[tuple[str, object]]:
    reduce = copyreg.dispatch_table.get(type(thing))
    reduced = reduce(thing) if reduce else thing.__reduce_ex__(pickle.DEFAULT_PROTOCOL)
    if isinstance(reduced, str):
        return
    fields: list[Any] = [*reduced, None, None, None]
    _, args, state, members, items, *_ = fields
    for index, part in enumerate(args):
        yield ".__class__" if part is type(thing) else f" argument {index}", part
    for part in state if issubclass(type(state), tuple) else (state,):  # of slots: a pair
        if issubclass(type(part), Mapping):
            yield from ((f".{name}", value) for name, value in part.items())
        else:
            yield " state", part
    yield from ((f"[{index}]", part) for index, part in enumerate(members or ()))
    yield from _items(items or ())
