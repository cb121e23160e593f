"""Broken on purpose: it forks while a thread holds a lock, so the child waits for that lock for ever.

`python -m examples.processes.choose_start_method_broken` shows it every time: after a second the
child writes the stack that it is stuck in, and ends.
"""

import faulthandler
import multiprocessing
import threading

lock = threading.Lock()  # stands for one inside a library: of a log, a cache, a connection
held = threading.Event()
done = threading.Event()


def hold():
    with lock:
        held.set()
        done.wait()


def work():
    faulthandler.dump_traceback_later(1, exit=True)  # the way out: the stack, then exit code 1
    with lock:  # copied as it was: held, by a thread that was not copied
        print("never printed")


def main():
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()  # makes certain what is otherwise a matter of luck
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    done.set()  # the parent's thread releases the parent's lock; the child's copy stays held
    holder.join()
    child.join()
    print("the parent's lock is held:", lock.locked())
    print("exit code of the child:", child.exitcode)


if __name__ == "__main__":
    main()
