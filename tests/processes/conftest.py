"""What the tests of processes share: work that children can import, and a look at what is left."""

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Children of every start method get this path, and import the work from there.
sys.path.insert(0, str(Path(__file__).parent))

QUIET = pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # pytest has a watching thread


@pytest.fixture(
    params=[
        pytest.param(method, marks=QUIET if method == "fork" else ())
        for method in sorted(multiprocessing.get_all_start_methods())
    ]
)
def start_method(request: pytest.FixtureRequest) -> str:
    """Give each start method that this platform has."""
    method: str = request.param
    return method


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Look for children when the test is over."""
    yield
    assert multiprocessing.active_children() == []
