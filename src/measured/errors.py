"""What ends a command with one line; a module of its own, as `serve` imports nothing more."""

__all__ = ["FenceError", "StoreError"]


class FenceError(Exception):
    """A fence asks for something that cannot be."""


class StoreError(Exception):
    """The store cannot be written."""
