"""What can go wrong around submit_and_collect and its ordered sibling, in a process of its own."""

from executors import drop_in_a_worker

from examples.futures.map_with_any_executor import map_with_any_executor
from examples.futures.submit_and_collect import submit_and_collect
from fault_cases import faces


@faces(13, also=("futures/map_with_any_executor",))
def endless_input_dropped_in_a_worker() -> None:
    """It would wait for the call that it runs in; what has not begun is cancelled all the same."""
    drop_in_a_worker(
        lambda executor, call, items: map_with_any_executor(executor, call, items, max_ahead=4)
    )
    drop_in_a_worker(
        lambda executor, call, items: submit_and_collect(executor, call, items, max_pending=4)
    )
