"""Run one block as a script, in a fresh interpreter, and end all that it started.

The block has a folder and a process group of its own. Its output is taken at the file
descriptor, so prints of threads, children and C code are in it, in order.
"""

import json
import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psutil

from measured.machine import Interpreter, load_average
from measured.runs import Run

__all__ = ["MOST_BYTES", "Job", "end_all", "run", "side_by_side"]

MOST_BYTES = 1_000_000  # a page that shows more than a megabyte of output helps nobody
FLOOD = f"printed more than {MOST_BYTES:,} bytes", "flood"
C_STACK = "Current thread's C stack trace"  # 3.14's faulthandler adds addresses of machine code
GRACE_S = 2.0  # helpers of multiprocessing end by themselves shortly after the block
INSIDE = Path(__file__).with_name("inside")
ORPHANED_S = 10  # how much longer than its limit a block lives whose build was killed
POLL_S = 0.05

Item = TypeVar("Item")

RUNNING: dict[str, int] = {}
"""The blocks that run now: the process of each, by its token."""


@dataclass(frozen=True, slots=True)
class Job:
    """A block to run.

    Attributes:
        source: The script.
        interpreter: What runs it.
        paths: Folders from which it imports.
        timeout_s: Seconds after which it is ended.
        round_number: How many runs of it came before.
    """

    source: str
    interpreter: Interpreter
    paths: Sequence[Path] = ()
    timeout_s: float = 60.0
    round_number: int = 0


class Watch(threading.Thread):
    """Ends a block that runs too long or prints too much."""

    def __init__(
        self, process: subprocess.Popen[bytes], token: str, job: Job, files: Sequence[Path]
    ) -> None:
        """Watch a process that was just started."""
        super().__init__(name="measured-watch", daemon=True)
        self.reason: tuple[str, str] | None = None
        self.ended = threading.Event()
        self._process, self._token, self._job, self._files = process, token, job, files

    def run(self) -> None:
        """Look at the clock and the files until the block ends."""
        deadline = time.monotonic() + self._job.timeout_s
        while not self.ended.wait(POLL_S):
            if any(path.stat().st_size > MOST_BYTES for path in self._files):
                self.reason = FLOOD
            elif time.monotonic() > deadline:
                self.reason = f"was still running after {self._job.timeout_s:g} s", "timeout"
                self._ask_for_stacks()
            if self.reason:
                end_processes(family(self._token, self._process.pid))
                return

    def _ask_for_stacks(self) -> None:
        """Let the block write the stacks of its threads: its faulthandler answers SIGABRT."""
        if hasattr(os, "killpg"):
            self._process.send_signal(signal.SIGABRT)
            self.ended.wait(1)


def run(job: Job) -> Run:
    """Run a block and wait until it and all it started have ended."""
    folder = Path(tempfile.mkdtemp(prefix="measured-")).resolve()
    try:
        return run_in(folder, job)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_in(folder: Path, job: Job) -> Run:
    """Run a block in an empty folder, with its output beside that."""
    place = folder / "block"
    place.mkdir()
    script = place / "block.py"
    script.write_text(job.source, encoding="utf-8")
    out, err, records = (folder / name for name in ("out", "err", "records"))
    records.touch()
    token = secrets.token_hex(8)
    environment = environment_of(job, records, token)
    result = Run(load=load_average(), started=datetime.now(UTC).isoformat(timespec="seconds"))
    start = time.monotonic()
    try:
        with out.open("ab") as stdout, err.open("ab") as stderr:
            process = subprocess.Popen(  # noqa: S603 - the interpreter was found by name, the script is the page's
                [job.interpreter.executable, script.name],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
    except OSError as error:
        there = Path(job.interpreter.executable).exists()
        words = f"does not start: {error.strerror}" if there else "is gone"
        return Run(failure=f"was not run: {job.interpreter.name} {words}")
    watch = Watch(process, token, job, (out, err))
    watch.start()
    RUNNING[token] = process.pid
    try:
        code = process.wait()
        result.wall_s = time.monotonic() - start
    except BaseException:  # the build is interrupted
        end_processes(family(token, process.pid))
        raise
    finally:
        del RUNNING[token]
        watch.ended.set()
        watch.join()
        left = wait_for_helpers(family(token, process.pid))
        if left:  # one of them may have started another just now
            end_processes([*left, *family(token, process.pid)])
        process.wait()
    result.records = read_records(records)
    scrub = Scrub(folder, job)
    printed, noted = read_start(out), read_start(err)
    result.output = readable(printed, scrub)
    result.errors = readable(noted, scrub).partition(C_STACK)[0]
    for record in result.records:  # from bytes of the file to characters of the text
        if record.get("printed") is not None:
            record["printed"] = len(readable(printed[: record["printed"]], scrub))
    flood = max(path.stat().st_size for path in (out, err)) > MOST_BYTES
    stopped = watch.reason or (FLOOD if flood else None)
    judge(result, code, stopped, broken=not flood and not is_utf8(printed), left=left)
    return result


def environment_of(job: Job, records: Path, token: str) -> dict[str, str]:
    """Build the environment of a block: this one's, without what would change how Python runs."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "MEASURED_", "MKDOCS")) and name != "VIRTUAL_ENV"
    }
    environment |= {
        "COLUMNS": "88",
        "MEASURED_BLOCK": str(math.ceil(job.timeout_s) + ORPHANED_S),
        "MEASURED_RECORDS": str(records),
        "MEASURED_ROUND": str(job.round_number),
        "MEASURED_RUN": token,
        "NO_COLOR": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONPATH": os.pathsep.join(map(str, [INSIDE, *job.paths])),
        "PYTHONUTF8": "1",
    }
    return environment


def family(token: str, pid: int) -> list[psutil.Process]:
    """Find every process that a block started and that still runs, the block included.

    A process is of the family if it descends from the block, is of its session, or inherited its
    environment. So an orphan is found unless it left the session and the environment both.
    """
    found = {}
    try:
        block = psutil.Process(pid)
        found = {child.pid: child for child in [block, *block.children(recursive=True)]}
    except psutil.NoSuchProcess:
        pass
    for process in psutil.process_iter():
        try:
            if process.pid not in found and (
                session_of(process.pid) == pid or process.environ().get("MEASURED_RUN") == token
            ):
                found[process.pid] = process
        except (psutil.Error, OSError):  # not ours, or gone
            continue
    return [process for process in found.values() if alive(process)]


def session_of(pid: int) -> int | None:
    """Return the session of a process, or None where there are no sessions."""
    try:
        return os.getsid(pid)
    except (AttributeError, OSError):
        return None


def alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def wait_for_helpers(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Give processes that end by themselves the time to do so, and return the others."""
    deadline = time.monotonic() + GRACE_S
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < deadline:
        time.sleep(POLL_S / 5)
        left = [process for process in left if alive(process)]
    return left


def end_processes(processes: Iterable[psutil.Process]) -> None:
    """End processes at once, and what they start meanwhile: a stopped parent starts no more."""
    listed = list(processes)
    for act in ("suspend", "kill"):
        for process in listed:
            try:
                getattr(process, act)()
            except psutil.Error:
                continue


def side_by_side(work: Callable[[Item], None], items: Sequence[Item], width: int) -> Iterator[Item]:
    """Work on items in `width` threads and yield each when it is done."""
    with ThreadPoolExecutor(width, thread_name_prefix="measured-run") as pool:
        running = {pool.submit(work, item): item for item in items}
        try:
            for future in as_completed(running):
                future.result()
                yield running[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def end_all() -> None:
    """End every block that runs now: their build is interrupted."""
    for token, pid in list(RUNNING.items()):
        end_processes(family(token, pid))


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read what a block recorded; a line cut short by its death is left out."""
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


class Scrub:
    """Takes the paths of this machine out of a text."""

    def __init__(self, folder: Path, job: Job) -> None:
        """Know the folders of a block, and by which name each is told."""
        python = job.interpreter
        version = "python" + ".".join(map(str, python.version[:2]))
        told = {
            tempfile.gettempdir(): "tmp",
            str(folder): "",
            str(folder / "block"): "",
            str(Path.home()): "~",
            str(Path.cwd()): "",
            **dict.fromkeys(python.prefixes, "prefix"),
            python.library: version,
            python.packages: "site-packages",
            python.executable: "python",
            str(INSIDE): "",
            str(INSIDE.parents[1]): "",
            **{str(path): "" for path in job.paths},
        }
        resolved = {str(Path(path).resolve()): name for path, name in told.items()}
        names = {**resolved, **told}
        self._names = {path: name for path, name in names.items() if len(Path(path).parts) > 1}
        longest_first = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._any = re.compile(rf"({'|'.join(longest_first)})(?![\w.-])([/\\]?)")

    def __call__(self, text: str) -> str:
        """Return `text` with each folder of this machine replaced by a name."""
        return self._any.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        name = self._names[match[1]]
        return f"{name}{match[2]}" if name else "" if match[2] else "."


def read_start(path: Path) -> bytes:
    """Read what a block wrote, up to the limit."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def readable(data: bytes, scrub: Scrub) -> str:
    """Make text of what a block wrote, with bytes that are not UTF-8 as escapes."""
    text = data.decode(errors="backslashreplace").replace("\r\n", "\n")
    return scrub(text) + "\n... and more\n" * (len(data) == MOST_BYTES)


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def judge(
    result: Run,
    code: int,
    stopped: tuple[str, str] | None,
    *,
    broken: bool,
    left: Sequence[psutil.Process],
) -> None:
    """Say in the result whether the block failed, and how."""
    told = [record for record in result.records if record["kind"] in {"exit", "raised"}]
    result.records = [record for record in result.records if record not in told]
    ended: dict[str, Any] = next((one for one in told if one["kind"] == "exit"), {})
    raises = [one for one in told if one["kind"] == "raised"]
    raised = min(raises, key=lambda one: one["thread"] is not None, default=None)
    result.cpu_s, result.peak_kib = ended.get("cpu_s"), ended.get("peak_kib")
    threads = ended.get("threads", [])
    if stopped:
        result.failure, result.failure_name = stopped
    elif code < 0:
        name = signal_name(-code)
        result.failure, result.failure_name = f"was killed by {name}", name
    elif raised:
        place = f" in thread {raised['thread']}" if raised["thread"] else ""
        result.failure, result.failure_name = f"raised {raised['name']}{place}", raised["name"]
    elif code:
        result.failure, result.failure_name = f"ended with exit code {code}", f"exit {code}"
    elif left:
        result.failure, result.failure_name = f"left {len(left)} process(es) running", "processes"
    elif threads:
        names = ", ".join(threads)
        result.failure, result.failure_name = f"left threads running: {names}", "threads"
    elif broken:
        result.failure, result.failure_name = "printed bytes that are not UTF-8", "bytes"


def signal_name(number: int) -> str:
    """Name a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
