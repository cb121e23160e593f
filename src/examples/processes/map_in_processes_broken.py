"""Broken on purpose: it calls 10 a prime, and waits for ever when a worker dies."""

import multiprocessing
import os


def is_prime(number):
    for divisor in range(3, int(number**0.5) + 1, 2):  # even divisors are never tried
        if number % divisor == 0:
            return False
    return True


def is_prime_with_pid(number):
    return number, is_prime(number), os.getpid()


def map_in_pool(compute, items):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        # A worker that dies is replaced; what it was doing is not done again, and not reported.
        return pool.map(compute, items)
