"""Put every fault to every Python and start method, again and again, beside computing processes.

What came of it is written where docs/about/faults.md shows it. It can be stopped, and goes on from
there; what has changed since is done anew, and so is all if .measured/faults.jsonl is deleted.
"""

import argparse
import hashlib
import json
import re
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import psutil
from trust import burning

from measured import machine
from measured.interpreters import EXPECTED, find_interpreters
from measured.machine import Interpreter
from measured.progress import progress_of
from measured.wording import words

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
sys.path.insert(0, str(TESTS))

import fault_cases  # noqa: E402 - beside the tests
import faults  # noqa: E402 - likewise

KNOWN = ROOT / ".measured" / "faults.jsonl"
RECORD = ROOT / "docs" / "assets" / "records" / "faults.json"
LIMIT_S = 60
AT_ONCE = 3  # most of them wait most of the time
MOST_FAILURES = 3  # of one case on one Python: then its other repeats are left out

stopped = Event()


@dataclass(frozen=True)
class Job:
    """A case, on a Python, with a start method.

    Attributes:
        case: The case.
        python: Where it is run.
        method: The start method; empty for cases without processes.
        times: How often.
    """

    case: fault_cases.Case
    python: Interpreter
    method: str
    times: int

    @property
    def name(self) -> str:
        """Name it for a report."""
        return " ".join(filter(None, (self.case.name, self.method, "on", self.python.name)))

    @property
    def key(self) -> str:
        """Tell by what its result is known: all the source that it is made of."""
        where = self.python.name, self.python.executable, self.method, self.times
        return digest(f"{where} {sources(self.case)}".encode())


def digest(content: bytes) -> str:
    """Shorten to a key."""
    return hashlib.sha256(content).hexdigest()[:32]


@cache
def sources(case: fault_cases.Case) -> str:
    """Read what a case is made of: its file, what lies beside it for it, and the modules."""
    own = Path(sys.modules[case.call.__module__].__file__ or "")
    helpers = [
        path for path in own.parent.glob("*.py") if not re.match("test_|faults_of_", path.name)
    ]
    modules = [ROOT / "src" / "examples" / f"{topic}.py" for topic in case.topics]
    files = [TESTS / "faults.py", TESTS / "fault_cases.py", own, *sorted(helpers), *modules]
    return " ".join([case.name, *(digest(path.read_bytes()) for path in files)])


def jobs(times: int, only: str) -> Iterator[Job]:
    """List what is to be run: one fault after the other, on all Pythons."""
    pythons = [one for one in find_interpreters() if one.name.startswith("CPython")]
    for case in sorted(fault_cases.find_cases(), key=lambda case: case.faults):
        for method in case.methods or ("",):
            for python in pythons:
                job = Job(case, python, method, times)
                if only in job.name:
                    yield job


def repeat(job: Job, ends_at: float) -> dict[str, Any] | None:
    """Run a job as often as asked; nothing comes of it if it is stopped or the time is up."""
    passed, failures, began = 0, list[str](), time.monotonic()
    if began > ends_at:
        return None
    while passed + len(failures) < job.times and len(failures) < MOST_FAILURES:
        if stopped.is_set():
            return None
        found = faults.repeat_fault(
            job.case.call,
            *filter(None, [job.method]),
            times=job.times - passed - len(failures),
            limit_s=LIMIT_S,
            python=job.python.executable,
        )
        passed += len(found.printed)
        failures += filter(None, [found.trouble])
    return {
        "key": job.key,
        "name": job.name,
        "passed": passed,
        "failures": failures,
        "seconds": round(time.monotonic() - began, 2),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def run(todo: Sequence[Job], ends_at: float) -> None:
    """Run jobs, some at a time, and write down each as it ends."""
    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        progress_of(len(todo)) as progress,
        KNOWN.open("a", encoding="utf-8") as known,
    ):
        known.write("\n")  # the line before may be half written
        try:
            for future in as_completed([pool.submit(repeat, job, ends_at) for job in todo]):
                if (result := future.result()) is None:
                    continue
                known.write(json.dumps(result) + "\n")
                known.flush()
                progress.begins(result["name"])
                progress.done(result["name"])
                for failure in result["failures"]:
                    print(f"{result['name']}: {failure}", file=sys.stderr)
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            faults.PATIENCE_S = 0  # what is left now is killed
            for child in psutil.Process().children(recursive=True):
                child.kill()
            raise


def load() -> dict[str, dict[str, Any]]:
    """Read what is known, by key; a line that a killed run left half written is dropped."""
    if not KNOWN.exists():
        return {}
    known = {}
    for line in KNOWN.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            result = json.loads(line)
            known[result["key"]] = result
    return known


def tables(found: Mapping[Job, dict[str, Any]]) -> list[dict[str, object]]:
    """Show what the faults are, how often each was survived, and what went wrong."""
    pythons = list(dict.fromkeys(job.python.name.removeprefix("CPython ") for job in found))
    topics, cells = defaultdict(set), defaultdict(list)
    for job, result in found.items():
        python = job.python.name.removeprefix("CPython ")
        for number in job.case.faults:
            topics[number].update(words(topic.rpartition("/")[2]) for topic in job.case.topics)
            cells[number, job.method, python].append(result)
    rows = dict.fromkeys((number, method) for number, method, _ in sorted(cells))
    tables: list[dict[str, object]] = [
        {
            "heads": ("Number", "Fault", "What must happen", "Tried on"),
            "rows": [
                (str(number), *fault_cases.FAULTS[number], ", ".join(sorted(topics[number])))
                for number in sorted(topics)
            ],
        },
        {
            "heads": ("Fault", "Processes started by", "Cases", *pythons),
            "rows": [
                (
                    str(number),
                    method or "-",
                    str(len(cells[number, method, pythons[0]])),
                    *(survived(cells[number, method, python]) for python in pythons),
                )
                for number, method in rows
            ],
        },
    ]
    failed = [
        (job.name, f"{result['passed']} of {result['passed'] + len(result['failures'])}", last_line)
        for job, result in found.items()
        for last_line in sorted({told(failure) for failure in result["failures"]})
    ]
    if failed:
        tables.append({"heads": ("Failed", "Survived", "What came"), "rows": failed})
    return tables


def survived(results: Iterable[Mapping[str, Any]]) -> str:
    """Tell how often all was as it must be."""
    passed = sum(result["passed"] for result in results)
    runs = passed + sum(len(result["failures"]) for result in results)
    return f"{passed} of {runs}"


def told(failure: str) -> str:
    """Shorten a failure to the last line, without the folders of this machine."""
    last = failure.strip().splitlines()[-1]
    return re.sub(r"(/[\w.+-]+)+/", "", last)[:160]


def plate(found: Mapping[Job, dict[str, Any]], times: int, burners: int) -> str:
    """Say in one line on what, when and how this was found."""
    where = machine.describe_machine()
    facts = (
        where.processor,
        f"{where.cores} cores",
        where.system,
        f"each case {times} times",
        f"beside {burners} computing processes",
        f"{sum(result['seconds'] for result in found.values()):.0f} s of runs, {AT_ONCE} at a time",
        max(result["date"] for result in found.values()),
    )
    return " · ".join(facts)


def show(shown: Iterable[Mapping[str, Any]]) -> None:
    """Print tables."""
    for table in shown:
        for row in (table["heads"], *table["rows"]):
            print(" | ".join(row))
        print()


def main() -> None:
    """Run what is not known, print the tables, and write the record when all is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--budget", type=float, default=float("inf"), help="minutes; then it stops")
    parser.add_argument("--beside", type=int, default=2, help="so many computing processes")
    parser.add_argument("--only", default="", help="part of the names; no record is written")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that we end all
    KNOWN.parent.mkdir(exist_ok=True)
    wanted, known = list(jobs(asked.times, asked.only)), load()
    todo = [job for job in wanted if job.key not in known]
    absent = [one for one in EXPECTED if not any(one in job.python.name for job in wanted)]
    if absent:
        print(f"not found, so not tried: Python {', '.join(absent)}", file=sys.stderr)
    if todo:
        with burning(asked.beside):
            run(todo, time.monotonic() + 60 * asked.budget)
        known = load()
    found = {job: known[job.key] for job in wanted if job.key in known}
    if not found:
        sys.exit("nothing was run")
    shown, line = tables(found), plate(found, asked.times, asked.beside)
    show(shown)
    print(line)
    if len(found) < len(wanted):
        sys.exit(f"{len(wanted) - len(found)} of {len(wanted)} are left to run: start it again")
    if not asked.only:
        text = json.dumps({"plate": line, "tables": shown}, indent=1, ensure_ascii=False) + "\n"
        RECORD.write_text(text, encoding="utf-8")
    sys.exit(any(result["failures"] for result in found.values()))


if __name__ == "__main__":
    main()
