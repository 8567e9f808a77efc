"""One scale for dense and sparse instances."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.mil.classic.inner import fit_scaler, scaled
from mlmi_sklearn.mil.classic.scaling import InstanceScaler

RNG = np.random.default_rng(0)
# Never zero and far from it, half zero, mostly zero, constant, always zero.
X = np.column_stack(
    [
        RNG.normal(1000, 1, 40),
        np.where(np.arange(40) % 2, 3.0, 0.0),
        np.where(RNG.random(40) < 0.1, RNG.normal(5, 1, 40), 0.0),
        np.full(40, 7.0),
        np.zeros(40),
    ]
)
WEIGHT = RNG.integers(1, 4, 40).astype(float)


def test_features_are_standardised_or_keep_their_zeros():
    out = InstanceScaler().fit(X).transform(X)
    assert_allclose(out.mean(axis=0)[[0, 3, 4]], 0, atol=1e-9)
    assert_allclose(out[:, 0].std(), 1)
    assert_array_equal(out[:, 1], np.arange(40) % 2)
    assert_array_equal(out[:, 2] == 0, X[:, 2] == 0)
    assert_allclose(np.abs(out[:, 2]).max(), 1)


def test_a_feature_is_centred_by_weight():
    x = np.array([[0.0], [0.0], [2.0]])
    assert InstanceScaler().fit(x).center_ == 0
    assert InstanceScaler().fit(x, sample_weight=np.array([1.0, 1.0, 2.0])).center_ == 0
    found = InstanceScaler().fit(x, sample_weight=np.array([1.0, 1.0, 4.0]))
    assert_allclose(found.center_, 4 / 3)


def test_without_zeros_it_is_the_standard_scaler():
    values = RNG.normal(3, 2, (30, 4))
    expected = StandardScaler().fit(values, sample_weight=WEIGHT[:30])
    found = InstanceScaler().fit(values, sample_weight=WEIGHT[:30])
    assert_allclose(found.transform(values), expected.transform(values))


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sparse_is_like_dense(form, dtype):
    values = X.astype(dtype)
    dense = fit_scaler(values, WEIGHT)
    rows = form(values)
    rows.data[3] = 0.0  # stored, yet a zero
    values = rows.toarray()
    found = fit_scaler(rows, WEIGHT)
    dense = fit_scaler(values, WEIGHT)
    assert_allclose(found.center_, dense.center_, rtol=1e-6)
    assert_allclose(found.scale_, dense.scale_, rtol=1e-4)
    out = scaled(found, rows)
    assert type(out) is form
    assert out.dtype == values.dtype == scaled(dense, values).dtype
    assert_allclose(out.toarray(), scaled(dense, values), rtol=1e-4, atol=1e-3)
    assert_array_equal(rows.toarray(), values)


def test_sparse_stays_sparse():
    rows = sparse.csr_array(RNG.random((200, 1000)) * (RNG.random((200, 1000)) < 0.02))
    out = scaled(fit_scaler(rows, np.ones(200)), rows)
    assert out.nnz == rows.nnz
    full = sparse.csr_array(sparse.hstack([rows, np.ones((200, 3)) * [1, 2, 3]]))
    assert scaled(fit_scaler(full, np.ones(200)), full).nnz <= 2 * full.nnz


def test_weights_are_copies():
    times = WEIGHT.astype(int)
    weighted = fit_scaler(X, WEIGHT)
    copies = fit_scaler(X.repeat(times, axis=0), np.ones(times.sum()))
    assert_allclose(weighted.center_, copies.center_, atol=1e-12)
    assert_allclose(weighted.scale_, copies.scale_)


def test_no_scaler_leaves_instances_alone():
    assert scaled(None, X) is X


@pytest.mark.parametrize("power", [-1000, 1000])
def test_weights_of_any_scale(power):
    X = RNG.normal(3, 2, size=(30, 2)).astype(np.float32)
    weight = RNG.uniform(0.5, 2, 30)
    one, other = InstanceScaler(), InstanceScaler()
    one.fit(X, sample_weight=weight)
    other.fit(X, sample_weight=np.ldexp(weight, power))
    np.testing.assert_array_equal(one.center_, other.center_)
    np.testing.assert_array_equal(one.scale_, other.scale_)
