"""Broken on purpose: the usual recipe. A signal cancels all tasks, in the middle of their work."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

__all__ = ["cancel_on_signals"]


async def cancel_on_signals(main: Coroutine[Any, Any, object]) -> None:
    """Await `main`, and cancel everything at SIGINT and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cancel_all)  # called by the loop, if it has its turn
    await main


def cancel_all() -> None:
    """Cancel every task, whatever it is doing."""
    for task in asyncio.all_tasks():
        task.cancel()
