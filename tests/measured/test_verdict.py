"""From samples to an interval, and from an interval to one of three verdicts."""

import itertools
import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measured.interpreters import own_interpreter
from measured.machine import describe_machine
from measured.verdict import Claim, Decision, Estimate, decide, estimate, rank_of_low_end, unmet

INTERPRETER = replace(own_interpreter(), version=(3, 13, 0), gil=True)
MACHINE = replace(describe_machine(), cores=2)
NUMBERS = st.floats(min_value=1e-9, max_value=1e9, allow_nan=False)
AT_LEAST = Claim("Threads overlap waits.", "in_turn", "in_threads", 3, None, ())
AT_MOST = Claim("Threads add little.", "in_threads", "in_turn", None, 3, ())


@pytest.mark.parametrize(
    ("samples", "rank"), [(15, 4), (31, 10), (6, 1), (9, 2), (5, None), (1, None), (2, None)]
)
def test_the_interval_begins_at_the_rank_of_the_tables(samples: int, rank: int | None) -> None:
    """15 pairs: from the 4th to the 12th; 31: from the 10th to the 22nd; below 6 none."""
    assert rank_of_low_end(samples) == rank
    found = estimate(range(1, samples + 1))
    if rank is None:
        assert (found.low, found.high) == (None, None)
    else:
        assert (found.low, found.high) == (rank, samples + 1 - rank)


@pytest.mark.parametrize("samples", range(6, 40))
def test_the_interval_covers_as_often_as_it_says_and_no_wider(samples: int) -> None:
    """Counted over all outcomes of fair coins: 95 % at least, and one rank further in, less."""
    rank = rank_of_low_end(samples)
    assert rank is not None

    def coverage(low: int) -> float:
        return sum(math.comb(samples, k) for k in range(low, samples - low + 1)) / 2**samples

    assert coverage(rank) >= 0.95 > coverage(rank + 1)


def test_the_coverage_is_true_of_every_order_of_small_samples() -> None:
    """Six samples all on one side of the median: twice in 64, and only then is it missed."""
    missed = 0
    for signs in itertools.product((-1, 1), repeat=6):
        found = estimate([sign * (1 + place) for place, sign in enumerate(signs)])
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= 0 <= found.high
    assert missed == 2


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_the_interval_holds_the_median_and_order_does_not_matter(
    values: list[float], chance: object
) -> None:
    """Both ends are samples; shuffled samples give the same."""
    found = estimate(values)
    assert found.samples == len(values)
    assert found.median == statistics.median(values)
    if len(values) >= 6:
        assert found.low in values
        assert found.high in values
        assert found.low <= found.median <= found.high
    else:
        assert found.low is found.high is None
    chance.shuffle(values)  # type: ignore[attr-defined]
    assert estimate(values) == found


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
    verdict = decide(claim, Estimate((low + high) / 2, low, high, 15), INTERPRETER, MACHINE)
    assert verdict.decision is decision
    assert bool(verdict.reason) == (decision is Decision.OPEN)


@pytest.mark.parametrize("median", [0.1, 100.0])
def test_too_few_pairs_decide_nothing(median: float) -> None:
    """However clear they look."""
    verdict = decide(AT_LEAST, Estimate(median, None, None, 5), INTERPRETER, MACHINE)
    assert verdict.decision is Decision.OPEN
    assert verdict.reason == "5 of at least 6 pairs measured"


@given(st.lists(NUMBERS, min_size=6, max_size=40), NUMBERS)
def test_opposite_claims_are_never_both_right_nor_both_wrong(
    values: list[float], bound: float
) -> None:
    """Unless every sample in the interval lies on the bound itself."""
    found = estimate(values)
    least = decide(replace(AT_LEAST, at_least=bound), found, INTERPRETER, MACHINE).decision
    most = decide(replace(AT_MOST, at_most=bound), found, INTERPRETER, MACHINE).decision
    if least is most is Decision.HOLDS:
        assert found.low == found.high == bound
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
    verdict = decide(replace(AT_LEAST, needs=needs), Estimate(1, 1, 1, 15), INTERPRETER, MACHINE)
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
