"""Hand what a block measured to the build that runs it.

Runs inside blocks: standard library only.
"""

import json
import os
import sys
from collections.abc import Mapping

__all__ = ["emit", "round_number", "under_a_build"]


def under_a_build() -> bool:
    """Tell whether a build runs this block; else somebody runs it by hand."""
    return "MEASURED_RECORDS" in os.environ


def round_number() -> int:
    """Count the rounds of this block that came before."""
    return int(os.environ.get("MEASURED_ROUND", "0"))


def emit(record: Mapping[str, object]) -> None:
    """Append a record to the file that the build reads.

    The record carries how much the block had printed before, so that a figure
    stands where it was measured.
    """
    sys.stdout.flush()
    try:
        printed = os.fstat(1).st_size
    except OSError:  # the block closed its standard output
        printed = None
    line = json.dumps({**record, "printed": printed}) + "\n"
    with open(os.environ["MEASURED_RECORDS"], "a", encoding="utf-8") as file:
        file.write(line)
