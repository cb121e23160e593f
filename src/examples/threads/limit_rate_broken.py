"""Broken on purpose: between its look at the last start and its own, others look as well."""

import time


class RateLimit:
    """Keep a distance between calls that come one by one, and between no others."""

    def __init__(self, max_starts, *, period_s):
        self.interval_s = period_s / max_starts
        self.last_s = float("-inf")

    def acquire(self):
        """Wait until an interval has passed since the last call."""
        time.sleep(max(0, self.last_s + self.interval_s - time.monotonic()))  # others do the same
        self.last_s = time.monotonic()
