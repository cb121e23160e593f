"""Broken on purpose: it waits for the end of a program that waits for its pipe to be read."""

from collections.abc import Sequence
from subprocess import PIPE, Popen

__all__ = ["run_program"]


def run_program(command: Sequence[str], *, timeout_s: float | None = None) -> bytes:
    """Run a program and return its output. The limit only serves to see the hang end."""
    process = Popen(command, stdout=PIPE)
    try:
        process.wait(timeout_s)  # a pipe holds so much; a program that writes more stops there
        return process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
