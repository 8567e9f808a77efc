"""Sentences must follow from numbers, whoever wins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from mlmi_sklearn.demo.content import Metric, Scores
from mlmi_sklearn.demo.evidence import compare, finding, verdict

AUC = Metric("auc", "ROC AUC")
NOISE = np.array([0.1, -0.1, 0.08, -0.08, 0.0])
folds = hnp.arrays(
    np.float64, 6, elements=st.floats(0, 1, allow_nan=False, allow_subnormal=False)
)


def row(name, ours, values):
    return Scores(name, ours, {"auc": np.asarray(values, dtype=float)})


def pair(ours, baseline):
    """Return a comparison of two methods given by their scores."""
    return compare(row("the net", True, ours), row("the forest", False, baseline), AUC)


CASES = {
    "behind": (np.full(5, 0.7) + NOISE / 50, np.full(5, 0.9)),
    "behind, perhaps": (np.full(5, 0.7) + NOISE, np.full(5, 0.72)),
    "level": (np.full(5, 0.8), np.full(5, 0.8)),
    "ahead, perhaps": (np.full(5, 0.72) + NOISE, np.full(5, 0.7)),
    "ahead": (np.full(5, 0.9), np.full(5, 0.7) + NOISE / 50),
}
WORDS = {
    "behind": ("The forest beats the net", "use the simple method"),
    "behind, perhaps": (
        "The forest is ahead of the net",
        "simple method is the better",
    ),
    "level": ("the same ROC AUC, 0.800", "simple method is the better"),
    "ahead, perhaps": (
        "The net is ahead of the forest",
        "do not show that it is better",
    ),
    "ahead": ("The net beats the forest", "0.900 against 0.700"),
}


@pytest.mark.parametrize("outcome", CASES)
def test_every_outcome_has_its_words(outcome):
    comparison = pair(*CASES[outcome])
    assert comparison.outcome == outcome
    text = verdict(comparison)
    for words in WORDS[outcome]:
        assert words.lower() in text.lower()
    assert "95 % interval" in text


@pytest.mark.parametrize("outcome", ["behind", "behind, perhaps", "level"])
def test_a_simple_method_that_is_as_good_is_recommended(outcome):
    text = verdict(pair(*CASES[outcome]))
    assert "simple method" in text
    assert "The net beats" not in text


@pytest.mark.parametrize("outcome", ["ahead", "ahead, perhaps"])
def test_no_simple_method_is_recommended_when_it_is_behind(outcome):
    assert "simple method" not in verdict(pair(*CASES[outcome]))


def test_the_numbers_in_the_text_are_the_numbers():
    text = verdict(pair([0.5, 0.6, 0.7], [0.9, 0.9, 0.9]))
    assert "ROC AUC 0.900 against 0.600, a difference of 0.300" in text


def test_the_interval_is_that_of_the_paired_t_test():
    ours, baseline = CASES["ahead, perhaps"]
    expected = stats.ttest_rel(ours, baseline).confidence_interval(0.95)
    comparison = pair(ours, baseline)
    assert (comparison.low, comparison.high) == pytest.approx(tuple(expected))


def test_overlapping_training_sets_widen_the_interval():
    ours, baseline = (row(n, n == "a", CASES["ahead, perhaps"][n == "b"]) for n in "ab")
    plain, corrected = (compare(ours, baseline, AUC, overlap) for overlap in (0, 1 / 9))
    ratio = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert ratio == pytest.approx(np.sqrt((1 / 5 + 1 / 9) / (1 / 5)))


@given(folds, folds)
def test_the_interval_holds_the_difference(ours, baseline):
    comparison = pair(ours, baseline)
    assert comparison.low <= comparison.difference + 1e-12
    assert comparison.difference <= comparison.high + 1e-12


@given(folds, folds)
def test_swapping_the_two_mirrors_the_outcome(ours, baseline):
    mirror = {"ahead": "behind", "behind": "ahead"}
    there, back = pair(ours, baseline), pair(baseline, ours)
    side, *perhaps = there.outcome.split(", ")
    assert back.outcome == ", ".join([mirror.get(side, side), *perhaps])
    assert back.low == pytest.approx(-there.high)


@given(folds, folds)
def test_a_verdict_never_praises_the_loser(ours, baseline):
    comparison = pair(ours, baseline)
    text = verdict(comparison)
    if comparison.difference < -0.001:
        assert text.startswith("the forest")
        assert "the simple method" in text.lower()
    elif comparison.difference > 0.001:
        assert text.startswith("the net")
        assert "simple method" not in text


def test_the_interval_is_written_from_the_leader_s_side():
    text = verdict(pair(*CASES["behind, perhaps"]))
    low, high = text.split("interval ")[1].split(")")[0].split(" to ")
    assert low.startswith("−")
    assert float(high) > 0


# -- findings over a table ---------------------------------------------------------


@pytest.fixture
def table():
    return [
        row("net A", True, np.full(5, 0.8) + NOISE / 50),
        row("net B", True, np.full(5, 0.85) + NOISE / 60),
        row("linear", False, np.full(5, 0.6) + NOISE / 70),
        row("forest", False, np.full(5, 0.9) + NOISE / 80),
    ]


def test_a_winning_baseline_is_the_headline(table):
    found = finding(table, AUC)
    assert found.headline == (
        "Highest mean ROC AUC: forest, a simple baseline, 0.900; best of the other "
        "methods: net B, 0.850."
    )
    assert [text.split(":")[0] for text in found.details] == [
        "forest beats net A",
        "forest beats net B",
    ]


def test_a_winning_net_is_the_headline(table):
    found = finding(table[:3], AUC)
    assert found.headline == (
        "Highest mean ROC AUC: net B, 0.850; best simple baseline: linear, 0.600."
    )
    assert all("beats linear" in text for text in found.details)


def test_a_tie_is_called_one(table):
    tie = [row("net", True, [0.5, 0.7]), row("simple", False, [0.6, 0.6])]
    assert finding(tie, AUC).headline == (
        "Highest mean ROC AUC: 0.600, by simple, a simple baseline, and net."
    )


def test_the_reference_is_compared_with_the_first_of_ours(table):
    details = finding(table, AUC, reference="linear").details
    assert len(details) == 3
    assert details[-1].startswith("net A beats linear")


def test_a_reference_that_is_the_best_baseline_is_not_repeated(table):
    found = finding(table, AUC, reference="forest")
    assert found == finding(table, AUC)


def test_the_same_advice_is_given_once(table):
    advice = "For data like these, use the simple method."
    first, second = finding(table, AUC).details
    assert first.endswith(advice)
    assert advice not in second
    assert second.endswith(").")
