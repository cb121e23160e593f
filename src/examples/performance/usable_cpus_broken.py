"""Broken on purpose: it counts the machine's cores, whoever may use them."""

import os


def usable_cpus():
    """Tell how many cores the machine has."""
    return os.cpu_count() or 1
