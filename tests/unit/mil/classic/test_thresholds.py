"""The cut between negative and positive bags, and the slope of probabilities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from mlmi_sklearn.mil.classic.thresholds import (
    best_cut,
    calibration_slope,
    half_balanced,
)


def cut(high, truth, weight=None, low=None):
    high, truth = np.array(high, dtype=float), np.array(truth, dtype=bool)
    low = np.full(len(high), -np.inf) if low is None else np.array(low, dtype=float)
    weight = np.ones(len(high)) if weight is None else np.array(weight, dtype=float)
    return best_cut(low, high, truth, weight)


def test_separable_bags_are_cut_in_the_middle_of_the_gap():
    assert cut([4, 1, 2, 5], [1, 0, 0, 1]) == 3.0


def test_overlapping_bags_are_cut_where_fewest_are_wrong():
    assert cut([1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 1, 1]) in (2.5, 4.5)


def test_weights_move_the_cut():
    scores, truth = [1, 2, 3, 4], [0, 1, 0, 1]
    assert cut(scores, truth, [1, 5, 1, 1]) == 1.5
    assert cut(scores, truth, [1, 1, 5, 1]) == 3.5


@pytest.mark.parametrize("truth", [[1, 1], [0, 0]])
def test_one_class_is_put_on_one_side(truth):
    found = cut([1.0, 2.0], truth)
    assert ((np.array([1.0, 2.0]) > found) == truth).all()


def test_equal_scores_go_to_the_heavier_class():
    assert cut([1, 1, 1], [1, 1, 0]) < 1
    assert cut([1, 1, 1], [1, 0, 0]) > 1


def test_intervals_with_two_ends():
    # Two bags whose second-highest score is 5, one whose highest is 1 only.
    found = cut([9, 9, 1], [1, 1, 0], low=[5, 5, -np.inf])
    assert 5 < found < 9


def test_best_cut_beats_every_other():
    rng = np.random.default_rng(0)
    for _ in range(50):
        high = rng.integers(-8, 9, 12).astype(float)
        low = np.where(rng.random(12) < 0.5, -np.inf, high - rng.integers(1, 6, 12))
        truth, weight = rng.random(12) < 0.4, rng.integers(1, 4, 12).astype(float)

        def right(t, low=low, high=high, truth=truth, weight=weight):
            return weight @ (((low <= t) & (t < high)) == truth)

        best = max(right(t) for t in np.arange(-15, 10) + 0.5)
        assert right(best_cut(low, high, truth, weight)) == best


def test_slope_recovers_the_one_that_made_the_labels():
    rng = np.random.default_rng(0)
    decision = rng.normal(size=20_000)
    truth = rng.random(20_000) < expit(3 * decision)
    assert_allclose(calibration_slope(decision, truth, np.ones(20_000)), 3, rtol=0.05)


def test_slope_undoes_the_scale_of_scores():
    rng = np.random.default_rng(0)
    decision, weight = rng.normal(size=50), rng.random(50) + 0.1
    truth = rng.random(50) < expit(decision)
    one = calibration_slope(decision, truth, weight)
    assert_allclose(calibration_slope(1e6 * decision, truth, weight), one / 1e6)


def test_slope_of_weights_is_that_of_copies():
    decision, truth = np.array([-1.0, 0.5, 1, -2, 3]), np.array([0, 0, 1, 1, 1], bool)
    times = np.array([1, 3, 2, 1, 2])
    copies = calibration_slope(
        decision.repeat(times), truth.repeat(times), np.ones(times.sum())
    )
    assert_allclose(calibration_slope(decision, truth, times * 1.0), copies, rtol=1e-10)


@pytest.mark.parametrize(
    ("decision", "truth"),
    [([0.0, 0.0], [0, 1]), ([-1.0, 1.0], [1, 0]), ([-1.0, 1.0], [0, 1]), ([2.0], [1])],
    ids=["no scores", "all wrong", "all right", "one bag"],
)
def test_slope_is_always_positive_and_finite(decision, truth):
    slope = calibration_slope(
        np.array(decision), np.array(truth, bool), np.ones(len(truth))
    )
    assert 0 < slope < np.inf


def test_half_balanced_weights_add_accuracy_and_balanced_accuracy():
    rng = np.random.default_rng(0)
    truth, guess = rng.random(30) < 0.2, rng.random(30) < 0.4
    weight = rng.random(30) + 0.5
    plain = accuracy_score(truth, guess, sample_weight=weight)
    balanced = balanced_accuracy_score(truth, guess, sample_weight=weight)
    both = half_balanced(truth, weight)
    assert_allclose(both.sum(), weight.sum())
    assert_allclose(both @ (truth == guess) / both.sum(), (plain + balanced) / 2)


def test_classes_of_equal_weight_need_no_balance():
    truth = np.array([True, False, False])
    weight = np.array([2.0, 0.5, 1.5])
    assert_allclose(half_balanced(truth, weight), weight)


def test_few_positive_bags_are_not_given_up():
    # By accuracy alone nothing would be positive.
    scores = np.array([0.0] * 16 + [1.0] * 4 + [1.0] * 3)
    truth = np.arange(23) >= 20
    assert cut(scores, truth) > 1
    assert cut(scores, truth, half_balanced(truth, np.ones(23))) == 0.5
