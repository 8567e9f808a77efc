"""Conditions as vectors: kinds found, classes kept, errors that name the column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris

from mlmi_sklearn.generation.conditions import ConditionEncoder

KINDS = [
    (np.array(["a", "b", "a"]), "class"),
    (np.array([True, False, True]), "class"),
    (np.array([0, 1, 2, 1]), "class"),
    (np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0]), "class"),
    (np.array([0.5, 1.5, 0.5]), "continuous"),
    (np.array(["a", "b"], dtype=object), "class"),
    (np.array([1, 2, 1, 2, 1, 2], dtype=object), "class"),
    (np.array([0.1, 2, 1], dtype=object), "continuous"),
    (np.arange(100), "continuous"),
    (np.repeat(np.arange(100), 10), "class"),
    (load_diabetes().target, "continuous"),
    (load_iris().target.astype(float), "class"),
]


@pytest.mark.parametrize(("y", "kind"), KINDS)
def test_kind_of_a_column(y, kind):
    assert ConditionEncoder().fit(y).columns_[0].kind == kind


def test_classes_become_ones_and_zeros_in_sorted_order():
    encoder = ConditionEncoder().fit(np.array([3, 1, 2, 1]))
    assert_array_equal(encoder.classes, [1, 2, 3])
    assert_array_equal(encoder.encode([2, 3]), [[0, 1, 0], [0, 0, 1]])
    assert encoder.width == 3


def test_numbers_are_standardised():
    y = np.random.default_rng(0).normal(5, 3, 200)
    encoder = ConditionEncoder().fit(y)
    z = encoder.encode(y)
    assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-12)
    assert encoder.is_continuous
    assert encoder.classes is None
    assert encoder.strata(y) is None


def test_constant_numbers_do_not_divide_by_zero():
    encoder = ConditionEncoder("continuous").fit(np.full(5, 2.5))
    assert_array_equal(encoder.encode(np.full(2, 2.5)), [[0.0], [0.0]])


def test_table_of_conditions():
    y = pd.DataFrame({"sex": ["f", "m", "f", "m"], "age": [30.5, 40.25, 50.1, 60.7]})
    encoder = ConditionEncoder().fit(y)
    assert [c.kind for c in encoder.columns_] == ["class", "continuous"]
    assert encoder.encode(y).shape == (4, 3)
    assert_array_equal(encoder.strata(y), [0, 1, 0, 1])


def test_strata_are_combinations_of_classes():
    y = np.array([["a", "x"], ["a", "y"], ["b", "x"], ["a", "x"]])
    strata = ConditionEncoder().fit(y).strata(y)
    assert strata[0] == strata[3]
    assert len(set(strata.tolist())) == 3


def test_without_conditions():
    encoder = ConditionEncoder().fit(None)
    assert encoder.width == 0
    assert encoder.strata(None) is None
    assert ConditionEncoder("none").fit(np.arange(3)).ndim_ == 0


def test_unknown_class_is_named():
    encoder = ConditionEncoder().fit(np.array(["cat", "dog"]))
    with pytest.raises(ValueError, match=r"y contains \['cow'\].*cat.*dog"):
        encoder.encode(np.array(["cat", "cow"]))


def test_unknown_class_in_a_table_names_its_column():
    encoder = ConditionEncoder().fit(pd.DataFrame({"site": ["a", "b"]}))
    with pytest.raises(ValueError, match="column 'site' of y"):
        encoder.encode(pd.DataFrame({"site": ["c"]}))


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros((2, 1))])
def test_shape_must_be_that_of_fit(bad):
    encoder = ConditionEncoder().fit(np.array([0, 1]))
    with pytest.raises(ValueError, match=r"in fit it was of shape \(n,\)"):
        encoder.encode(bad)


def test_missing_condition_is_an_error():
    with pytest.raises(ValueError, match="y contains NaN"):
        ConditionEncoder().fit(np.array(["a", None], dtype=object))
    with pytest.raises(ValueError, match="y contains NaN"):
        ConditionEncoder().fit(np.array([0.5, np.nan]))


def test_strings_are_no_quantities():
    with pytest.raises(ValueError, match="must be numbers"):
        ConditionEncoder("continuous").fit(np.array(["a", "b"]))


def test_maps_are_not_y():
    with pytest.raises(ValueError, match="condition="):
        ConditionEncoder().fit(np.zeros((2, 3, 4)))
