"""Rows of the target apart from those of the source: each under its own name."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse as sp
from sklearn.exceptions import DataConversionWarning

from mlmi_sklearn import DANNClassifier, DANNRegressor, ImportanceWeightedClassifier

RNG = np.random.default_rng(0)
X, X_TARGET = RNG.normal(size=(12, 2)), RNG.normal(1, 1, size=(8, 2))
Y, Y_TARGET = np.arange(12) % 2, np.arange(8) % 2
WORDS = np.array(["a", "b"])
BOTH = [DANNClassifier, ImportanceWeightedClassifier]


def fit(cls, y=Y, sparse=False, **target):
    return cls(
        random_state=0, **({"max_epochs": 1} if "DANN" in cls.__name__ else {})
    ).fit(sp.csr_matrix(X) if sparse else X, y, **{"X_target": X_TARGET, **target})


def with_cell(value):
    cells = X_TARGET.astype(object)
    cells[3, 1] = value
    return cells


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    "bad",
    [
        X_TARGET + 1j,
        X_TARGET.astype("M8[s]"),
        with_cell("word"),
        with_cell([1, 2]),
        with_cell(None),
        with_cell(10**400),
        with_cell(1e300),
        np.where(X_TARGET > 1, np.inf, X_TARGET),
        sp.csr_matrix(np.full((8, 2), np.nan)),
        (row for row in X_TARGET),
        3.0,
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_what_is_no_target_is_named_as_such(cls, bad):
    with pytest.raises((ValueError, TypeError), match=r"\bX_target\b"):
        fit(cls, X_target=bad)


@pytest.mark.parametrize("form", [sp.dok_array, sp.lil_array, pd.DataFrame])
def test_any_container_of_numbers_is_a_target(form):
    plain = fit(DANNClassifier).predict_proba(X)
    found = fit(DANNClassifier, X_target=form(X_TARGET)).predict_proba(X)
    np.testing.assert_allclose(found, plain, 1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, int])
def test_a_sparse_source_takes_a_dense_target_of_any_type(dtype):
    mixed = fit(DANNClassifier, X_target=X_TARGET.astype(dtype), sparse=True)
    plain = fit(DANNClassifier, X_target=X_TARGET.astype(dtype))
    np.testing.assert_allclose(mixed.predict_proba(X), plain.predict_proba(X), 1e-5)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("target", [pd.DataFrame, np.asarray, sp.csr_array])
@pytest.mark.parametrize("source", [pd.DataFrame, np.asarray, sp.csr_array])
def test_containers_may_differ(cls, source, target):
    plain = fit(cls).predict_proba(X)
    model = cls(**fit(cls).get_params(deep=False))
    found = model.fit(source(X), Y, X_target=target(X_TARGET)).predict_proba(X)
    np.testing.assert_allclose(found, plain, 1e-3)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("bad", [X.astype("M8[s]"), X + 1j, X.astype(str), X[:0]])
def test_what_is_no_source_is_named_beside_a_target(cls, bad):
    with pytest.raises((ValueError, TypeError), match=r"\bX\b"):
        cls().fit(bad, Y[: len(bad)], X_target=X_TARGET)


def test_large_numbers_of_both_are_left_to_the_estimator():
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(X * 1e40, Y, X_target=X_TARGET * 1e40)
    assert model.n_target_ == 8


@pytest.mark.parametrize("cls", [*BOTH, DANNRegressor])
@pytest.mark.parametrize(
    "bad",
    [
        Y_TARGET[1:],
        Y_TARGET[:, None, None],
        np.eye(8, 3),
        Y_TARGET + 1j,
        np.zeros(8, dtype=[("a", int)]),
        [[0], *[1] * 7],
        set(range(8)),
        (label for label in Y_TARGET),
        3,
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_what_are_no_targets_is_named_as_such(cls, bad):
    with pytest.raises((ValueError, TypeError), match=r"\by_target\b"):
        fit(cls, y_target=bad)


@pytest.mark.parametrize("y", [Y, Y.astype(float), Y > 0, WORDS[Y]])
@pytest.mark.parametrize("of_objects", [False, True])
def test_numbers_and_words_are_not_made_the_same(y, of_objects):
    # numpy makes "0" of 0 beside a word.
    other = Y_TARGET if y.dtype.kind == "U" else WORDS[Y_TARGET]
    other = np.array([None, *other[1:]], dtype=object) if of_objects else other
    with pytest.raises(ValueError, match=r"y holds .* and y_target .* of one type"):
        fit(DANNClassifier, y, y_target=other)


@pytest.mark.parametrize(
    "odd",
    [
        {"a": 1},
        Decimal(1),
        pd.Period("2020"),
        np.datetime64("2020", "D"),
        0.5,
        np.inf,
        2**70,
    ],
    ids=lambda odd: type(odd).__name__,
)
@pytest.mark.parametrize("among", ["all", "one"])
def test_labels_that_would_not_do_for_a_source_are_named(odd, among):
    given = Y_TARGET.astype(object)
    given[slice(None) if among == "all" else 3] = odd
    with pytest.raises((ValueError, TypeError), match=r"\by_target\b"):
        fit(DANNClassifier, y_target=given)


def test_integers_are_not_made_floats_that_are_the_same():
    large = Y_TARGET.astype(np.uint64) + np.uint64(2**64 - 9)
    assert len(np.unique(np.concatenate([Y, large]))) == 3  # where two are one
    with pytest.raises(ValueError, match="int64 and y_target uint64"):
        fit(DANNClassifier, y_target=large)


def test_a_column_of_targets_is_read_as_beside_a_source():
    with pytest.warns(DataConversionWarning):
        column = fit(DANNClassifier, y_target=Y_TARGET[:, None])
    plain = fit(DANNClassifier, y_target=Y_TARGET)
    assert np.array_equal(column.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("target", [{"X_target": X_TARGET}, {"sample_domain": True}])
@pytest.mark.parametrize(
    "bad",
    [(label for label in Y), Y[:, None, None], [[0], *[1] * 11]],
    ids=["generator", "three axes", "ragged"],
)
def test_bad_labels_are_named_whichever_way_the_target_comes(cls, target, bad):
    if "sample_domain" in target:
        target = {"X_target": None, "sample_domain": np.repeat([1, -1], 6)}
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        fit(cls, bad, **target)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    "bad",
    [np.ones(11), np.ones((12, 1, 1)), np.zeros(12, dtype=[("a", float)]), ["a"] * 12],
    ids=["short", "three axes", "records", "text"],
)
def test_bad_weights_of_the_source_are_named(cls, bad):
    with pytest.raises((ValueError, TypeError), match=r"\bsample_weight\b"):
        fit(cls).fit(X, Y, sample_weight=bad, X_target=X_TARGET)


@pytest.mark.parametrize("cls", [*BOTH, DANNRegressor])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("some", [False, True])
def test_a_source_without_weight_is_told_by_the_name_of_weights(cls, apart, some):
    is_target = np.arange(12) >= 6
    target = {"sample_domain": np.where(is_target, -1, 1)}
    if apart:
        target = {"X_target": X_TARGET, "y_target": Y_TARGET.astype(float)}
    weight = 1.0 * (is_target & (some and not apart))
    with pytest.raises(ValueError, match=r"(?i)sample.weight"):
        cls().fit(X, Y, sample_weight=weight, **target)
