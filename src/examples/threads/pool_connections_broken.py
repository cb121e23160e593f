"""Broken on purpose: a "connection pool" as tutorials print it, which pools nothing."""

import threading


class ConnectionPool:
    """Counts its borrowers, hands all of them the same object, and takes back more than it lent."""

    def __init__(self, max_connections=3):
        self.semaphore = threading.Semaphore(max_connections)

    def get_connection(self):
        self.semaphore.acquire()  # no timeout: an exhausted pool blocks the calling thread for ever
        return self  # "return a connection object", the same one to everybody

    def release_connection(self):
        self.semaphore.release()  # nothing tells a second release from the first

    def __enter__(self):
        return self.get_connection()

    def __exit__(self, *_):
        self.release_connection()
