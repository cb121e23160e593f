"""Broken on purpose: it waits for processes that wait for their messages to be taken."""


def join_and_drain(processes, queue):
    """Join every process, then take what it has put: right for what fits into a pipe."""
    for process in processes:
        process.join()  # ends when all is written; the pipe is full, and nobody reads it
    messages = []
    while not queue.empty():
        messages.append(queue.get())
    return messages
