"""Broken on purpose: one pool for all items, so that one dying worker takes the rest with it."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def map_in_one_pool(call, items):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        calls = [pool.submit(call, item) for item in items]
        # The pool breaks once, and every call that it had not finished gets the same error.
        return [call.exception() or call.result() for call in calls]
