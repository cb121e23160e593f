"""Broken on purpose: nobody holds the task, nobody hears of its error, nobody waits for its end."""

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["begin"]


def begin(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Begin a task, and forget it."""
    asyncio.create_task(coroutine)
