"""Broken on purpose: a worker that sleeps through its stop, and a daemon thread that is cut off.

`python -m examples.threads.stop_worker_broken` ends while its thread is in the middle of an order.
"""

import threading
import time

__all__ = ["SleepyWorker"]


class SleepyWorker:
    """Call `work()`, sleep, and look at a flag: told to stop, it sleeps on."""

    def __init__(self, work, *, period_s, name="sleepy-worker"):
        self.work, self.period_s = work, period_s
        self.going = True
        self.thread = threading.Thread(target=self.run, name=name)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.thread.join()

    def run(self):
        while self.going:
            self.work()  # an error ends the thread, and the caller is not told
            time.sleep(self.period_s)  # nothing wakes it; and the work's own time comes on top


def ship(begun):
    try:
        print("order 1: paid", flush=True)
        begun.set()
        time.sleep(60)  # a slow call; meanwhile the program ends
        print("order 1: shipped", flush=True)
    finally:
        print("order 1: closed", flush=True)


def main():
    begun = threading.Event()
    threading.Thread(target=ship, args=[begun], daemon=True).start()
    begun.wait()
    print("the main thread is done", flush=True)


if __name__ == "__main__":
    main()
