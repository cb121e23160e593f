"""Broken on purpose: an error ends the thread, and the caller goes on as if all were done."""

from collections.abc import Callable, Mapping
from threading import Thread

__all__ = ["start_workers"]


def start_workers(workers: Mapping[str, Callable[[], object]]) -> None:
    """Run each callable in a thread of its own and join them all.

    `join` waits for the end of a thread, however it ended: it raises nothing.
    """
    threads = [Thread(target=work, name=name) for name, work in workers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_orders() -> None:
    """Fail, as a file with a bad row would."""
    raise ValueError("row 17 has no date")


if __name__ == "__main__":
    start_workers({"reader": read_orders})
    print("all orders read")
