"""Fetch many web addresses at once, in threads.

Copy this file whole: standard library only, Python 3.11 or newer.
"""

import operator
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

__all__ = ["fetch_all"]


def fetch_all(
    urls: Iterable[str],
    *,
    max_in_flight: int = 16,
    timeout_s: float = 30.0,
) -> list[bytes]:
    """Fetch every address, at most `max_in_flight` at a time, and keep their order.

    Use it for some hundreds of requests without installing anything. Do not use
    it for thousands to one server: each request opens a connection of its own,
    and a client library with a session keeps connections open.

    Args:
        urls: Addresses that begin with `http` or `https`, read to their end before
            the first request. Proxies are taken from the environment.
        max_in_flight: Ceiling on requests at the same time, 1 or more.
        timeout_s: Seconds that connecting, and each wait for more bytes, may take.
            A server that sends a byte now and then can take longer in all, and so
            can the look-up of a name.

    Returns:
        The body of each answer, in the order of `urls`.

    Raises:
        ValueError: If `max_in_flight` is below 1, `timeout_s` is not above 0, or an
            address is neither `http` nor `https`. Nothing has been requested.
        TypeError: If `max_in_flight` is not a whole number.
        OSError: If a request fails: no connection, a time limit, a status outside 200
            to 299 (redirects are followed) as `urllib.error.HTTPError`, closed. A note
            on the error names the address. Of several errors the first by the order of
            `urls` is raised. Requests in flight end first; requests not begun are
            dropped.
        Exception: Likewise, if what comes back is not HTTP or not complete.

    Examples:
        >>> fetch_all(["file:///etc/hosts"])
        Traceback (most recent call last):
        ...
        ValueError: neither http nor https: 'file:///etc/hosts'

    Source:
        [urllib.request](https://docs.python.org/3/library/urllib.request.html)
        in the Python documentation.
    """
    if operator.index(max_in_flight) < 1:
        raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight}")
    if not timeout_s > 0:
        raise ValueError(f"timeout_s must be above 0, got {timeout_s}")
    todo = list(urls)
    for url in todo:
        if urlsplit(url).scheme not in {"http", "https"}:  # urlopen would open files as well
            raise ValueError(f"neither http nor https: {url!r}")

    def fetch(url: str) -> bytes:
        try:
            with urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - checked above
                body: bytes = answer.read()
                return body
        except Exception as error:
            error.add_note(f"while fetching {url}")
            if isinstance(error, HTTPError):
                error.close()  # it holds the connection
            raise

    pool = ThreadPoolExecutor(max_in_flight, thread_name_prefix="fetch_all")
    try:
        calls = [pool.submit(fetch, url) for url in todo]
        wait(calls, return_when=FIRST_EXCEPTION)
    finally:
        pool.shutdown(cancel_futures=True)
    # Requests begin in the order of the addresses, so whatever was dropped stands behind the error.
    return [begun.result() for begun in calls]
