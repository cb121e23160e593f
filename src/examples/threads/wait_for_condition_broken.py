"""Broken on purpose: a condition with no state, one looked at once, one that wakes one thread."""

import threading


class Signal:
    """Remembers nothing: a notification that comes before the wait is lost."""

    def __init__(self):
        self.condition = threading.Condition()

    def send(self):
        with self.condition:
            self.condition.notify_all()

    def wait(self, timeout_s):
        with self.condition:
            return self.condition.wait(timeout_s)  # looks at no state first: there is none


class Shelf:
    """Looks once: a thread that is woken takes it for granted that an item is there."""

    def __init__(self):
        self.condition = threading.Condition()
        self.items = []
        self.waiting = threading.Semaphore(0)  # counts the threads that wait

    def put(self, item):
        with self.condition:
            self.items.append(item)
            self.condition.notify_all()

    def take(self):
        with self.condition:
            if not self.items:  # should be: while not self.items
                self.waiting.release()
                self.condition.wait()
            return self.items.pop()


class Number:
    """Wakes one thread of those that wait, and that may be one which wants another number."""

    def __init__(self):
        self.condition = threading.Condition()
        self.number = 0
        self.waiting = threading.Semaphore(0)

    def set(self, number):
        with self.condition:
            self.number = number
            self.condition.notify()  # should be: notify_all

    def wait_for(self, wanted, timeout_s):
        with self.condition:
            while self.number != wanted:
                self.waiting.release()
                if not self.condition.wait(timeout_s):
                    return "slept through it"
            return "woken"
