"""What can go wrong around watch_loop: each case runs in a process of its own."""

import asyncio
import time

from examples.async_io.keep_loop_free import LoopWatch, watch_loop
from fault_cases import LIMIT_S, faces, raises


@faces(25)
def loop_is_held_and_closed() -> None:
    """By a call into C, which is named; a second stop; a loop that closes under a watch."""

    def block() -> None:
        time.sleep(0.3)

    async def main() -> LoopWatch:
        held: list[tuple[str, float]] = []
        with watch_loop(lambda *told: held.append(told), longest_s=0.1) as watch:
            await asyncio.sleep(0)
            block()
            await asyncio.sleep(0)
            watch.stop()
            watch.stop()
        seen = [seconds for stack, seconds in held if "in block\n" in stack]
        assert len(seen) == 1
        assert seen[0] > 0.1
        return watch_loop(print, longest_s=60)

    left = asyncio.run(main())
    left.stop()

    async def nothing() -> LoopWatch:
        return watch_loop(lambda *_: None, longest_s=0.05)

    closed = asyncio.run(nothing())
    closed._thread.join(LIMIT_S)
    assert not closed._thread.is_alive()
    closed.stop()


@faces(18)
def limits_that_are_none() -> None:
    """Refused at the call, and no thread has started."""

    async def main() -> None:
        for value, kind in ((0, ValueError), (-1, ValueError), ("x", TypeError)):
            raises(kind, lambda: watch_loop(print, longest_s=value))  # type: ignore[arg-type]  # noqa: B023 - called at once

    asyncio.run(main())
    raises(RuntimeError, lambda: watch_loop(print))
