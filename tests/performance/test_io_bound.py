"""fetch_all: order, requests in flight as the server counts them, failure, refusal."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError, URLError

import pytest

from examples.performance import io_bound_broken
from examples.performance.io_bound import fetch_all


@contextmanager
def server(answer: Callable[[str], str]) -> Iterator[str]:
    """Serve what `answer` gives for each path, from threads; a `LookupError` is a 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                body, status = answer(self.path).encode(), 200
            except LookupError:
                body, status = b"none", 404
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that has left."""

    with Server(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=[0.01])
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_port}"
        finally:
            serving.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach the server here, whatever proxy this machine has."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def threads_left() -> list[str]:
    """Name the threads of `fetch_all` that are alive."""
    return [thread.name for thread in threading.enumerate() if "fetch_all" in thread.name]


def test_answers_keep_the_order_of_the_addresses() -> None:
    """The first is answered last, and its answer still comes first."""
    second_answered = threading.Event()

    def answer(path: str) -> str:
        if path == "/0":
            assert second_answered.wait(10)
        else:
            second_answered.set()
        return f"page {path}"

    with server(answer) as base:
        assert fetch_all([f"{base}/0", f"{base}/1"]) == [b"page /0", b"page /1"]


@pytest.mark.parametrize("max_in_flight", [1, 4])
def test_fills_the_ceiling_and_never_passes_it(max_in_flight: int) -> None:
    """The server answers nobody before so many are in flight, and counts the most."""
    full, lock = threading.Barrier(max_in_flight), threading.Lock()
    in_flight = peak = 0

    def answer(_: str) -> str:
        nonlocal in_flight, peak
        with lock:
            in_flight += 1
            peak = max(peak, in_flight)
        full.wait(10)
        with lock:
            in_flight -= 1
        return ""

    with server(answer) as base:
        fetch_all([base] * 8, max_in_flight=max_in_flight)

    assert peak == max_in_flight


def test_an_error_names_its_address_and_leaves_nothing_in_flight() -> None:
    """The second is missing while the first is still being answered; it is, and no third begins."""
    asked, missing = [], threading.Event()

    def answer(path: str) -> str:
        asked.append(path)
        if path == "/gone":
            missing.set()
            raise LookupError
        assert missing.wait(10)
        return ""

    with server(answer) as base:
        with pytest.raises(HTTPError, match="404") as failure:
            fetch_all([f"{base}/slow", f"{base}/gone", *[f"{base}/more"] * 50], max_in_flight=2)

        assert failure.value.__notes__ == [f"while fetching {base}/gone"]
        assert failure.value.code == 404
        assert threads_left() == []


def test_a_server_that_is_not_there_is_an_error() -> None:
    """Nobody listens any more."""
    with server(str) as base:
        pass

    with pytest.raises(URLError) as failure:
        fetch_all([base])

    assert failure.value.__notes__ == [f"while fetching {base}"]


def test_a_server_that_does_not_answer_is_left() -> None:
    """The time limit ends the wait; the server's own ends after it."""
    given_up = threading.Event()

    def answer(_: str) -> str:
        assert given_up.wait(10)
        return ""

    with server(answer) as base:
        try:
            with pytest.raises(TimeoutError):
                fetch_all([base], timeout_s=0.05)
        finally:
            given_up.set()


def test_no_addresses_no_answers() -> None:
    """An empty list."""
    assert fetch_all([]) == []


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://127.0.0.1/", "data:,x", "page", ""])
def test_refuses_what_is_not_http_before_any_request(url: str) -> None:
    """The good address in front of it is not asked."""
    asked: list[str] = []

    def answer(path: str) -> str:
        asked.append(path)
        return ""

    with server(answer) as base, pytest.raises(ValueError, match="neither http nor https"):
        fetch_all([base, url])

    assert asked == []


@pytest.mark.parametrize("max_in_flight", [0, -1])
def test_refuses_a_ceiling_below_one(max_in_flight: int) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"1 or more, got {max_in_flight}"):
        fetch_all([], max_in_flight=max_in_flight)


def test_refuses_a_ceiling_that_is_no_whole_number() -> None:
    """Refused at the call."""
    with pytest.raises(TypeError):
        fetch_all([], max_in_flight=2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_refuses_a_time_limit_of_nothing(timeout_s: float) -> None:
    """Refused at the call, naming the value."""
    with pytest.raises(ValueError, match=f"above 0, got {timeout_s}"):
        fetch_all([], timeout_s=timeout_s)


@pytest.mark.filterwarnings("ignore:.*:ResourceWarning")
def test_broken_one_mixes_errors_with_answers_and_loses_the_order() -> None:
    """The second comes first, and it is an error that looks like an answer."""
    second_missing = threading.Event()

    def answer(path: str) -> str:
        if path == "/1":
            second_missing.set()
            raise LookupError
        return "page"

    def held(path: str) -> str:
        if path == "/0":
            assert second_missing.wait(10)
        return answer(path)

    with server(held) as base:
        answers = io_bound_broken.fetch_all([f"{base}/0", f"{base}/1"])
        gc.collect()  # nor does it close the error, which holds a connection

    assert sorted(map(str, answers)) == ["HTTP Error 404: Not Found", "b'page'"]
