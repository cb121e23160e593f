"""Broken on purpose: a thread dies before the barrier, and the others wait for it for ever."""

import threading


def run_two_phases(first, second, parts, *, limit_s=None):
    """Return what became of each part. `limit_s` is there only so that a page or a test can end."""
    barrier = threading.Barrier(len(parts))
    became = {}

    def run(part):
        became[part] = "died in the first phase"
        first(part)  # if this raises, nobody tells the barrier
        became[part] = "waits at the barrier"
        barrier.wait(limit_s)
        second(part)
        became[part] = "done"

    threads = [threading.Thread(target=run, args=(part,), name=str(part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return became
