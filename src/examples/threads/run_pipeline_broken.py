"""Broken on purpose: the consumer dies, and the producer waits for ever to put one more item.

`python -m examples.threads.run_pipeline_broken` hangs every time, and ends with the stack of its
main thread after a second.
"""

import faulthandler
import queue
import threading

items = queue.Queue(maxsize=2)  # bounded, as it should be


def consume():
    while True:
        number = items.get()
        print("consumed", 6 // (3 - number))  # dies at number 3, and nobody is told


def main():
    faulthandler.dump_traceback_later(1, exit=True)  # the way out: stacks to stderr, exit code 1
    threading.excepthook = lambda args: print("consumer died:", repr(args.exc_value), flush=True)
    threading.Thread(target=consume, name="consumer").start()
    for number in range(10):
        items.put(number)  # at number 6 the queue is full, and nobody reads it any more
    print("never printed")


if __name__ == "__main__":
    main()
