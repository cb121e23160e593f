"""Broken on purpose: all who wait look at the same last start, and set out together."""

import asyncio


class RateLimit:
    """Keep a distance between calls that come one by one, and between no others."""

    def __init__(self, max_starts: int, *, period_s: float) -> None:
        self.interval_s = period_s / max_starts
        self.last_s = float("-inf")

    async def acquire(self) -> None:
        """Wait until an interval has passed since the last call."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.last_s + self.interval_s - loop.time())  # others do the same
        self.last_s = loop.time()
