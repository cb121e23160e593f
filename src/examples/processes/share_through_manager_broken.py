"""Broken on purpose: it changes a list inside a shared dict, and the change is lost."""


def add_to(shared, key, item):
    """Append to the list that a manager's dict has under `key`, or start it."""
    if key not in shared:
        shared[key] = []
    shared[key].append(item)  # the proxy gave a copy of the list; the copy grows and is dropped
