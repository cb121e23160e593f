"""Broken on purpose: a view outlives the block it looks into, and nobody unlinks the block."""

from array import array
from collections.abc import Iterable
from multiprocessing.shared_memory import SharedMemory

__all__ = ["first_numbers", "share_array"]


def share_array(numbers: Iterable[float]) -> str:
    """Copy numbers into a new block and return its name. Whoever has the name may read it."""
    data = array("d", numbers).tobytes()
    memory = SharedMemory(create=True, size=len(data))
    memory.buf[: len(data)] = data
    memory.close()
    return memory.name  # whose turn is it to unlink? nobody's


def first_numbers(name: str, count: int) -> list[float]:
    """Read the first numbers of a block."""
    memory = SharedMemory(name)
    numbers = memory.buf.cast("d")
    memory.close()  # too early: `numbers` still looks into the block
    return numbers[:count].tolist()
