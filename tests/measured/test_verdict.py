"""From ratios and gates to one of three verdicts."""

import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measured.gates import Conditions, Gate
from measured.interpreters import own_interpreter
from measured.machine import describe_machine
from measured.verdict import Claim, Decision, Setting, decide, unmet

INTERPRETER = replace(own_interpreter(), version=(3, 13, 0), gil=True)
MACHINE = replace(describe_machine(), cores=2)
SETTING = Setting(INTERPRETER, MACHINE, Conditions())
MET = Gate("pressure", "CPU pressure", "0.00", "at most 0.1", passed=True)
BIASED = replace(MET, found="0.40", passed=False)
NOISY = Gate("width", "Width of the interval", "40.0%", "at most 20%", passed=False, noise=True)
NUMBERS = st.floats(min_value=1e-9, max_value=1e9, allow_nan=False)
AT_LEAST = Claim("Threads overlap waits.", "in_turn", "in_threads", 3, None, ())
AT_MOST = Claim("Threads add little.", "in_threads", "in_turn", None, 3, ())


def spread(low: float, high: float, beyond: float = 0.0) -> list[float]:
    """Make fifteen ratios whose interval is from `low` to `high`, and whose ends lie beyond."""
    ratios = [low - beyond] * 3 + [low] * 4 + [(low + high) / 2] + [high] * 4 + [high + beyond] * 3
    assert len(ratios) == 15
    return ratios


@pytest.mark.parametrize(
    ("claim", "low", "high", "decision"),
    [
        (AT_LEAST, 3, 5, Decision.HOLDS),
        (AT_LEAST, 2.9, 5, Decision.OPEN),
        (AT_LEAST, 2, 3, Decision.OPEN),
        (AT_LEAST, 2, 2.9, Decision.FAILS),
        (AT_MOST, 2, 3, Decision.HOLDS),
        (AT_MOST, 2, 3.1, Decision.OPEN),
        (AT_MOST, 3, 4, Decision.OPEN),
        (AT_MOST, 3.1, 4, Decision.FAILS),
    ],
)
def test_the_whole_interval_must_lie_on_one_side(
    claim: Claim, low: float, high: float, decision: Decision
) -> None:
    """It straddles the bound: not decided, with the reason."""
    verdict = decide(claim, spread(low, high), [MET], SETTING)
    assert verdict.decision is decision
    assert bool(verdict.reason) == (decision is Decision.OPEN)


@pytest.mark.parametrize("ratio", [0.1, 100.0])
def test_too_few_pairs_decide_nothing(ratio: float) -> None:
    """However clear they look."""
    verdict = decide(AT_LEAST, [ratio] * 5, [MET], SETTING)
    assert verdict.decision is Decision.OPEN
    assert verdict.reason == "5 of at least 6 pairs measured"


@given(st.lists(NUMBERS, min_size=6, max_size=40), NUMBERS)
def test_opposite_claims_are_never_both_right_nor_both_wrong(
    values: list[float], bound: float
) -> None:
    """Unless every sample in the interval lies on the bound itself."""
    least = decide(replace(AT_LEAST, at_least=bound), values, [], SETTING).decision
    most = decide(replace(AT_MOST, at_most=bound), values, [], SETTING).decision
    if least is most is Decision.HOLDS:
        assert statistics.median(values) == bound
    assert not (least is most is Decision.FAILS)


@pytest.mark.parametrize(
    ("needs", "missing"),
    [
        ((), ""),
        (("gil",), ""),
        (("free-threaded",), "a free-threaded build"),
        (("2 cores",), ""),
        (("3 cores",), "3 cores"),
        (("3.13",), ""),
        (("3.9",), ""),
        (("3.14",), "Python 3.14"),
        (("gil", "2 cores", "3.11"), ""),
        (("2 cores", "3.14", "3 cores"), "Python 3.14"),
    ],
)
def test_needs_are_compared_with_what_is_here(needs: tuple[str, ...], missing: str) -> None:
    """The first that is not met is named; versions are compared as numbers."""
    assert unmet(needs, INTERPRETER, MACHINE) == missing
    verdict = decide(replace(AT_LEAST, needs=needs), [1.0] * 15, [], SETTING)
    if missing:
        assert (verdict.decision, verdict.reason) == (Decision.OPEN, f"it needs {missing}")
    else:
        assert verdict.decision is Decision.FAILS


def test_a_free_threaded_build_needs_no_gil() -> None:
    """On it, a claim about the GIL is the one that is not decided."""
    without = replace(INTERPRETER, gil=False)
    assert unmet(["free-threaded"], without, MACHINE) == ""
    assert unmet(["gil"], without, MACHINE) == "the GIL"


@pytest.mark.parametrize("need", ["GIL", "cores", "two cores", "3", "linux", ""])
def test_an_unknown_need_is_refused(need: str) -> None:
    """The message names it and what is known."""
    with pytest.raises(ValueError, match=r"'2 cores' and '3\.14' are known"):
        unmet([need], INTERPRETER, MACHINE)


def test_a_bound_is_told_in_words() -> None:
    """As the page writes it."""
    assert (AT_LEAST.bound, AT_MOST.bound) == ("at least 3", "at most 3")


@pytest.mark.parametrize("ratios", [[100.0] * 15, [0.1] * 15, [2.0] * 7 + [4.0] * 8])
def test_a_bias_withholds_every_verdict(ratios: list[float]) -> None:
    """However clear the ratios look; the reason names the gate, what it found and what it asks."""
    verdict = decide(AT_LEAST, ratios, [MET, NOISY, BIASED], SETTING)

    assert verdict.decision is Decision.OPEN
    assert verdict.reason == "the machine was busy (CPU pressure: 0.40, asked for: at most 0.1)"


@pytest.mark.parametrize(
    ("low", "high", "beyond", "decision"),
    [
        (4, 5, 0.5, Decision.HOLDS),
        (4, 5, 1.5, Decision.OPEN),
        (1, 2, 0.5, Decision.FAILS),
        (1, 2, 1.5, Decision.OPEN),
    ],
)
def test_noise_asks_for_every_single_pair(
    low: float, high: float, beyond: float, decision: Decision
) -> None:
    """The interval alone decides nothing then; without the noise it would."""
    ratios = spread(low, high, beyond)

    assert decide(AT_LEAST, ratios, [MET, NOISY], SETTING).decision is decision
    assert decide(AT_LEAST, ratios, [MET], SETTING).decision is not Decision.OPEN
    if decision is Decision.OPEN:
        assert "its pairs vary much" in decide(AT_LEAST, ratios, [NOISY], SETTING).reason


def test_an_unmet_need_is_told_before_a_gate() -> None:
    """What the machine lacks for good matters more than that it is busy now."""
    verdict = decide(replace(AT_LEAST, needs=("3 cores",)), [5.0] * 15, [BIASED], SETTING)

    assert verdict.reason == "it needs 3 cores"
