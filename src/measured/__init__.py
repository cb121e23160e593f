"""Measure, check and draw what a page says about concurrency.

A block on a page calls `compare`, `sweep`, `cost` and `timeline`. The build runs the block,
keeps what it recorded as data, and draws it when the page is rendered.
"""

from typing import TYPE_CHECKING

from measured.timeline import timeline

if TYPE_CHECKING:
    from measured.timing import compare, cost, sweep

__all__ = ["compare", "cost", "sweep", "timeline"]


def __getattr__(name: str) -> object:
    """Import what measures when a block asks for it: MkDocs is served without."""
    if name in __all__:
        from measured import timing  # noqa: PLC0415 - see above

        return getattr(timing, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
