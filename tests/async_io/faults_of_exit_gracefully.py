"""What can go wrong around exit_gracefully: each case runs in a process of its own."""

import asyncio
import os
import signal

from examples.async_io.exit_gracefully import exit_gracefully
from fault_cases import faces, raises


@faces(9, posix=True)
def interrupted_while_it_drains() -> None:
    """Tasks clean up, and the handlers of before are put back."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            cleaned.append("cleaned")

    async def main() -> None:
        async with exit_gracefully(drain_s=1000) as stop, asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(work())
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(1000)

    raises(KeyboardInterrupt, lambda: asyncio.run(main()))
    assert cleaned == ["cleaned"] * 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call."""
    raises(ValueError, lambda: exit_gracefully(drain_s=-1))
    raises(TypeError, lambda: exit_gracefully(drain_s="x"))  # type: ignore[arg-type]
