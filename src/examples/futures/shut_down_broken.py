"""Broken on purpose: a call waits for a call that stands behind it in the queue of one pool."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

__all__ = ["call_twice_removed", "wait_for_ever"]

Result = TypeVar("Result")


def call_twice_removed(
    executor: Executor,
    work: Callable[[], Result],
    *,
    wait: Callable[[Future[Result]], Result] = Future.result,
) -> Future[Result]:
    """Submit a call that submits `work` to the same executor and waits for it."""

    def outer() -> Result:
        inner = executor.submit(work)
        return wait(inner)  # this worker waits; if there is no other, nobody runs `inner`

    return executor.submit(outer)


def wait_for_ever() -> None:
    """Hang, with one worker; show all stacks and end the program soon after."""
    import faulthandler
    from concurrent.futures import ThreadPoolExecutor

    faulthandler.dump_traceback_later(1, exit=True)
    with ThreadPoolExecutor(1) as pool:
        call_twice_removed(pool, dict).result()


if __name__ == "__main__":
    wait_for_ever()
