"""Broken on purpose: it joins a process before it takes what the process has sent."""

import multiprocessing


def send(queue, size):
    queue.put(bytes(size))  # returns at once: a thread of the queue writes it to a pipe


def receive(size, *, start_method="spawn"):
    """Get a message of `size` bytes from another process, if it fits into a pipe."""
    context = multiprocessing.get_context(start_method)
    queue = context.Queue()
    sender = context.Process(target=send, args=(queue, size))
    sender.start()
    sender.join()  # ends when all is written; the pipe is full, and nobody reads it
    return len(queue.get())
