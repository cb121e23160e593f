"""Audit pages of a built site with Lighthouse, as on a phone: `lighthouse.py site`.

Each page is loaded three times; the median of each score is printed. The score of the performance
needs a machine that is quiet. Nothing is sent to anyone. Tests import this as well.
"""

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from npm_packages import find

PAGES = ("", "threads/overlap_waits/", "functions/")
WANTED = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
FLAGS = "--headless=new --no-sandbox --disable-gpu"


class AuditError(Exception):
    """Lighthouse is not there, or gave no report."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves the files of a folder without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Compressed(Quiet):
    """Serves them compressed, as hosts do."""

    def do_GET(self) -> None:
        """Send a file, or the index of its folder."""
        path = Path(self.translate_path(self.path))
        file = path / "index.html" if path.is_dir() else path
        if not file.is_file():
            self.send_error(404)
            return
        body = gzip.compress(file.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve(site: Path, handler: type[Quiet] = Compressed) -> Iterator[str]:
    """Serve a folder on this machine alone; give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def audit(address: str) -> dict[str, Any]:
    """Load a page as a phone with a slow network does, and judge it.

    Returns:
        The report of Lighthouse.

    Raises:
        AuditError: If Lighthouse is not there, or gave no report.
    """
    script, node = find("lighthouse/cli/index.js"), shutil.which("node")
    if script is None or node is None:
        message = "Lighthouse left out: install Node.js with npm, which can fetch it"
        raise AuditError(message)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        report = Path(folder, "report.json")
        done = subprocess.run(
            [
                node,
                str(script),
                address,
                "--quiet",
                "--no-enable-error-reporting",
                "--output=json",
                f"--output-path={report}",
                f"--chrome-flags={FLAGS}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=180,
            check=False,
        )
        if not report.exists():
            raise AuditError(done.stdout)
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if "runtimeError" in found:
        raise AuditError(found["runtimeError"]["message"])
    return found


def scores(report: dict[str, Any]) -> dict[str, int]:
    """Read the score of each category, of 100."""
    return {name: round(one["score"] * 100) for name, one in report["categories"].items()}


def main(arguments: list[str] | None = None) -> int:
    """Print the medians; return 1 if one is less than wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, metavar="SITE", help="the folder of the built site")
    parser.add_argument("--runs", type=int, default=3, help="how often each page is loaded")
    asked = parser.parse_args(arguments)
    enough = True
    with serve(asked.site) as home:
        for page in PAGES:
            runs = [scores(audit(home + page)) for _ in range(asked.runs)]
            medians = {name: statistics.median(run[name] for run in runs) for name in WANTED}
            print(f"/{page}", *(f"{name} {score}" for name, score in medians.items()), sep="  ")
            enough &= all(medians[name] >= wanted for name, wanted in WANTED.items())
    return int(not enough)


if __name__ == "__main__":
    sys.exit(main())
