"""Broken on purpose: a permit is given back twice when the call fails, and the ceiling rises."""

__all__ = ["call_limited"]


def call_limited(permits, call):
    """Call `call()` while holding one permit of a semaphore."""
    permits.acquire()
    try:
        return call()
    except OSError:
        permits.release()  # "clean up after an error"
        raise
    finally:
        permits.release()  # runs after an error as well
