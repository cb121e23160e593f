"""Keep what blocks gave, by what it depends on.

Each run is a file of its own, written at once or not at all; a round is added by adding a file.
So a build can be killed at any moment, and two builds can share a store.
"""

import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from measured.errors import StoreError
from measured.runs import Run

__all__ = ["FORMAT", "Store", "StoreError"]

FORMAT = "measured 1"
"""First words of a result's file; a file that begins otherwise is of another version."""

log = logging.getLogger("mkdocs.plugins.measured")


class Store:
    """A folder of results.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        """Open the store in `folder`, which need not exist."""
        self.folder = folder

    def load(self, key: str) -> list[Run]:
        """Read the runs kept under a key, oldest first.

        A file that is damaged or of another version is dropped, with one line in the log.
        """
        return load_from(self.folder / key[:2] / key)

    def append(self, key: str, run: Run) -> None:
        """Keep one more run under a key.

        Raises:
            StoreError: If the folder cannot be written.
        """
        self._append(self.folder / key[:2] / key, run)

    def failures(self, key: str) -> list[Run]:
        """Read the failed runs kept under a key, oldest first."""
        return load_from(self.folder / "failed" / key)

    def append_failure(self, key: str, run: Run) -> None:
        """Keep a failed run, apart from the others under its key.

        Raises:
            StoreError: If the folder cannot be written.
        """
        self._append(self.folder / "failed" / key, run)

    def forget_failures(self, key: str = "*") -> None:
        """Drop the failed runs of a key, or of every key, under which no other run is kept."""
        for folder in (self.folder / "failed").glob(key):
            if not self.load(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _append(self, folder: Path, run: Run) -> None:
        payload = json.dumps(asdict(run), indent=1)
        text = f"{FORMAT} {digest(payload)}\n{payload}\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            finished = folder / f"{next_moment(folder):020}-{secrets.token_hex(4)}.json"
            unfinished = finished.with_suffix(".part")
            try:
                unfinished.write_text(text, encoding="utf-8")
                unfinished.replace(finished)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(f"cannot write the store {self.folder.name}: {error.strerror}")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of those who run blocks; it falls when the build dies.

        Raises:
            StoreError: If the folder cannot be written.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - a build that runs nothing is quick

        lock = FileLock(self.folder / "lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                log.info("measured: another build is running blocks; waiting for it")
                lock.acquire()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()


def next_moment(folder: Path) -> int:
    """Read the clock, or go on from the newest file where the clock was set back meanwhile."""
    moments = (name.partition("-")[0] for name in os.listdir(folder))  # noqa: PTH208 - as below
    newest = max((int(moment) for moment in moments if moment.isdecimal()), default=0)
    return max(time.time_ns(), newest + 1)


def load_from(folder: Path) -> list[Run]:
    """Read every run in a folder, oldest first."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))  # noqa: PTH208 - many times a build
    except (FileNotFoundError, NotADirectoryError):
        return []
    runs = []
    for path in map(folder.joinpath, names):
        try:
            runs.append(read(path))
        except FileNotFoundError:  # dropped by another build
            continue
        except ValueError as error:
            log.info("measured: dropped a result that %s; it is measured anew", error)
            path.unlink(missing_ok=True)
    return runs


def read(path: Path) -> Run:
    """Read one result.

    Raises:
        ValueError: If the file is damaged or of another version.
    """
    header, _, payload = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    written_as, _, checksum = header.rpartition(" ")
    if written_as != FORMAT:
        raise ValueError(
            "another version wrote" if written_as.startswith("measured") else "is damaged"
        )
    if checksum != digest(payload.rstrip("\n")):
        raise ValueError("is damaged")
    try:
        return Run(**json.loads(payload))
    except TypeError as error:
        raise ValueError("another version wrote") from error


def digest(payload: str) -> str:
    """Digest a payload, to tell a damaged one."""
    return hashlib.sha256(payload.encode()).hexdigest()
