"""Broken on purpose: two threads take the same two locks in opposite order.

`python -m examples.threads.take_locks_broken` deadlocks every time, and ends with the stacks of
its threads after a second.
"""

import faulthandler
import threading

ours, theirs = threading.Lock(), threading.Lock()
each_holds_one = threading.Barrier(2)  # makes certain what is otherwise a matter of luck


def pay():
    with ours:
        each_holds_one.wait()
        with theirs:  # held by collect(), which waits for ours
            pass


def collect():
    with theirs:
        each_holds_one.wait()
        with ours:  # held by pay(), which waits for theirs
            pass


def main():
    faulthandler.dump_traceback_later(1, exit=True)  # the way out: stacks to stderr, exit code 1
    threads = [threading.Thread(target=pay), threading.Thread(target=collect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("never printed")


if __name__ == "__main__":
    main()
