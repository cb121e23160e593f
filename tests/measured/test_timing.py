"""What `compare`, `sweep` and `cost` do inside a block, on a clock that the test winds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from measured import machine, records, timing
from measured.timing import compare, cost, sweep


class Clock:
    """A clock that moves only when somebody works.

    Attributes:
        now: Its seconds.
        calls: Which arms were called, in order.
    """

    def __init__(self) -> None:
        """Begin at no particular time."""
        self.now = 1000.0
        self.calls: list[str] = []

    def arm(self, name: str, *seconds: float) -> Callable[[], str]:
        """Make an arm that takes so long at each call, the last time from then on."""
        left = list(seconds)

        def work() -> str:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]
            return "done"

        return work


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let `compare` read a clock of ours."""
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    return clock


@pytest.fixture
def written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], list[dict[str, object]]]:
    """Let this be a block under a build; give a function that reads what it recorded."""
    file = tmp_path / "records"
    monkeypatch.setenv("MEASURED_RECORDS", str(file))
    return lambda: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be a script that somebody runs."""
    monkeypatch.delenv("MEASURED_RECORDS", raising=False)


@pytest.mark.usefixtures("written")
def test_a_round_is_one_pair_in_turning_order(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warm-ups first; then AB in even rounds and BA in odd ones."""
    for number, order in enumerate([["a", "b"], ["b", "a"]] * 2):
        clock.calls.clear()
        monkeypatch.setenv("MEASURED_ROUND", str(number))
        made = compare("t", a=clock.arm("a", 1.0), b=clock.arm("b", 2.0))
        assert clock.calls == ["a", "b", *order]
        assert len(made.rounds) == 1
        assert list(made.rounds[0]) == ["a", "b"]


def test_what_is_recorded_is_seconds_of_one_call(
    clock: Clock, written: Callable[[], list[dict[str, object]]]
) -> None:
    """An arm of a hundredth of a second is called twenty times for a sample of 0.2 s."""
    compare("t", long=clock.arm("a", 0.5), short=clock.arm("b", 0.01))

    (record,) = written()
    assert (record["kind"], record["title"]) == ("comparison", "t")
    arms = record["arms"]
    assert arms["long"]["calls"] == 1
    assert arms["short"]["calls"] in {20, 21}  # the clock's last digit decides
    assert arms["long"]["wall_s"] == pytest.approx(0.5)
    assert arms["short"]["wall_s"] == pytest.approx(0.01)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("seconds", [1e-6, 1e-4, 0.01, 0.19, 0.2, 3.0])
def test_a_sample_is_long_enough_and_not_much_longer(clock: Clock, seconds: float) -> None:
    """At least 0.2 s, whatever a call takes; the first call's extra cost misleads nobody."""
    arm = clock.arm("a", 0.015, seconds)
    made = compare("t", a=arm, b=clock.arm("b", 1.0))
    sample = made.rounds[0]["a"]

    assert sample.calls * sample.wall_s >= 0.2 * 0.999
    assert sample.calls == 1 or sample.calls * sample.wall_s < 0.45


@pytest.mark.usefixtures("written")
def test_a_slow_first_call_makes_no_short_sample(clock: Clock) -> None:
    """Whatever starts at the first call only: the calls after it still make a long sample."""
    made = compare("t", a=clock.arm("a", 0.5, 0.0001), b=clock.arm("b", 1.0))
    sample = made.rounds[0]["a"]

    assert sample.calls * sample.wall_s >= 0.2 * 0.999


@pytest.mark.usefixtures("written")
def test_arms_must_agree() -> None:
    """A comparison of things that do different work says nothing."""
    with pytest.raises(ValueError, match=r"arms that disagree: one gives 'a+\.\.\., two gives 'b'"):
        compare("t", one=lambda: "a" * 1000, two=lambda: "b")


@pytest.mark.usefixtures("written")
def test_one_arm_is_no_comparison() -> None:
    """Refused at the call, with the number."""
    with pytest.raises(ValueError, match="needs 2 arms or more, got 1"):
        compare("t", only=lambda: None)
    with pytest.raises(ValueError, match="got 0"):
        compare("t")


@pytest.mark.usefixtures("written")
def test_an_error_of_an_arm_reaches_the_block(clock: Clock) -> None:
    """And nothing is recorded of that comparison."""

    def fail() -> None:
        raise KeyError("in an arm")

    with pytest.raises(KeyError, match="in an arm"):
        compare("t", well=clock.arm("a", 1.0), ill=fail)


@pytest.mark.usefixtures("written")
def test_a_claim_names_arms_that_there_are_and_one_bound(clock: Clock) -> None:
    """Anything else is refused at the call."""
    made = compare("t", a=clock.arm("a", 1.0), b=clock.arm("b", 2.0))
    with pytest.raises(ValueError, match="has no arm 'c'"):
        made.claim("x", ratio=("a", "c"), at_least=1)
    with pytest.raises(ValueError, match="needs one bound, at_least or at_most: 'x'"):
        made.claim("x", ratio=("a", "b"))
    with pytest.raises(ValueError, match="needs one bound"):
        made.claim("x", ratio=("a", "b"), at_least=1, at_most=2)


def test_a_claim_is_recorded_with_all_that_decides_it(
    clock: Clock, written: Callable[[], list[dict[str, object]]]
) -> None:
    """Bound, arms, needs, and the sentence."""
    made = compare("t", a=clock.arm("a", 1.0), b=clock.arm("b", 2.0))
    made.claim("A is quicker.", ratio=("b", "a"), at_least=1.5, needs=("gil", "2 cores"))

    record = written()[-1]
    record.pop("printed")
    assert record == {
        "kind": "claim",
        "of": "t",
        "text": "A is quicker.",
        "ratio": ["b", "a"],
        "at_least": 1.5,
        "at_most": None,
        "needs": ["gil", "2 cores"],
    }


@pytest.mark.usefixtures("by_hand")
def test_by_hand_a_table_is_printed(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Some pairs at once, with the ratio of each arm, and what was claimed."""
    made = compare("Two ways", slow=clock.arm("a", 3.0), quick=clock.arm("b", 1.0))
    made.claim("Quick is quicker.", ratio=("slow", "quick"), at_least=2)

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Two ways (5 rounds)"
    assert printed[1].split() == ["slow", "3.000000000", "s", "slow", "/", "slow:", "1.00"]
    assert printed[2].split() == ["quick", "1.000000000", "s", "slow", "/", "quick:", "3.00"]
    assert printed[3:] == ["Quick is quicker.", "  slow / quick: 3.00 here, at least 2 claimed"]
    assert len(made.rounds) == 5
    assert clock.calls[2:] == ["a", "b", "b", "a", "a", "b", "b", "a", "a", "b"]


@pytest.mark.usefixtures("by_hand")
def test_by_hand_nothing_is_recorded() -> None:
    """There is no build that would read it."""
    assert not records.under_a_build()


def test_a_sweep_takes_its_pairs_value_by_value(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, written: Callable[[], list[dict[str, object]]]
) -> None:
    """At each value the arms are back to back; odd rounds go through all of it backwards."""

    def arm(name: str) -> Callable[[int], int]:
        def work(value: int) -> int:
            clock.arm(f"{name}{value}", float(value))()
            return value

        return work

    for number, order in enumerate([["a1", "b1", "a2", "b2"], ["b2", "a2", "b1", "a1"]]):
        clock.calls.clear()
        monkeypatch.setenv("MEASURED_ROUND", str(number))
        made = sweep("t", "waits", [1, 2], a=arm("a"), b=arm("b"))
        assert clock.calls == ["a1", "b1", "a2", "b2", *order]
        assert made.time_s("b at 2") == pytest.approx(2.0)

    record = written()[-1]
    assert (record["kind"], record["parameter"]) == ("sweep", "waits")
    assert (record["values"], record["curves"]) == ([1, 2], ["a", "b"])
    assert list(record["arms"]) == ["a at 1", "b at 1", "a at 2", "b at 2"]  # type: ignore[call-overload]


@pytest.mark.usefixtures("written")
def test_a_sweep_that_cannot_be_is_refused() -> None:
    """One value, no arm, arms that disagree at one value, a claim on a value that is not there."""
    with pytest.raises(ValueError, match="'t' needs two values or more, got 1"):
        sweep("t", "n", [1], a=lambda n: n)
    with pytest.raises(ValueError, match="'t' needs 1 arms or more, got 0"):
        sweep("t", "n", [1, 2])
    with pytest.raises(ValueError, match="arms that disagree: a at 2 gives 2, b at 2 gives 1"):
        sweep("t", "n", [1, 2], a=lambda n: n, b=lambda _: 1)
    made = sweep("t", "n", [1, 2], a=lambda n: n)
    with pytest.raises(ValueError, match="has no arm 'a at 3'"):
        made.claim("x", ratio=("a at 3", "a at 1"), at_least=1)
    with pytest.raises(ValueError, match="has no arm 'a'"):
        made.time_s("a")


def test_a_limit_is_recorded_with_its_sweep(
    clock: Clock, written: Callable[[], list[dict[str, object]]]
) -> None:
    """A curve that was computed, by its name."""
    made = sweep("t", "n", [1, 2], a=lambda _: clock.arm("a", 1.0)())
    made.limit("Amdahl's law", [2.0, 1.0])

    record = written()[-1]
    record.pop("printed")
    assert record == {"kind": "limit", "of": "t", "name": "Amdahl's law", "times_s": [2.0, 1.0]}


def test_a_cost_is_that_of_one_operation(
    clock: Clock, written: Callable[[], list[dict[str, object]]]
) -> None:
    """Each arm is asked to do it so often that a sample is long enough, and not one by one."""
    asked = []

    def operate(times: int) -> None:
        asked.append(times)
        clock.now += 0.001 * times

    cost("t", cheap=operate, dear=lambda times: clock.arm("d", 0.3 * times)())

    (record,) = written()
    arms = record["arms"]
    assert record["kind"] == "cost"
    assert asked[-1] == arms["cheap"]["calls"]
    assert arms["cheap"]["calls"] in {100, 101}  # the clock's last digit decides
    assert arms["cheap"]["wall_s"] == pytest.approx(0.001)
    assert arms["dear"]["calls"] == 1
    with pytest.raises(ValueError, match="needs 2 arms or more, got 1"):
        cost("t", only=operate)


def test_a_round_in_which_the_machine_slept_is_taken_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, written: Callable[[], list[dict[str, object]]]
) -> None:
    """Suspended in the middle of a pair: that pair is dropped, and the next one counts."""
    suspended = [0.0]
    monkeypatch.setattr(machine, "suspended_s", lambda: suspended[0])
    taken = []

    def arm() -> None:
        clock.now += 1.0
        taken.append(len(taken))
        if len(taken) == 4:  # two warm-ups, the first of the pair, the second
            suspended[0] += 3600.0
            clock.now += 3600.0

    made = compare("t", a=arm, b=arm)

    assert len(taken) == 6
    assert made.time_s("b") == pytest.approx(1.0)
    assert len(written()) == 1


@pytest.mark.usefixtures("written")
def test_a_machine_that_sleeps_all_the_time_measures_nothing(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five attempts the block fails, and says why."""
    suspended = iter(range(1000))
    monkeypatch.setattr(machine, "suspended_s", lambda: float(next(suspended)))

    with pytest.raises(RuntimeError, match="was suspended in each of 5 attempts"):
        compare("t", a=clock.arm("a", 1.0), b=clock.arm("b", 1.0))
