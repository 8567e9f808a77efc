"""A short look at arrays that are plainly in order lets nothing else through."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmi_sklearn import NetClassifier

X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def model():
    return NetClassifier(max_epochs=1, random_state=0).fit(X, Y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [1, 30])
def test_one_bad_value_among_good_ones_is_refused(model, bad, rows):
    spoiled = X[:rows].copy()
    spoiled[rows // 2, 1] = bad
    with pytest.raises(ValueError, match=r"Input X contains"):
        model.predict(spoiled)


def test_infinities_that_cancel_are_refused(model):
    spoiled = X[:2].copy()
    spoiled[0, 0], spoiled[1, 0] = np.inf, -np.inf
    with pytest.raises(ValueError, match="infinity"):
        model.predict(spoiled)


def test_large_values_whose_sum_overflows_are_no_infinities():
    large = np.concatenate([X, np.full((2, 3), 3e38, np.float32)])
    kind = NetClassifier("linear", max_epochs=1, random_state=0).set_params(lr=1e-9)
    linear = kind.fit(X, Y)
    with torch.no_grad():
        for weight in linear.net_.module_.parameters():
            weight.mul_(1e-3)  # so that no output overflows
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(linear.predict_proba(large)).all()


@pytest.mark.parametrize("shape", [(0, 3), (2, 2), (2, 4), (3,)])
def test_shapes_are_still_checked(model, shape):
    with pytest.raises(ValueError, match=r"X|features|sample|array"):
        model.predict(np.zeros(shape, np.float32))


def test_names_are_still_compared():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = NetClassifier(max_epochs=1, random_state=0).fit(frame, Y)
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c"]])


@settings(deadline=None, max_examples=30)
@given(
    dtype=st.sampled_from(["f4", "f8", ">f4", ">f8", "f2", "i4"]),
    order=st.sampled_from("CF"),
    step=st.sampled_from([1, -1, 2]),
)
def test_layout_does_not_matter(model, dtype, order, step):
    rows = np.round(X * 4)
    other = np.asarray(rows.astype(dtype), order=order)[::step]
    found = model.predict_proba(other)
    np.testing.assert_allclose(found, model.predict_proba(rows[::step]), atol=1e-6)
