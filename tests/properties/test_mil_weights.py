"""A weight of two is the bag twice, a weight of zero is no bag at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from mlmi_sklearn import Bags, MILClassifier, list_components

POOLINGS = [part.name for part in list_components("pooling", builtin=True)]
few = settings(deadline=None, max_examples=20)


@st.composite
def weighted_problems(draw, kinds=("binary", "three classes", "labels")):
    """Draw bags, labels and a whole number for each bag, not all zero."""
    kind = draw(st.sampled_from(kinds))
    n = draw(st.integers(9, 14))
    lengths = draw(st.lists(st.integers(1, 6), min_size=n, max_size=n))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = Bags(rng.normal(size=(sum(lengths), 3)), lengths)
    index = np.arange(n)
    y = {
        "binary": index % 2,
        "three classes": index % 3,
        "labels": np.column_stack([index % 2, index // 2 % 2]),
    }[kind]
    counts = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    counts[:3] = [1, 2, 1]  # every class stays
    return X, y, np.array(counts)


@st.composite
def models(draw):
    """Draw a classifier that takes all bags in one step."""
    return MILClassifier(
        pooling=draw(st.sampled_from(POOLINGS)),
        level=draw(st.sampled_from(["instance", "embedding"])),
        optimizer=draw(st.sampled_from(["adamw", "sgd"])),
        loss=draw(st.sampled_from(["cross-entropy", "focal", "bce", "hinge"])),
        batch_size=1000,
        max_epochs=4,
        lr=1e-2,
        random_state=0,
    ).set_params(backbone__hidden=(6,))


@few
@given(models(), weighted_problems())
def test_whole_weights_are_repetitions(model, problem):
    X, y, counts = problem
    weighted = clone(model).fit(X, y, sample_weight=counts)
    rows = np.repeat(np.arange(len(X)), counts)
    repeated = clone(model).fit(X[rows], y[rows])
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)
    assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-7
    )


@few
@given(models(), weighted_problems(), st.sampled_from(["auto", 1, 3, 1000]))
def test_weight_zero_is_removal(model, problem, batch_size):
    X, y, counts = problem
    model.set_params(batch_size=batch_size)
    keep = np.flatnonzero(counts)
    zeros = clone(model).fit(X, y, sample_weight=(counts > 0).astype(float))
    removed = clone(model).fit(X[keep], y[keep])
    assert zeros.loss_curve_ == removed.loss_curve_
    assert_array_equal(zeros.decision_function(X), removed.decision_function(X))


@few
@given(models(), weighted_problems(), st.sampled_from([1e-30, 1e-3, 7.0, 1e30]))
def test_only_ratios_of_weights_matter(model, problem, factor):
    X, y, counts = problem
    one = clone(model).fit(X, y, sample_weight=counts)
    other = clone(model).fit(X, y, sample_weight=counts * factor)
    assert_allclose(other.decision_function(X), one.decision_function(X), atol=1e-7)


@few
@given(models(), weighted_problems(), st.booleans())
def test_equal_weights_are_no_weights(model, problem, single):
    X, y, _ = problem
    weight = np.full(len(X), 2.5, np.float32 if single else np.float64)
    plain = clone(model).fit(X, y)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    assert weighted.loss_curve_ == plain.loss_curve_
    assert_array_equal(weighted.decision_function(X), plain.decision_function(X))


@few
@given(models(), weighted_problems(("binary", "three classes")), st.data())
def test_class_weights_are_weights_of_bags(model, problem, data):
    X, y, counts = problem
    values = st.sampled_from([0.5, 1.0, 3.0])
    table = {int(label): data.draw(values) for label in np.unique(y)}
    by_class = clone(model).set_params(class_weight=table)
    by_class.fit(X, y, sample_weight=counts)
    by_bag = clone(model)
    by_bag.fit(X, y, sample_weight=counts * np.array([table[int(c)] for c in y]))
    assert_array_equal(by_class.decision_function(X), by_bag.decision_function(X))


@few
@given(models(), weighted_problems(("binary", "three classes")))
def test_balanced_weights_count_weights(model, problem):
    X, y, counts = problem
    model.set_params(class_weight="balanced")
    weighted = clone(model).fit(X, y, sample_weight=counts)
    rows = np.repeat(np.arange(len(X)), counts)
    repeated = clone(model).fit(X[rows], y[rows])
    assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-7
    )


@few
@given(models(), weighted_problems(("three classes",)), st.sampled_from([1, 2, 1000]))
def test_a_class_of_weight_zero_is_known_but_not_trained_on(model, problem, batch_size):
    X, y, _ = problem
    model.set_params(batch_size=batch_size)
    by_class = clone(model).set_params(class_weight={1: 0.0}).fit(X, y)
    assert by_class.classes_.tolist() == [0, 1, 2]
    assert np.isfinite(by_class.loss_curve_).all()
    # Same classes, same bags: what weighs nothing could be anything.
    noise = X.values.copy()
    noise[np.repeat(y == 1, X.lengths)] = 1e3
    other = clone(by_class).fit(X.with_values(noise), y)
    assert_array_equal(other.decision_function(X), by_class.decision_function(X))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_scores_and_validation_use_the_weights(early_stopping):
    rng = np.random.default_rng(0)
    X, y = Bags(rng.normal(size=(60, 3)), np.full(20, 3)), np.arange(20) % 2
    weight = np.where(rng.random(20) < 0.4, 0.0, rng.random(20))
    model = MILClassifier(max_epochs=3, random_state=0, early_stopping=early_stopping)
    keep = np.flatnonzero(weight)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    removed = clone(model).fit(X[keep], y[keep], sample_weight=weight[keep])
    columns = [c for c in weighted.history_ if c != "dur"]
    assert weighted.history_[columns].equals(removed.history_[columns])
    assert weighted.score(X, y, sample_weight=weight) == pytest.approx(
        np.average(weighted.predict(X) == y, weights=weight)
    )
