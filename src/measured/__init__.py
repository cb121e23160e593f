"""Measure, check and draw what a page says about concurrency.

A block on a page calls `compare`, `sweep`, `cost` and `timeline`. The build runs the block,
keeps what it recorded as data, and draws it when the page is rendered.
"""

from measured.timeline import timeline
from measured.timing import compare, cost, sweep

__all__ = ["compare", "cost", "sweep", "timeline"]
