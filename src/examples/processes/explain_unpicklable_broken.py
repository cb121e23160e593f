"""Broken on purpose: it only sends and never loads, and says whether, not where or why."""

import pickle

__all__ = ["RefusedError", "is_picklable"]


def is_picklable(thing: object) -> bool:
    """Tell whether an object can be sent to another process."""
    try:
        pickle.dumps(thing)
    except Exception:
        return False
    return True


class RefusedError(Exception):
    """An error with two arguments, which passes on one: it can be sent, and not be loaded."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"{item}: {reason}")
        self.item = item
        self.reason = reason
