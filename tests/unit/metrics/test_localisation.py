"""Scores of instance rankings."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score, roc_auc_score

from mlmi_sklearn.containers import Bags
from mlmi_sklearn.metrics import (
    hit_rate_at_k,
    instance_average_precision,
    instance_roc_auc,
)

LABELS = [np.array([0, 1, 0]), np.array([0, 0]), np.array([1, -1, 0, 0])]
SCORES = [np.array([0.2, 0.1, 0.0]), np.array([0.9, 0.8]), np.array([3.0, 9.0, 4.0, 1])]
LENGTHS = [3, 2, 4]
PAIRS = [
    (instance_roc_auc, roc_auc_score),
    (instance_average_precision, average_precision_score),
]


@pytest.mark.parametrize(("metric", "reference"), PAIRS)
def test_pooled(metric, reference):
    labels, scores = np.concatenate(LABELS), np.concatenate(SCORES)
    known = labels != -1
    expected = reference(labels[known], scores[known])
    assert metric(LABELS, SCORES) == expected
    assert metric(labels, scores) == expected
    assert metric(labels.tolist(), scores[:, np.newaxis], bags=LENGTHS) == expected


@pytest.mark.parametrize(("metric", "reference"), PAIRS)
def test_within_positive_bags(metric, reference):
    labels = np.array([0, 1, 0, 1, 0, 0])
    scores = np.array([0.2, 0.1, 0.0, 3.0, 4.0, 1.0])
    assert metric(LABELS, SCORES, within_positive=True) == reference(labels, scores)
    by_bag = np.mean(
        [reference(labels[:3], scores[:3]), reference(labels[3:], scores[3:])]
    )
    assert metric(LABELS, SCORES, average="bag") == by_bag
    assert metric(LABELS, SCORES, average="bag", within_positive=True) == by_bag


def test_flat_input_needs_bags_where_they_matter():
    labels, scores = np.concatenate(LABELS), np.concatenate(SCORES)
    bags = Bags(np.zeros((9, 1)), LENGTHS)
    assert hit_rate_at_k(labels, scores, bags=bags) == hit_rate_at_k(LABELS, SCORES)
    assert instance_roc_auc(
        labels, SCORES, bags=LENGTHS, average="bag"
    ) == instance_roc_auc(LABELS, scores, average="bag")
    for call in (
        lambda: hit_rate_at_k(labels, scores),
        lambda: instance_roc_auc(labels, scores, average="bag"),
        lambda: instance_average_precision(labels, scores, within_positive=True),
    ):
        with pytest.raises(ValueError, match="pass bags="):
            call()


def test_hit_rate():
    assert hit_rate_at_k(LABELS, SCORES, k=1) == 0.0
    assert hit_rate_at_k(LABELS, SCORES, k=2) == 1.0
    assert hit_rate_at_k(LABELS, SCORES, k=99) == 1.0


def test_constant_scores_earn_what_guessing_would():
    labels = [[1, 0, 0, 0], [0, 1, 1, 0]]
    scores = [[5, 5, 5, 5], [5, 5, 5, 5]]
    assert_allclose(hit_rate_at_k(labels, scores, k=1), (1 / 4 + 1 / 2) / 2)
    assert_allclose(hit_rate_at_k(labels, scores, k=2), (1 / 2 + 5 / 6) / 2)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=6),
    st.integers(1, 6),
)
def test_hit_rate_is_the_mean_over_all_ways_to_break_ties(pairs, k):
    if not any(label for label, _ in pairs):
        pairs = [*pairs, (True, 0)]
    labels, scores = ([pair[i] for pair in pairs] for i in (0, 1))
    orders = list(itertools.permutations(range(len(pairs))))
    hits = 0
    for order in orders:
        best = sorted(order, key=lambda i: -scores[i])[:k]
        hits += any(labels[i] for i in best)
    expected = hits / len(orders)
    assert_allclose(hit_rate_at_k([labels], [scores], k), expected, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_results_do_not_depend_on_the_order_of_instances_or_bags(seed):
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(part)) for part in LABELS]
    bags = rng.permutation(3)
    labels = [LABELS[b][orders[b]] for b in bags]
    scores = [SCORES[b][orders[b]] for b in bags]
    for metric in (
        instance_roc_auc,
        instance_average_precision,
        lambda *a: instance_roc_auc(*a, average="bag"),
        lambda *a: hit_rate_at_k(*a, k=2),
    ):
        assert_allclose(metric(labels, scores), metric(LABELS, SCORES))


@pytest.mark.parametrize(
    "call",
    [
        lambda: instance_roc_auc([0, 0], [1, 2]),
        lambda: instance_average_precision([1, 1], [1, 2]),
        lambda: instance_roc_auc([[0, 0], [1]], [[1, 2], [3]], average="bag"),
        lambda: instance_roc_auc([[0, 0]], [[1, 2]], within_positive=True),
        lambda: hit_rate_at_k([[0, 0], [-1]], [[1, 2], [3]]),
        lambda: instance_roc_auc([-1, -1], [1, 2]),
    ],
)
def test_undefined_scores_warn_and_are_nan(call):
    with pytest.warns(UndefinedMetricWarning, match="not defined"):
        assert math.isnan(call())


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0, 1], [1, 2, 3]), {}, "y_instances has 2 instances, scores has 3"),
        (([0, 1], [1, 2]), {"bags": [3]}, "the bags have 3"),
        (([[0, 1], [0]], [[1], [1, 2]]), {}, "disagree"),
        (([[0, 1], [0]], [[1, 2], [1]]), {"bags": [1, 2]}, "disagree"),
        (([0, 2], [1, 2]), {}, "0, 1 and -1"),
        (([0, 1], [1, np.nan]), {}, "scores contains NaN"),
        (([0, 1], np.ones((2, 3))), {}, "scores must have one entry per instance"),
        (([0, 1], [1, 2]), {"average": "macro"}, "average must be"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        instance_roc_auc(*arguments, **options)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (1.5, TypeError)])
def test_bad_k(k, error):
    with pytest.raises(error, match="k"):
        hit_rate_at_k(LABELS, SCORES, k=k)
