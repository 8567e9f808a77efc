"""From scores of instances to the thresholds that make a bag positive."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit

from mlmi_sklearn.mil.classic.assumptions import BagRule, ranks_in_bags

SCORES = np.array([0.5, -1.0, 2.0, 3.0, 3.0, -4.0])
LENGTHS = np.array([3, 1, 2])
SPLIT = np.split(SCORES, [3, 4])


def high(rule):
    return rule.bounds(SCORES[:, None], LENGTHS)[1][:, 0]


def test_maximum():
    assert_array_equal(high(BagRule("max")), [2.0, 3.0, 3.0])


def test_mean():
    assert_allclose(high(BagRule("mean")), [0.5, 3.0, -0.5])


def test_noisy_or_is_that_of_the_probabilities():
    expected = [logit(1 - np.prod(1 - expit(bag))) for bag in SPLIT]
    assert_allclose(high(BagRule("noisy-or")), expected)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(-30.0, -30 + np.log(2)), (0.0, np.log(3)), (30.0, 60.0), (800.0, 1600.0)],
)
def test_noisy_or_of_large_scores_is_exact(score, expected):
    found = BagRule("noisy-or").bounds(np.full((2, 1), score), np.array([2]))[1]
    assert_allclose(found, expected, rtol=1e-12)


def test_noisy_or_of_scores_that_underflow_is_finite():
    found = BagRule("noisy-or").bounds(np.full((2, 1), -800.0), np.array([2]))[1]
    assert -np.inf < found[0, 0] < -700


def test_log_sum_exp_does_not_overflow():
    found = BagRule("log-sum-exp").bounds(np.array([[1e4], [1e4]]), np.array([2]))[1]
    assert_allclose(found, 1e4)
    expected = [np.log(np.mean(np.exp(bag))) for bag in SPLIT]
    assert_allclose(high(BagRule("log-sum-exp")), expected)


@pytest.mark.parametrize("pooling", ["max", "mean", "noisy-or", "log-sum-exp", "count"])
def test_a_bag_of_one_scores_as_its_instance(pooling):
    found = BagRule(pooling).bounds(SCORES[:, None], np.ones(6, dtype=int))
    assert_allclose(found[1][:, 0], SCORES, rtol=1e-12)
    assert (found[0] == -np.inf).all()


@pytest.mark.parametrize(("least", "most"), [(1, None), (2, None), (1, 1), (2, 3)])
@pytest.mark.parametrize("threshold", [-2.0, 0.0, 0.7, 2.5, 10.0])
def test_count_says_what_counting_says(least, most, threshold):
    low, upper = BagRule("count", least, most).bounds(SCORES[:, None], LENGTHS)
    found = (low[:, 0] <= threshold) & (threshold < upper[:, 0])
    counts = np.array([(bag > threshold).sum() for bag in SPLIT])
    enough = counts >= np.minimum(least, LENGTHS)
    few = counts <= (np.inf if most is None else most)
    assert_array_equal(found, enough & few)


def test_a_callable_pools_each_bag():
    rule = BagRule(lambda scores: np.quantile(scores, 0.5, axis=0))
    assert_array_equal(high(rule), [0.5, 3.0, -0.5])


def test_a_callable_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"pooling returned shape \(\)"):
        high(BagRule(np.mean))


def test_columns_are_independent():
    both = np.column_stack([SCORES, -SCORES])
    for pooling in ("max", "mean", "count"):
        found = BagRule(pooling).bounds(both, LENGTHS)[1]
        assert_array_equal(found[:, 0], high(BagRule(pooling)))


def test_ties_rank_in_order():
    assert_array_equal(ranks_in_bags(np.zeros(4), np.array([3, 1])), [0, 1, 2, 0])
    assert_array_equal(
        ranks_in_bags(np.array([-np.inf, np.inf]), np.array([2])), [1, 0]
    )
