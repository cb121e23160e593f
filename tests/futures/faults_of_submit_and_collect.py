"""What can go wrong around submit_and_collect and its ordered sibling, in a process of its own."""

import gc
import itertools
import threading
from collections.abc import Iterator

from executors import NotingPool

from examples.futures.map_with_any_executor import map_with_any_executor
from examples.futures.submit_and_collect import submit_and_collect
from fault_cases import LIMIT_S, faces


def drop_in_a_worker(ordered: bool) -> None:  # noqa: FBT001 - which of the two
    """Have the garbage collector close a generator in the one worker, amid a call of it."""
    full, dropped, collected = threading.Event(), threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield from range(3)
        full.set()
        yield from itertools.count(3)

    def call(item: int) -> None:
        assert full.wait(LIMIT_S)
        if item == 1:
            assert dropped.wait(LIMIT_S)
            gc.collect()
            collected.set()

    with NotingPool(1) as executor:
        cycle: list[object] = []
        if ordered:
            cycle.append(map_with_any_executor(executor, call, items(), max_ahead=4))
        else:
            cycle.append(submit_and_collect(executor, call, items(), max_pending=4))
        cycle.append(cycle)
        next(cycle[0])  # type: ignore[call-overload]
        del cycle
        dropped.set()
        assert collected.wait(LIMIT_S)
    assert [call.cancelled() for call in executor.given] == [False, False, True, True]


@faces(13, also=("futures/map_with_any_executor",))
def endless_input_dropped_in_a_worker() -> None:
    """It would wait for the call that it runs in; what has not begun is cancelled all the same."""
    gc.disable()
    drop_in_a_worker(ordered=True)
    drop_in_a_worker(ordered=False)
    gc.enable()
