"""Share a few connections among many threads.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from typing import Generic, Protocol, Self, TypeVar

__all__ = ["ConnectionPool"]


class _Connection(Protocol):  # what the pool needs of PEP 249
    def commit(self) -> object: ...
    def rollback(self) -> object: ...
    def close(self) -> object: ...


Connection = TypeVar("Connection", bound=_Connection)


class ConnectionPool(Generic[Connection]):
    """Lend out connections, at most `max_size` of them, one borrower at a time.

    Use it when more threads need a connection than may be open, or when
    connecting costs more than asking. Close it, or use it in a `with` block.

    Do not use it in an asyncio program, nor across a fork. For PostgreSQL take
    psycopg_pool, with SQLAlchemy the pool that it has: both can retire
    connections by age.

    Args:
        connect: Called without arguments for each new connection. For SQLite it
            must pass `check_same_thread=False`.
        max_size: Ceiling on open connections, 1 or more. None is opened before
            it is wanted.
        check: Called with an idle connection before it is lent again. If it
            raises, the connection is dead, and a new one takes its place.
        timeout_s: Seconds to wait for a free connection, 0 or more.

    Raises:
        ValueError: If `max_size` is below 1 or `timeout_s` below 0.
        TypeError: If `max_size` is not a whole number.

    Examples:
        >>> import sqlite3
        >>> def connect() -> sqlite3.Connection:
        ...     return sqlite3.connect(":memory:", check_same_thread=False)
        >>> def ping(connection: sqlite3.Connection) -> None:
        ...     connection.execute("SELECT 1")
        >>> with ConnectionPool(connect, max_size=2, check=ping) as pool:
        ...     with pool.connection() as connection:
        ...         connection.execute("SELECT 6 * 7").fetchone()
        (42,)

    Source:
        [PEP 249](https://peps.python.org/pep-0249/) for the connections and
        [Condition](https://docs.python.org/3/library/threading.html#condition-objects),
        Python 3.15, for the waiting.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        max_size: int,
        check: Callable[[Connection], object],
        timeout_s: float = 30.0,
    ) -> None:
        """Open nothing yet."""
        if operator.index(max_size) < 1:
            raise ValueError(f"max_size must be 1 or more, got {max_size}")
        if not timeout_s >= 0:  # so written, it refuses NaN too
            raise ValueError(f"timeout_s must be 0 or more, got {timeout_s}")
        self._connect, self._check = connect, check
        self._max_size, self._timeout_s = max_size, min(timeout_s, threading.TIMEOUT_MAX)
        self._lent, self._closed, self._changed = 0, False, threading.Condition()
        self._idle: list[Connection] = []

    def __enter__(self) -> Self:
        """Return the pool itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pool."""
        self.close()

    @contextmanager
    def connection(self) -> Generator[Connection, None, None]:
        """Borrow a connection for a `with` block.

        What the block did is committed at its end. If it raises, it is rolled
        back and the connection closed, since nobody knows its state.

        Raises:
            TimeoutError: If all `max_size` stay in use for `timeout_s`.
            RuntimeError: If the pool is closed.
            Exception: What `connect` or the commit raised.
        """
        lent, is_sound = self._take_place(), False
        try:
            lent = self._live(lent)
            yield lent
            lent.commit()
            is_sound = True
        finally:
            if lent is not None and not is_sound:
                _discard(lent)
            self._free_place(lent if is_sound else None)

    def close(self) -> None:
        """Refuse borrowers, waiting ones too, and close every idle connection.

        One that is lent is closed when its block ends.
        """
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()  # every waiting thread is to learn of it
        for connection in idle:
            _discard(connection)

    def _take_place(self) -> Connection | None:
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._closed or self._lent < self._max_size, self._timeout_s
            ):
                raise TimeoutError(f"all {self._max_size} in use for {self._timeout_s} s")
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._lent += 1
            return self._idle.pop() if self._idle else None

    def _free_place(self, connection: Connection | None) -> None:
        with self._changed:
            self._lent -= 1
            if connection is not None:
                self._idle.append(connection)
            self._changed.notify()  # one place is free: any one of the waiting will do
        if self._closed:
            self.close()

    def _live(self, idle: Connection | None) -> Connection:
        if idle is not None:
            with suppress(Exception):  # each driver has its own
                self._check(idle)
                return idle
            _discard(idle)
        return self._connect()


def _discard(connection: _Connection) -> None:
    with suppress(Exception), closing(connection):  # if it is dead, the error before counts
        connection.rollback()
