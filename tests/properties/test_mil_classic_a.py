"""What holds for any bags: pooled scores, thresholds, single instances and MISVC."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.svm import SVC

from mlmi_sklearn import MISVC, Bags, SingleInstanceClassifier
from mlmi_sklearn.mil.classic.alternation import BinaryBags
from mlmi_sklearn.mil.classic.assumptions import BagRule, ranks_in_bags
from mlmi_sklearn.mil.classic.thresholds import best_cut, calibration_slope

POOLINGS = ["max", "mean", "noisy-or", "log-sum-exp", "count"]
LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=6).map(np.array)
SEEDS = st.integers(0, 2**32 - 1)
MODELS = [
    SingleInstanceClassifier(),
    SingleInstanceClassifier(SVC(), "log-sum-exp"),
    MISVC("mi"),
    MISVC("MI"),
]


@st.composite
def scored_bags(draw):
    lengths = draw(LENGTHS)
    numbers = st.floats(-50, 50, width=32)
    return draw(arrays(np.float64, (int(lengths.sum()), 1), elements=numbers)), lengths


def training_bags(seed, n_bags=16):
    rng = np.random.default_rng(seed)
    lengths, y = rng.integers(1, 5, n_bags), np.arange(n_bags) % 2
    values = rng.normal(size=(lengths.sum(), 3))
    values[(np.cumsum(lengths) - lengths)[y == 1]] += rng.uniform(0, 4)
    return Bags(values, lengths), y


@given(scored_bags(), st.sampled_from(POOLINGS), SEEDS)
def test_pooling_ignores_the_order_in_a_bag(bags, pooling, seed):
    scores, lengths = bags
    rng = np.random.default_rng(seed)
    parts = np.split(scores, np.cumsum(lengths)[:-1])
    shuffled = np.concatenate([rng.permutation(part) for part in parts])
    for one, other in zip(
        BagRule(pooling).bounds(scores, lengths),
        BagRule(pooling).bounds(shuffled, lengths),
        strict=True,
    ):
        assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@given(scored_bags(), st.sampled_from(POOLINGS))
def test_pooling_ignores_other_bags(bags, pooling):
    scores, lengths = bags
    whole = BagRule(pooling).bounds(scores, lengths)[1]
    parts = np.split(scores, np.cumsum(lengths)[:-1])
    alone = [BagRule(pooling).bounds(p, np.array([len(p)]))[1][0] for p in parts]
    assert_allclose(whole, alone, rtol=1e-12, atol=1e-12)


@given(scored_bags(), st.sampled_from(POOLINGS), st.floats(0, 10))
def test_pooling_never_falls_when_scores_rise(bags, pooling, rise):
    scores, lengths = bags
    before = BagRule(pooling).bounds(scores, lengths)[1]
    after = BagRule(pooling).bounds(scores + rise, lengths)[1]
    assert (after >= before - 1e-9).all()


@given(scored_bags(), st.sampled_from(["max", "noisy-or"]), st.floats(-50, 50))
def test_another_instance_never_lowers_a_bag(bags, pooling, score):
    scores, lengths = bags
    before = BagRule(pooling).bounds(scores, lengths)[1][-1]
    more = np.append(scores, [[score]], axis=0)
    larger = lengths + (np.arange(len(lengths)) == len(lengths) - 1)
    assert BagRule(pooling).bounds(more, larger)[1][-1] >= before - 1e-9


@given(scored_bags(), st.integers(1, 4), st.integers(0, 3), st.floats(-60, 60))
def test_counting_is_counting(bags, least, more, threshold):
    scores, lengths = bags
    low, high = BagRule("count", least, least + more).bounds(scores, lengths)
    found = (low[:, 0] <= threshold) & (threshold < high[:, 0])
    above = np.split(scores[:, 0] > threshold, np.cumsum(lengths)[:-1])
    counts = np.array([part.sum() for part in above])
    expected = (counts >= np.minimum(least, lengths)) & (counts <= least + more)
    assert_array_equal(found, expected)


@given(scored_bags())
def test_ranks_sort_each_bag(bags):
    scores, lengths = bags
    ranks = ranks_in_bags(scores[:, 0], lengths)
    ends = np.cumsum(lengths)[:-1]
    for s, r in zip(np.split(scores[:, 0], ends), np.split(ranks, ends), strict=True):
        assert_array_equal(np.sort(r), np.arange(len(r)))
        assert (np.diff(s[np.argsort(r)]) <= 0).all()


@given(SEEDS, st.integers(1, 20))
def test_no_cut_is_better_and_weights_are_copies(seed, n):
    rng = np.random.default_rng(seed)
    high = rng.integers(-6, 7, n).astype(float)
    low = np.where(rng.random(n) < 0.5, -np.inf, high - rng.integers(1, 5, n))
    truth, times = rng.random(n) < 0.5, rng.integers(1, 4, n)

    def right(t):
        return times @ (((low <= t) & (t < high)) == truth)

    cut = best_cut(low, high, truth, times.astype(float))
    assert right(cut) == max(right(t) for t in np.arange(-12, 9) + 0.5)
    copies = (a.repeat(times) for a in (low, high, truth))
    assert cut == best_cut(*copies, np.ones(times.sum()))


@given(SEEDS, st.floats(1e-3, 1e3))
def test_the_slope_follows_the_scale(seed, scale):
    rng = np.random.default_rng(seed)
    decision, truth = rng.normal(size=10), rng.random(10) < 0.5
    slope = calibration_slope(decision, truth, np.ones(10))
    assert 0 < slope < np.inf
    assert_allclose(
        calibration_slope(scale * decision, truth, np.ones(10)),
        slope / scale,
        rtol=1e-6,
    )


@given(scored_bags(), st.integers(1, 3), SEEDS)
def test_imputed_labels_obey_the_labels_of_bags(bags, least, seed):
    scores, lengths = bags
    positive = np.random.default_rng(seed).random(len(lengths)) < 0.5
    data = BinaryBags(scores, lengths, positive, np.ones(len(lengths)))
    labels = data.impute(scores[:, 0], least, least + 1)
    counts = np.add.reduceat(labels.astype(int), np.cumsum(lengths) - lengths)
    assert (counts[~positive] == 0).all()
    assert (counts[positive] >= np.minimum(least, lengths[positive])).all()
    assert (counts <= least + 1).all()


@settings(max_examples=5)
@pytest.mark.parametrize("model", MODELS, ids=repr)
@given(SEEDS)
def test_bags_are_scored_alone_and_in_any_order(model, seed):
    X, y = training_bags(seed)
    fitted = model.fit(X, y)
    whole = fitted.decision_function(X)
    order = np.random.default_rng(seed).permutation(len(X))
    assert_allclose(fitted.decision_function(X[order]), whole[order], atol=1e-9)
    alone = [fitted.decision_function([bag])[0] for bag in X]
    assert_allclose(alone, whole, atol=1e-9)
    turned = [bag[::-1] for bag in X]
    assert_allclose(fitted.decision_function(turned), whole, atol=1e-9)


@settings(max_examples=5)
@pytest.mark.parametrize("model", MODELS, ids=repr)
@given(SEEDS)
def test_weights_are_copies(model, seed):
    X, y = training_bags(seed)
    weight = np.random.default_rng(seed).integers(0, 3, len(X))
    weight[:4] = 1
    copies = np.arange(len(X)).repeat(weight)
    weighted = model.fit(X, y, sample_weight=weight).decision_function(X)
    repeated = model.fit(X[copies], y[copies]).decision_function(X)
    assert_allclose(weighted, repeated, rtol=1e-9, atol=1e-9)


@settings(max_examples=5)
@pytest.mark.parametrize("model", MODELS, ids=repr)
@given(SEEDS)
def test_training_forgets_the_order_of_bags(model, seed):
    X, y = training_bags(seed)
    order = np.random.default_rng(seed).permutation(len(X))
    fixed = model.__class__(**model.get_params(deep=False)).set_params(threshold=0.0)
    one = fixed.fit(X, y).decision_function(X)
    other = fixed.fit(X[order], y[order]).decision_function(X)
    assert_array_equal(one, other)


@settings(max_examples=5)
@pytest.mark.parametrize("model", MODELS, ids=repr)
@given(SEEDS, st.floats(0.1, 10))
def test_probabilities_agree_with_classes(model, seed, spread):
    X, y = training_bags(seed)
    X = X.with_values(X.values * spread)
    names = np.array(["b", "a"])[y]
    fitted = model.fit(X, names)
    p = fitted.predict_proba(X)
    assert_allclose(p.sum(axis=1), 1)
    assert_array_equal(fitted.classes_[p.argmax(axis=1)], fitted.predict(X))
    order = np.argsort(fitted.decision_function(X), kind="stable")
    assert (np.diff(p[order, 1]) >= 0).all()
