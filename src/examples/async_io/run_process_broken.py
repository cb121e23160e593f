"""Broken on purpose: the usual recipe. A limit ends one process, and a cancellation ends none."""

import asyncio
from collections.abc import Sequence
from subprocess import PIPE

__all__ = ["communicate"]


async def communicate(argv: Sequence[str], *, timeout_s: float | None) -> bytes:
    """Run a program and return its output."""
    process = await asyncio.create_subprocess_exec(*argv, stdout=PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()  # that one, and nothing that it started
        await process.wait()
        raise
    return output  # once everybody has closed it, and however much it is
