"""Broken on purpose: it weighs the outermost object, and not what is sent along with it."""

import sys

__all__ = ["weigh_message"]


def weigh_message(thing: object) -> int:
    """Give the bytes that `thing` itself takes in memory; what it refers to has its own."""
    return sys.getsizeof(thing)
