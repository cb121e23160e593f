"""Broken on purpose: errors become answers, and nobody can say which address failed."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from urllib.request import urlopen

__all__ = ["fetch_all"]


def fetch_all(urls: Iterable[str], *, max_in_flight: int = 16) -> list[bytes | str]:
    """Fetch every address, without a time limit, and give the answers as they happen to come."""
    answers = []
    with ThreadPoolExecutor(max_in_flight) as pool:
        for call in as_completed([pool.submit(urlopen, url) for url in urls]):
            try:
                with call.result() as answer:
                    answers.append(answer.read())
            except OSError as error:
                answers.append(str(error))
    return answers
