"""An event loop whose time passes only when nothing else can: an hour's sleep takes no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class StandstillError(Exception):
    """Every task waits, and no timer, callback or socket will ever wake one."""


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """A loop that moves its clock to the next timer instead of waiting for it.

    What is ready runs first, in the usual order. Where a real loop would wait for ever, this one
    raises. So it does not wait for threads and processes.
    """

    def __init__(self) -> None:
        """Begin at time 0."""
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Give the virtual time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as a call that blocks would."""
        self._now += seconds


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
    """A selector that never waits."""

    def __init__(self, loop: VirtualClockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Give what is ready; if nothing is, go to the next timer."""
        ready = super().select(0)
        if not ready and timeout is None:
            raise StandstillError
        if not ready and timeout is not None:
            self._loop.advance(max(0, timeout))
        return ready


def run_virtually(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` as `asyncio.run` does, on a virtual clock, and see that it leaves no task.

    Args:
        main: What to run.

    Returns:
        What it returned.
    """

    async def check() -> Result:
        try:
            return await main
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks left: {left}"

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(check())
