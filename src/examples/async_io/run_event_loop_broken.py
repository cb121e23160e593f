"""Broken on purpose: when one coroutine fails, the others go on, and nobody waits for them."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["gather_all"]

Result = TypeVar("Result")


async def gather_all(*coroutines: Coroutine[Any, Any, Result]) -> list[Result]:
    """Run all coroutines at once."""
    return await asyncio.gather(*coroutines)
