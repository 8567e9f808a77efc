"""Kinds of doubt in several probabilities."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.stats import entropy

from mlmi_sklearn.metrics import predictive_uncertainty

COLUMNS = [
    "entropy",
    "expected_entropy",
    "mutual_information",
    "std",
    "variation_ratio",
]


@st.composite
def members(draw):
    shape = draw(st.tuples(*(st.integers(low, 5) for low in (1, 1, 2))))
    raw = draw(arrays(float, shape, elements=st.floats(0, 1)))
    raw[..., 0] += 1e-3
    return raw / raw.sum(axis=2, keepdims=True)


@given(members())
def test_formulas_and_ranges(p):
    found = predictive_uncertainty(p)
    assert list(found) == COLUMNS
    assert len(found) == p.shape[1]
    total = [entropy(p[:, i].mean(axis=0)) for i in range(p.shape[1])]
    inner = [np.mean([entropy(m) for m in p[:, i]]) for i in range(p.shape[1])]
    assert_allclose(found["entropy"], total, atol=1e-12)
    assert_allclose(found["expected_entropy"], inner, atol=1e-12)
    difference = found["entropy"] - found["expected_entropy"]
    assert_allclose(found["mutual_information"], difference, atol=1e-12)
    assert (found >= 0).all(axis=None)
    assert (found["entropy"] <= np.log(p.shape[2]) + 1e-9).all()
    assert (found["std"] <= 0.5 + 1e-12).all()
    assert (found["variation_ratio"] <= 1 - 1 / p.shape[0] + 1e-12).all()


@given(members())
def test_order_of_members_and_copies_of_them_change_nothing(p):
    expected = predictive_uncertainty(p)
    for other in (p[::-1], np.concatenate([p, p])):
        pd.testing.assert_frame_equal(predictive_uncertainty(other), expected)


def test_one_member_knows_nothing_of_the_model():
    p = np.array([[[0.2, 0.8], [0.5, 0.5]]])
    found = predictive_uncertainty(p)
    assert (found[["mutual_information", "std", "variation_ratio"]] == 0).all(axis=None)
    assert_allclose(found["entropy"], [entropy([0.2, 0.8]), np.log(2)])


def test_std_is_that_of_the_chosen_class():
    p = np.array([[[0.1, 0.3, 0.6]], [[0.2, 0.0, 0.8]]])
    assert_allclose(predictive_uncertainty(p)["std"], [0.1])


def test_variation_ratio_counts_votes():
    votes = np.eye(3)[[0, 0, 1, 2, 0]][:, None]
    assert_allclose(predictive_uncertainty(votes)["variation_ratio"], [0.4])


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (np.ones((2, 3)), "n_members, n_samples, n_classes"),
        (np.ones((2, 3, 1)), "two classes"),
        (np.ones((0, 3, 2)), "at least one member"),
        (np.full((1, 1, 2), 0.7), "must sum to 1.*labels"),
        (np.array([[[1.5, -0.5]]]), "between 0 and 1"),
        (np.array([[[np.nan, 0.5]]]), "between 0 and 1"),
    ],
)
def test_bad_input(p, message):
    with pytest.raises(ValueError, match=message):
        predictive_uncertainty(p)


def test_no_samples_give_an_empty_table():
    assert predictive_uncertainty(np.ones((2, 0, 3))).shape == (0, 5)
