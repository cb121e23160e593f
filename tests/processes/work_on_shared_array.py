"""Work for child processes on a shared array."""

import os
from multiprocessing.synchronize import Barrier

from examples.processes.share_array import SharedArray


def double(array: SharedArray, index: int) -> None:
    """Double one number in place."""
    with array.view() as numbers:
        numbers[index] *= 2


def fail(array: SharedArray) -> None:
    """Fail with the view open."""
    with array.view() as numbers:
        raise LookupError(len(numbers))


def meet_inside(array: SharedArray, index: int, everyone: Barrier) -> None:
    """Write a number, wait until all have written theirs, and check them all."""
    with array.view() as numbers:
        numbers[index] = index + 1
        everyone.wait(30)
        assert numbers.tolist() == [1, 2, 3]
        everyone.wait(30)


def die(array: SharedArray) -> None:
    """Die with the view open."""
    with array.view() as numbers:
        numbers[0] = 7
        os._exit(3)
