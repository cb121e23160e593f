"""What a way of doing a task is, ours or a peer's, and how its results are taken."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

LIST, STREAM, PLAIN = "list", "stream", "plain"
OURS = "ours"


@dataclass(frozen=True)
class Way:
    """One way of doing a task.

    Attributes:
        name: What a reader calls it.
        run: Does it. For a list a function `(call, items)` that returns one; for a stream one that
            returns a context manager of an iterator; else a coroutine function `(n)`.
        package: The package of a peer, as it is installed; empty for the standard library.
        form: One of `LIST`, `STREAM` and `PLAIN`.
        limit: How many of its waits overlap.
    """

    name: str
    run: Callable[..., Any]
    package: str = ""
    form: str = LIST
    limit: int = 100

    @property
    def title(self) -> str:
        """The name, with the version of a peer."""
        if self.package in {"", OURS}:
            return self.name
        return f"{self.package} {version(self.package)}: {self.name}"


@dataclass(frozen=True)
class Task:
    """What is done, and the ways of doing it.

    Attributes:
        title: What a reader calls it.
        calls: A module with the calls that it makes: `give_back`, `wait`, `fail` and so on.
        ways: Ours comes first: the others are compared with it.
        items: How many calls a cost is measured on.
        measures: What is measured of it.
        in_asyncio: Whether its ways are coroutine functions and asynchronous context managers.
    """

    title: str
    ways: list[Way]
    items: int
    measures: tuple[str, ...]
    calls: Any = None
    in_asyncio: bool = False


def outcome_of(result: Any) -> Any:  # noqa: ANN401 - what a call returned
    """Return what a call returned or raised, out of what a way hands over for it."""
    if not isinstance(result, tuple | Future):
        return result
    *_, last = result if isinstance(result, tuple) else [result]
    return (last.exception() or last.result()) if isinstance(last, Future) else result[0]
