"""The 25 faults, what must happen at each, and the cases that put functions to them.

A case is a function of a file `faults_of_<topic>.py`, beside the test of that topic, and says by
`faces` which faults it is. It asserts what must happen; `faults.repeat_fault` runs it and looks at
what it leaves. One with a parameter gets the start method of processes. Test and `make faults`
find the same cases here.
"""

import asyncio
import importlib
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

TESTS = Path(__file__).resolve().parent
METHODS = ("fork", "forkserver", "spawn")
LIMIT_S = 30  # of any wait in a case
Error = TypeVar("Error", bound=BaseException)


class Falsy(Exception):  # noqa: N818 - so it is
    """An error that is not there, if asked carelessly."""

    def __bool__(self) -> bool:
        """Say no."""
        return False

    def __len__(self) -> int:
        """Say that there is nothing."""
        return 0


class Fault(NamedTuple):
    """Something that happens to programs in production.

    Attributes:
        name: In the field's words.
        expected: What must happen. That nothing is left behind holds for each.
    """

    name: str
    expected: str


FAULTS = {
    1: Fault(
        "A worker is killed, as by the OOM killer",
        "The item is named with the signal, after its retries; other outcomes are not lost, or"
        " the pool says that it is broken. Never a hang.",
    ),
    2: Fault(
        "A call ends its process: os._exit(0), SIGSEGV, sys.exit()",
        "Exit code 0 is a death too. SystemExit is that item's error; the caller does not exit.",
    ),
    3: Fault(
        "A call never ends and ignores SIGTERM, and so does its child",
        "TimeoutError for that item; worker and child are killed; the other items finish.",
    ),
    4: Fault(
        "An argument cannot be pickled",
        "Its error at the call, before a process starts; the next hundred items pass.",
    ),
    5: Fault(
        "An argument fails to unpickle in the worker, or exits there",
        "An error with the text of the cause.",
    ),
    6: Fault(
        "A result or an error cannot be pickled, or not be unpickled",
        "An error of that item with the original's text; the items after it pass.",
    ),
    7: Fault(
        "Results larger than a pipe, a slow consumer that leaves after the first",
        "No deadlock; the input is pulled no further than promised; closing ends the workers.",
    ),
    8: Fault(
        "The parent is killed with SIGKILL",
        "Its workers and what they started end; no shared memory and no semaphore stays.",
    ),
    9: Fault(
        "Ctrl-C in the middle",
        "One KeyboardInterrupt, at most one traceback; what had not begun never begins.",
    ),
    10: Fault(
        "Spawn without a main guard; a function that only the main script has",
        "A clear error; no storm of processes.",
    ),
    11: Fault(
        "A fork while another thread holds a lock, as in logging",
        "It is refused, or nothing is forked by default.",
    ),
    12: Fault(
        "The input raises in the middle",
        "Results before it are delivered, or it fails at once, as documented; then that error.",
    ),
    13: Fault(
        "An endless input that is left: close, break, dropped reference",
        "No more is pulled than taken plus the window; nothing runs on.",
    ),
    14: Fault(
        "A slow consumer",
        "Never more than the window is pulled ahead, and no more is alive.",
    ),
    15: Fault(
        "The first item is slow, the rest are fast",
        "What waits for it is bounded; in order, or, if unordered, the others come first.",
    ),
    16: Fault(
        "A call raises while others run",
        "The original error, with the line that raised it; no call begins afterwards, or, where"
        " an error is an outcome, all others come.",
    ),
    17: Fault(
        "Two calls raise at once; errors that are falsy, no Exception, or end an iteration",
        "None is swallowed, none is taken for the end of the results.",
    ),
    18: Fault(
        "A limit of 0, -1, 2.5 or 'x'; no items",
        "ValueError or TypeError at the call; nothing has started. No items, no result, no worker.",
    ),
    19: Fault(
        "Cancelled at the start, in the wait, in the clean-up; a stubborn call; asyncio.timeout",
        "CancelledError goes out once, when all calls have ended; no cancellation stays pending.",
    ),
    20: Fault(
        "An async generator is abandoned",
        "The end of the loop closes it; no task is destroyed while it is pending.",
    ),
    21: Fault(
        "A result is large and the consumer drops it",
        "Nothing else keeps it alive.",
    ),
    22: Fault(
        "In a pipeline a stage raises, or the consumer dies, with all queues full",
        "All stages stop; the error reaches the caller; no producer is blocked for ever.",
    ),
    23: Fault(
        "A rate limit with a crowd: waiters give up, the clock jumps, the rate changes, a new loop",
        "Nobody's start is lost; first come, first served; never above rate and burst.",
    ),
    24: Fault(
        "A program floods both outputs, ignores SIGTERM, leaves a child, writes no UTF-8; or is"
        " not there",
        "Killed as a group when time is up; bytes kept; FileNotFoundError names it; no zombie.",
    ),
    25: Fault(
        "A worker dies attached to shared memory; no room; nested use. The event loop is held",
        "The memory is taken back, and OSError tells of no room. The watch names the line.",
    ),
}


class Case(NamedTuple):
    """Faults brought about for some functions.

    Attributes:
        faults: Their numbers.
        topics: The modules of `examples` that are put to the test, as chapter/topic.
        call: What brings it about.
        methods: The start methods, one of which it is called with; none for most.
        needs_posix: Whether it needs signals and process groups.
    """

    faults: tuple[int, ...]
    topics: tuple[str, ...]
    call: Callable[..., object]
    methods: tuple[str, ...]
    needs_posix: bool

    @property
    def name(self) -> str:
        """Name it for a reader of a report."""
        numbers = "+".join(map(str, self.faults))
        return f"{numbers} {self.topics[0]} {self.call.__name__}"


def faces(
    *faults: int, also: tuple[str, ...] = (), methods: tuple[str, ...] = (), posix: bool = False
) -> Callable[[Any], Any]:
    """Say which faults a function brings about; with `methods`, it gets one as its argument.

    Args:
        faults: Numbers in `FAULTS`.
        also: Further topics than that of its file.
        methods: The start methods for which it holds.
        posix: Whether it needs signals and process groups.
    """

    def mark(call: Any) -> Any:  # noqa: ANN401 - any function
        topic = call.__module__.replace("faults_of_", "").replace(".", "/")
        call.case = Case(faults, (topic, *also), call, methods, posix)
        return call

    return mark


def raises(kind: type[Error], call: Callable[[], object]) -> Error:
    """Call, and return the error that must come."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


async def fails(kind: type[Error], awaitable: Awaitable[object]) -> Error:
    """Await, and return the error that must come."""
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something, not for ever."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def stubborn(*_: object) -> None:
    """Take fifty turns of the loop to be cancelled."""
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        for _turn in range(50):
            await asyncio.sleep(0)
        raise


async def cancel_at(turn: int, caller: Coroutine[Any, Any, object], times: int = 1) -> None:
    """Cancel a caller so many turns after its start: it ends so, and no task outlives it."""
    task = asyncio.create_task(caller)
    for _ in range(turn):
        await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    assert task.cancelled()
    assert len(asyncio.all_tasks()) == 1
    assert times > 1 or task.cancelling() == 1


def find_cases() -> Iterator[Case]:
    """Give every case, chapter by chapter, in the order of the files."""
    for path in sorted(TESTS.glob("*/faults_of_*.py")):
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # for what lies beside it
        module = importlib.import_module(f"{path.parent.name}.{path.stem}")
        for call in vars(module).values():
            case = getattr(call, "case", None)
            if isinstance(case, Case) and case.call.__module__ == module.__name__:
                yield case
