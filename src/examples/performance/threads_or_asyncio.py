"""Make room for many open files and connections.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import errno
import operator

__all__ = ["allow_open_files"]


def allow_open_files(count: int, *, spare: int = 100) -> int | None:
    """Let this process keep `count` files, sockets and pipes open at the same time.

    Use it once, where a program starts that will have many connections. Programs
    started later inherit the limit. Do not use it in a library, whose caller may
    have set the limit low on purpose, nor in a program that calls `select.select`,
    which refuses descriptors of 1024 and above on most systems.

    Args:
        count: How many to make room for, 0 or more.
        spare: Room for what the process opens besides, 0 or more.

    Returns:
        The limit now in force, which is never lowered, or `None` if there is none,
        as on Windows.

    Raises:
        ValueError: If `count` or `spare` is below 0.
        TypeError: If `count` or `spare` is not a whole number.
        OSError: If the system allows fewer than `count + spare`. The limit stays
            as it was.

    Examples:
        >>> allow_open_files(-1)
        Traceback (most recent call last):
        ...
        ValueError: count must be 0 or more, got -1

    Source:
        [resource.setrlimit](https://docs.python.org/3/library/resource.html#resource.setrlimit)
        in the Python documentation.
    """
    for name, value in (("count", count), ("spare", spare)):
        if operator.index(value) < 0:
            raise ValueError(f"{name} must be 0 or more, got {value}")
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    needed = count + spare
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    if soft >= needed:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError) as error:  # above the hard limit, or above that of the system
        raise OSError(
            errno.EMFILE, f"no room for {needed} open files: the hard limit is {hard}"
        ) from error
    return needed
