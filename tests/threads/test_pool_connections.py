"""ConnectionPool: one borrower each, a ceiling, a limit, dead ones replaced, all closed."""

import contextlib
import math
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.threads.pool_connections import ConnectionPool
from examples.threads.pool_connections_broken import ConnectionPool as BrokenPool


class Database:
    """A database file that counts the connections opened to it and remembers them."""

    def __init__(self, path: Path) -> None:
        """Create the file and its one table."""
        self.path = path
        self.opened: list[sqlite3.Connection] = []
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE note (text)")
        connection.close()

    def connect(self) -> sqlite3.Connection:
        """Open a connection that any thread may use."""
        connection = sqlite3.connect(self.path, check_same_thread=False)
        self.opened.append(connection)
        return connection

    def notes(self) -> list[str]:
        """Read what is committed, over a connection of its own."""
        connection = sqlite3.connect(self.path)
        try:
            return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY text")]
        finally:
            connection.close()

    def open_now(self) -> int:
        """Count the connections that are not closed."""
        return sum(_is_open(connection) for connection in self.opened)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Give a database, and look at its end whether a connection was left open."""
    made = Database(tmp_path / "notes.db")
    yield made
    left = made.open_now()
    for connection in made.opened:
        connection.close()
    assert left == 0


def ping(connection: sqlite3.Connection) -> None:
    """Raise if the connection is dead."""
    connection.execute("SELECT 1")


def test_opens_none_before_it_is_wanted_and_reuses_it_then(database: Database) -> None:
    """Five borrowers one after another share one connection."""
    with ConnectionPool(database.connect, max_size=3, check=ping) as pool:
        assert database.opened == []
        for _ in range(5):
            with pool.connection() as connection:
                assert connection is database.opened[0]
        assert len(database.opened) == 1


def test_each_borrower_has_a_connection_of_its_own(database: Database) -> None:
    """Three threads hold one at the same time: three connections, and a fourth thread waits."""
    all_hold, inside, peak = threading.Barrier(3), 0, 0
    lock = threading.Lock()
    held: set[sqlite3.Connection] = set()

    def work(turn: int) -> None:
        nonlocal inside, peak
        with pool.connection() as connection:
            with lock:
                assert connection not in held
                held.add(connection)
                inside += 1
                peak = max(peak, inside)
            if turn < 3:
                all_hold.wait(10)
            with lock:
                held.remove(connection)
                inside -= 1

    with (
        ConnectionPool(database.connect, max_size=3, check=ping) as pool,
        ThreadPoolExecutor(8) as threads,
    ):
        for each in [threads.submit(work, turn) for turn in range(40)]:
            each.result(60)

    assert peak == 3
    assert len(database.opened) == 3


def test_a_pool_in_use_refuses_after_its_limit(database: Database) -> None:
    """The error names the size; the place comes back when its block ends."""
    with ConnectionPool(database.connect, max_size=2, check=ping, timeout_s=0.01) as pool:
        with (
            pool.connection(),
            pool.connection(),
            pytest.raises(TimeoutError, match=r"all 2 in use for 0.01 s"),
            pool.connection(),
        ):
            pytest.fail("a third connection of two")
        with pool.connection(), pool.connection():
            pass


def test_a_waiting_borrower_gets_the_connection_that_comes_back(database: Database) -> None:
    """One thread waits while the only connection is lent, then has the same one."""
    with (
        ConnectionPool(database.connect, max_size=1, check=ping) as pool,
        ThreadPoolExecutor(1) as threads,
    ):

        def borrow() -> sqlite3.Connection:
            with pool.connection() as connection:
                return connection

        with pool.connection() as ours:
            theirs = threads.submit(borrow)
        assert theirs.result(10) is ours


def test_the_work_of_a_block_is_committed(database: Database) -> None:
    """Another connection sees it."""
    with ConnectionPool(database.connect, max_size=1, check=ping) as pool:
        with pool.connection() as connection:
            connection.execute("INSERT INTO note VALUES ('kept')")
        assert database.notes() == ["kept"]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_error_rolls_back_and_discards(database: Database, error: type[BaseException]) -> None:
    """Nothing of the block is kept, and the next borrower has a fresh connection."""
    with ConnectionPool(database.connect, max_size=1, check=ping) as pool:
        with pytest.raises(error):
            _insert_and_fail(pool, error)
        assert not _is_open(database.opened[0])
        with pool.connection() as another:
            assert another is database.opened[1]
        assert database.notes() == []


def test_a_commit_that_fails_is_an_error_of_the_block(database: Database) -> None:
    """A deferred constraint is checked at the commit; the caller hears of it."""
    with ConnectionPool(database.connect, max_size=1, check=ping) as pool:
        with pool.connection() as connection:
            connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
            connection.execute(
                "CREATE TABLE child (id REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)"
            )
            connection.execute("PRAGMA foreign_keys = ON")
        with (
            pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"),
            pool.connection() as connection,
        ):
            connection.execute("INSERT INTO child VALUES (7)")
        assert database.open_now() == 0
        with pool.connection() as connection:
            assert connection.execute("SELECT count(*) FROM child").fetchone() == (0,)


def test_a_dead_connection_is_replaced(database: Database) -> None:
    """It dies while idle; the next borrower notices nothing."""
    with ConnectionPool(database.connect, max_size=1, check=ping) as pool:
        with pool.connection() as first:
            pass
        first.close()
        with pool.connection() as second:
            assert second is not first
            assert second.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_that_fails_its_check_is_closed(database: Database) -> None:
    """It may be open still, though of no use."""

    def refuse(_: sqlite3.Connection) -> None:
        raise ConnectionResetError

    with ConnectionPool(database.connect, max_size=1, check=refuse) as pool:
        for _ in range(3):
            with pool.connection():
                assert database.open_now() == 1


@pytest.mark.parametrize("fails_to_roll_back", [False, True])
def test_a_discarded_connection_is_rolled_back_closed_and_never_seen_again(
    *, fails_to_roll_back: bool
) -> None:
    """Also if it is too dead to roll back; the caller sees its own error."""
    calls: list[str] = []

    class Connection:
        def commit(self) -> None:
            calls.append("commit")

        def rollback(self) -> None:
            calls.append("rollback")
            if fails_to_roll_back:
                raise ConnectionResetError

        def close(self) -> None:
            calls.append("close")

    def check(_: Connection) -> None:
        calls.append("check")

    def borrow(*, fails: bool) -> None:
        with pool.connection():
            if fails:
                raise KeyError("in the block")

    pool = ConnectionPool(Connection, max_size=1, check=check)
    with pytest.raises(KeyError, match="in the block"):
        borrow(fails=True)
    assert calls == ["rollback", "close"]
    borrow(fails=False)
    assert calls == ["rollback", "close", "commit"]
    pool.close()


def test_a_connect_that_fails_gives_its_place_back(database: Database) -> None:
    """The error reaches the borrower, and the next one can connect."""
    failures = iter([ConnectionRefusedError("down"), None])

    def connect() -> sqlite3.Connection:
        failure = next(failures)
        if failure is not None:
            raise failure
        return database.connect()

    with ConnectionPool(connect, max_size=1, check=ping, timeout_s=0) as pool:
        with pytest.raises(ConnectionRefusedError), pool.connection():
            pytest.fail("no connection to borrow")
        with pool.connection():
            pass


def test_connecting_holds_up_nobody_else(database: Database) -> None:
    """One borrower connects, slowly; another gets the idle connection meanwhile."""
    connecting, go_on = threading.Event(), threading.Event()
    slow = threading.Event()

    def connect() -> sqlite3.Connection:
        if slow.is_set():
            connecting.set()
            assert go_on.wait(10)
        return database.connect()

    def borrow() -> None:
        with pool.connection():
            pass

    with (
        ConnectionPool(connect, max_size=2, check=ping, timeout_s=5) as pool,
        ThreadPoolExecutor(1) as threads,
    ):
        with pool.connection() as first:
            slow.set()
            borrower = threads.submit(borrow)
            assert connecting.wait(10)
        with pool.connection() as again:  # while the other still connects
            assert again is first
        go_on.set()
        borrower.result(10)


def test_close_closes_idle_ones_now_and_lent_ones_later(database: Database) -> None:
    """And it refuses whoever comes after."""
    pool = ConnectionPool(database.connect, max_size=2, check=ping)
    with pool.connection() as lent:
        with pool.connection() as idle:
            pass
        pool.close()
        assert not _is_open(idle)
        assert _is_open(lent)
        lent.execute("INSERT INTO note VALUES ('last')")
    assert not _is_open(lent)
    assert database.notes() == ["last"]

    pool.close()
    with pytest.raises(RuntimeError, match="the pool is closed"), pool.connection():
        pytest.fail("lent by a closed pool")


def test_close_wakes_the_waiting(database: Database) -> None:
    """They need not wait for their limit, nor for the connection that is lent."""
    pool = ConnectionPool(database.connect, max_size=1, check=ping, timeout_s=math.inf)
    outcomes: list[str] = []
    about_to_wait = threading.Semaphore(0)

    def borrow() -> None:
        about_to_wait.release()
        try:
            with pool.connection():
                outcomes.append("lent")
        except RuntimeError as error:
            outcomes.append(str(error))

    waiting = [threading.Thread(target=borrow) for _ in range(3)]
    with pool.connection():
        for thread in waiting:
            thread.start()
            assert about_to_wait.acquire(timeout=10)
        pool.close()
        for thread in waiting:
            thread.join(10)

        assert outcomes == ["the pool is closed"] * 3


@given(st.lists(st.sampled_from(["good", "error", "dead", "refused"]), max_size=12))
def test_whatever_happened_the_pool_is_whole_afterwards(events: list[str]) -> None:
    """After any row of good and bad borrowings all the places are there, and all closes."""
    opened: list[sqlite3.Connection] = []
    refuse = False

    def connect() -> sqlite3.Connection:
        if refuse:
            raise ConnectionRefusedError
        opened.append(sqlite3.connect(":memory:", check_same_thread=False))
        return opened[-1]

    with ConnectionPool(connect, max_size=2, check=ping, timeout_s=0) as pool:
        for event in events:
            refuse = event == "refused"
            with contextlib.suppress(sqlite3.OperationalError, ConnectionRefusedError):
                with pool.connection() as connection:
                    connection.execute("no SQL" if event == "error" else "SELECT 1")
                if event == "dead":
                    connection.close()
        refuse = False
        with pool.connection() as one, pool.connection() as other:
            assert one is not other
            assert sum(map(_is_open, opened)) == 2
    assert not any(map(_is_open, opened))


@pytest.mark.parametrize("max_size", [0, -1])
def test_refuses_a_size_below_one(max_size: int, database: Database) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"max_size must be 1 or more, got {max_size}"):
        ConnectionPool(database.connect, max_size=max_size, check=ping)


@pytest.mark.parametrize("timeout_s", [-1, math.nan])
def test_refuses_a_negative_limit(timeout_s: float, database: Database) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"timeout_s must be 0 or more, got {timeout_s}"):
        ConnectionPool(database.connect, max_size=1, check=ping, timeout_s=timeout_s)


@pytest.mark.parametrize("max_size", [2.5, "x"])
def test_refuses_a_size_that_is_no_count(max_size: int, database: Database) -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        ConnectionPool(database.connect, max_size=max_size, check=ping)


def test_broken_hands_the_same_object_to_all() -> None:
    """Three borrowers, one object."""
    pool = BrokenPool(3)

    assert len({id(pool.get_connection()) for _ in range(3)}) == 1


def test_broken_raises_its_limit_at_a_second_release() -> None:
    """One borrower releases twice; then four get in where three is the limit."""
    pool = BrokenPool(3)
    pool.get_connection()
    pool.release_connection()
    pool.release_connection()

    assert [pool.semaphore.acquire(blocking=False) for _ in range(5)] == [True] * 4 + [False]


def _insert_and_fail(pool: ConnectionPool[sqlite3.Connection], error: type[BaseException]) -> None:
    with pool.connection() as connection:
        connection.execute("INSERT INTO note VALUES ('half')")
        raise error


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - raises if closed
    except sqlite3.ProgrammingError:
        return False
    return True
