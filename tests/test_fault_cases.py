"""Each of the 25 faults, once, on the interpreter that runs this; `make faults` runs them all."""

import multiprocessing
import os

import pytest

from fault_cases import FAULTS, Case, find_cases
from faults import run_fault

CASES = list(find_cases())
THERE = set(multiprocessing.get_all_start_methods())


def test_every_fault_has_a_case_or_more() -> None:
    """And no case has a fault that is not in the list."""
    assert sorted({number for case in CASES for number in case.faults}) == sorted(FAULTS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_survives(case: Case) -> None:
    """What must happen, twice, and nothing is left; a case's docstring says what."""
    if case.needs_posix and os.name != "posix":
        pytest.skip("signals and groups of processes are POSIX's")
    methods = [method for method in case.methods if method in THERE]
    run_fault(case.call, *methods[-1:])
