"""What can go wrong around make_process_pool: each case runs in a process of its own."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import work_that_ends_badly as work

from examples.processes.choose_start_method import make_process_pool
from fault_cases import faces, raises


@contextmanager
def another_thread_logging() -> Iterator[None]:
    """Let a thread hold the lock of a handler most of the time."""
    ended, logger = threading.Event(), logging.getLogger()
    handler = logging.FileHandler(os.devnull)
    logger.addHandler(handler)

    def log() -> None:
        while not ended.is_set():
            logger.warning("from a thread")

    thread = threading.Thread(target=log)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        logger.removeHandler(handler)
        handler.close()


@faces(11)
def fork_beside_a_thread_is_refused() -> None:
    """It would inherit a lock that nobody releases."""
    with another_thread_logging():
        error = raises(RuntimeError, lambda: make_process_pool(1, start_method="fork"))
    assert "fork is not safe while other threads run" in str(error)


@faces(11, methods=("forkserver", "spawn"))
def others_do_not_fork_beside_a_thread(method: str) -> None:
    """Its workers log too, and do not hang."""
    with another_thread_logging(), make_process_pool(2, start_method=method) as pool:
        assert list(pool.map(work.log, range(20))) == list(range(20))
