"""Rate limits, retries and child programs in asyncio: so many in a row, none of which waits."""

import asyncio
import sys
from subprocess import DEVNULL

import aiolimiter
import anyio
import tenacity
from ways import OURS, PLAIN, Task, Way

from examples.async_io.limit_rate import RateLimit
from examples.async_io.retry_under_deadline import retry_under_deadline
from examples.async_io.run_process import run_process

PROGRAM = [sys.executable, "-S", "-c", "pass"]
PLENTY = 10**9


async def ours_limit(n: int) -> None:
    """Pass a limit that is never reached."""
    limit = RateLimit(PLENTY, period_s=1, burst=PLENTY)
    for _ in range(n):
        await limit.acquire()


async def aiolimiter_limit(n: int) -> None:
    """Pass a limit that is never reached."""
    limit = aiolimiter.AsyncLimiter(PLENTY, 1)
    for _ in range(n):
        await limit.acquire()


async def succeed() -> None:
    """Succeed at once."""


async def ours_retry(n: int) -> None:
    """Succeed at the first attempt."""
    for _ in range(n):
        await retry_under_deadline(succeed, timeout_s=60, on=OSError)


async def tenacity_retry(n: int) -> None:
    """Succeed at the first attempt."""
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(OSError), stop=tenacity.stop_after_delay(60)
    )
    for _ in range(n):
        await retrying(succeed)


async def ours_program(n: int) -> None:
    """Run programs one after the other."""
    for _ in range(n):
        await run_process(PROGRAM, timeout_s=60, max_output_bytes=1_000)


async def anyio_program(n: int) -> None:
    """Run programs one after the other."""
    for _ in range(n):
        await anyio.run_process(PROGRAM)


async def asyncio_program(n: int) -> None:
    """Run programs one after the other."""
    for _ in range(n):
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, stdin=DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        await process.communicate()


TASKS = {
    "rate": Task(
        "asyncio: pass a rate limit that is not reached",
        [
            Way("RateLimit", ours_limit, OURS, PLAIN),
            Way("AsyncLimiter", aiolimiter_limit, "aiolimiter", PLAIN),
        ],
        100_000,
        ("cost",),
    ),
    "retry": Task(
        "asyncio: succeed at the first attempt",
        [
            Way("retry_under_deadline", ours_retry, OURS, PLAIN),
            Way("AsyncRetrying", tenacity_retry, "tenacity", PLAIN),
        ],
        20_000,
        ("cost",),
    ),
    "program": Task(
        "asyncio: run a program that ends at once",
        [
            Way("run_process", ours_program, OURS, PLAIN),
            Way("create_subprocess_exec", asyncio_program, "", PLAIN),
            Way("run_process", anyio_program, "anyio", PLAIN),
        ],
        20,
        ("cost",),
    ),
}
