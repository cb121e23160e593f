"""Share a table among processes through a manager, and lose no change.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import multiprocessing
import threading
from collections.abc import Callable, Hashable
from multiprocessing.managers import BaseManager
from multiprocessing.reduction import ForkingPickler
from typing import Any, Self

__all__ = ["SharedTable"]


class SharedTable:
    """A table that many processes read and change, kept by a process of its own.

    Use it for state that must be one for all while they run: progress, what was
    seen, totals by name. Do not use it for results, which a pool's map returns,
    nor for large data or many small changes: each call is a trip to the manager.

    Send the table to processes as an argument. It works with every start method,
    and in the tasks of a pool. Its owner closes it, best by `with`.

    Examples:
        >>> import operator
        >>> with SharedTable() as table:
        ...     table.merge("pages", 2, operator.add)
        ...     table.merge("pages", 3, operator.add)
        ...     table.merge("names", ["a"], operator.add)
        ...     table.snapshot()
        2
        5
        ['a']
        {'pages': 5, 'names': ['a']}

    Source:
        [Managers](https://docs.python.org/3/library/multiprocessing.html#managers)
        in the Python documentation.
    """

    def __init__(self, *, start_method: str = "spawn") -> None:
        """Start the manager's process.

        Args:
            start_method: How it starts: `"spawn"`, `"forkserver"` or `"fork"`.

        Raises:
            ValueError: If the platform lacks the start method.
        """
        self._manager = _Manager(ctx=multiprocessing.get_context(start_method))
        self._manager.start()
        self._table: Any = self._manager.table()  # type: ignore[attr-defined]

    def merge(self, key: Hashable, value: Any, combine: Callable[[Any, Any], Any]) -> Any:  # noqa: ANN401 - any value
        """Change one entry, in one step that no other process can come between.

        Args:
            key: Which entry.
            value: The first value, if there is no entry yet.
            combine: Gives a new value for the old one and `value`, and leaves both
                as they are. It runs in the manager's process: a function of a
                module, not a lambda.

        Returns:
            What the entry is now, as a copy.

        Raises:
            OSError: If the manager was closed or has died; also `EOFError`.
            Exception: What `combine` raised, or pickling what it returned. The entry
                is as before.
        """
        return self._table.merge(key, value, combine)

    def snapshot(self) -> dict[Any, Any]:
        """Copy the whole table as it is at one moment, in one trip.

        Raises:
            OSError: If the manager was closed or has died; also `EOFError`.
        """
        table: dict[Any, Any] = self._table.snapshot()
        return table

    def close(self) -> None:
        """End the manager's process; the table is gone. Call it where the table was made."""
        self._manager.shutdown()

    def __enter__(self) -> Self:
        """Give the table."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Let the table travel, but not the right to close it."""
        return {"_table": self._table}


class _Table:
    """Lives in the manager's process, where each thread of a client has a thread."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def merge(self, key: Hashable, value: Any, combine: Callable[[Any, Any], Any]) -> Any:  # noqa: ANN401
        with self._lock:
            merged = combine(self._values[key], value) if key in self._values else value
            ForkingPickler.dumps((key, merged))  # so that no snapshot fails with it
            self._values[key] = merged
            return merged

    def snapshot(self) -> dict[Any, Any]:
        with self._lock:
            return dict(self._values)


class _Manager(BaseManager):
    pass


_Manager.register("table", _Table, exposed=("merge", "snapshot"))
