"""What `timeline` records of times that its caller took."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from measured import timeline


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[list[object]]]:
    """Let this be a block under a build at 1000 s; give a function that reads its one timeline."""
    file = tmp_path / "records"
    monkeypatch.setenv("MEASURED_RECORDS", str(file))
    monkeypatch.setattr("time.perf_counter", lambda: 1000.0)

    def read() -> list[list[object]]:
        spans: list[list[object]] = json.loads(file.read_text(encoding="utf-8"))["spans"]
        return spans

    return read


def test_times_of_the_caller_are_recorded_as_they_are(
    spans: Callable[[], list[list[object]]],
) -> None:
    """In the lane of the thread that adds them, from the start of the picture, in order."""
    with timeline("t") as lanes:
        lanes.add("compute", 1003.0, 1003.5)
        thread = threading.Thread(target=lanes.add, args=("wait", 1002.0, 1004.0), name="other")
        thread.start()
        thread.join(10)
        lanes.add("begun", 1001.0, 1001.0)

    assert spans() == [
        ["main", "begun", 1.0, 1.0],
        ["other", "wait", 2.0, 4.0],
        ["main", "compute", 3.0, 3.5],
    ]


def test_an_end_before_the_start_is_refused(spans: Callable[[], list[list[object]]]) -> None:
    """At the call, with both; the rest of the picture is there."""
    with timeline("t") as lanes:
        lanes.add("compute", 1001.0, 1002.0)
        with pytest.raises(ValueError, match=r"'wait' ends before it starts: 1002\.0 s, 1003\.0 s"):
            lanes.add("wait", 1003.0, 1002.0)

    assert spans() == [["main", "compute", 1.0, 2.0]]
