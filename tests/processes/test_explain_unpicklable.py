"""explain_unpicklable: the right part, the right reason, and never an error of its own."""

import collections
import functools
import multiprocessing
import pickle
import re
import sqlite3
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import unpicklable_things as things
from hypothesis import given
from hypothesis import strategies as st

from examples.processes.explain_unpicklable import explain_unpicklable
from examples.processes.explain_unpicklable_broken import RefusedError, is_picklable

pytestmark = pytest.mark.usefixtures("nothing_left")
LOCK = "cannot pickle '_thread.lock' object"

values = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers())
        | st.builds(collections.deque, st.lists(inner))
    ),
    max_leaves=20,
)


@given(values)
def test_says_nothing_of_what_can_be_sent(thing: object) -> None:
    """Whatever its shape."""
    assert explain_unpicklable(thing) == []


@given(st.lists(st.one_of(st.integers(min_value=0, max_value=3), st.text()), max_size=8))
def test_the_path_leads_to_the_culprit(steps: list[int | str]) -> None:
    """A lock is buried under lists and dicts; evaluating the path digs it out."""
    lock = threading.Lock()
    thing: object = lock
    for step in reversed(steps):
        thing = [0] * step + [thing] if isinstance(step, int) else {step: thing, 1: 1}

    [line] = explain_unpicklable(thing)

    path = line.removesuffix(f": {LOCK}")
    assert eval(path, {"thing": thing}) is lock  # noqa: S307 - that is what a path is for


@pytest.mark.parametrize(
    ("thing", "lines"),
    [
        (things.Worker(), [f"thing.parts[1]['lock']: {LOCK}"]),
        (things.Worker().work, [f"thing.__self__.parts[1]['lock']: {LOCK}"]),
        (things.Slotted(), [f"thing.lock: {LOCK}"]),
        (collections.deque([1, threading.Lock()]), [f"thing[1]: {LOCK}"]),
        ([threading.Lock(), (threading.Lock(),)], [f"thing[0]: {LOCK}", f"thing[1][0]: {LOCK}"]),
        ((number for number in ()), ["thing: cannot pickle 'generator' object"]),
        (sqlite3, ["thing: cannot pickle 'module' object"]),
        (things.Stubborn(), ["thing: RuntimeError"]),
        (
            lambda: None,
            [f"thing: sent by name, and {__name__}.<lambda> does not lead to it"],
        ),
        (
            things.original,
            ["thing: sent by name, and unpicklable_things.renamed does not lead to it"],
        ),
        (
            functools.partial(print, sep=threading.Lock()),
            [f"thing.keywords['sep']: {LOCK}"],
        ),
        (
            things.make_local(),
            [
                (
                    "thing: sent by name, and unpicklable_things.make_local.<locals>.local"
                    " does not lead to it"
                ),
                f"thing closure 'lock': {LOCK}",
            ],
        ),
        (
            collections.defaultdict(things.original),
            ["thing argument 0: sent by name, and unpicklable_things.renamed does not lead to it"],
        ),
    ],
    ids=lambda value: "" if isinstance(value, list) else type(value).__name__,
)
def test_names_the_part_and_the_reason(thing: object, lines: list[str]) -> None:
    """One line for each culprit, in the order met."""
    assert explain_unpicklable(thing) == lines


def test_an_open_file_is_named(tmp_path: Path) -> None:
    """The message is that of this Python version."""
    with (tmp_path / "file").open("w", encoding="utf-8") as file:
        [line] = explain_unpicklable({"log": file}, name="settings")

    assert re.fullmatch(r"settings\['log'\]: cannot pickle '.*TextIOWrapper' .*", line)


def test_an_instance_of_a_local_class_is_traced_to_its_class() -> None:
    """The class cannot be found by name."""

    class Local:
        pass

    [line] = explain_unpicklable(Local())

    assert line.startswith("thing.__class__: sent by name, and ")
    assert line.endswith(".<locals>.Local does not lead to it")


def test_a_key_can_be_the_culprit() -> None:
    """A lock can be a key."""
    lock = threading.Lock()

    assert explain_unpicklable({lock: 1}) == [f"thing key {lock!r}: {LOCK}"]


def test_what_cannot_be_loaded_is_told() -> None:
    """It can be sent, and the other side fails."""
    [line] = explain_unpicklable([RefusedError("a", "b")])
    assert line.startswith("thing[0]: can be sent, but not loaded: RefusedError.__init__() missing")

    gone = things.Gone()
    gone.reason = 1  # type: ignore[attr-defined]
    assert explain_unpicklable(gone) == ["thing: can be sent, but not loaded: gone"]


def test_a_thing_that_contains_itself_comes_to_an_end() -> None:
    """By a list, and by an attribute."""
    circle: list[object] = [threading.Lock()]
    circle.append(circle)
    worker = things.Worker()
    worker.parts.append(worker)  # type: ignore[arg-type]

    assert explain_unpicklable(circle) == [f"thing[0]: {LOCK}"]
    assert explain_unpicklable(worker) == [f"thing.parts[1]['lock']: {LOCK}"]


def test_what_is_nested_too_deeply_is_told() -> None:
    """Pickling follows each level by a call of its own."""
    thing: list[object] = []
    for _ in range(50_000):
        thing = [thing]

    assert explain_unpicklable(thing) == ["thing: nested too deeply"]


def test_refuses_a_name_that_is_no_string() -> None:
    """Refused at the call."""
    with pytest.raises(TypeError, match="name must be a string, got 1"):
        explain_unpicklable(None, name=1)  # type: ignore[arg-type]


def test_broken_one_passes_what_breaks_a_pool(start_method: str) -> None:
    """The error cannot come back, and the pool is broken; the other function had told it."""
    error = RefusedError("a", "b")
    assert is_picklable(error)
    assert not is_picklable(threading.Lock())
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert explain_unpicklable(error) != []

    context = multiprocessing.get_context(start_method)
    with (
        ProcessPoolExecutor(1, context) as pool,
        pytest.raises(BrokenProcessPool) as broken,
    ):
        pool.submit(things.refuse, "a").result(30)
    assert "missing 1 required positional argument" in str(broken.value.__cause__)


def test_a_result_that_cannot_come_back_is_told_alike(start_method: str) -> None:
    """What the pool says, and what the function says."""
    context = multiprocessing.get_context(start_method)
    with ProcessPoolExecutor(1, context) as pool, pytest.raises(TypeError) as refused:
        pool.submit(things.return_lock).result(30)

    assert explain_unpicklable(threading.Lock()) == [f"thing: {refused.value}"]
