"""Broken on purpose: threads that compute take turns, and an error turns into a missing answer."""

from threading import Thread

__all__ = ["factorise_in_threads", "factors"]


def factors(number: int) -> list[int]:
    """List the divisors of a number of 1 or more, by trying every candidate.

    This part is right, and slow on purpose: it stands for any computation.

    Examples:
        >>> factors(10)
        [1, 2, 5, 10]
        >>> factors(13)
        [1, 13]
        >>> factors(1)
        [1]
    """
    if number < 1:
        raise ValueError(f"number must be 1 or more, got {number}")
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


class FactoriseThread(Thread):
    """A subclass with one method, written to carry one argument in and one result out."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def run(self) -> None:
        self.factors = factors(self.number)


def factorise_in_threads(numbers: list[int]) -> list[list[int]]:
    """Factorise every number in a thread of its own."""
    threads = [FactoriseThread(number) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [thread.factors for thread in threads]
