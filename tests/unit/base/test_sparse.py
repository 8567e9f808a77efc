"""Sparse rows train and predict as the same rows made dense."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags

from mlmi_sklearn import (
    FineTuneClassifier,
    FineTuneRegressor,
    MAMLClassifier,
    MILClassifier,
    NetClassifier,
    NetRegressor,
    VectorizedSearchCV,
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = sp.random(90, 30, 0.1, format="csr", random_state=rng, dtype=np.float32)
    return X, np.asarray(X[:, :15].sum(1) > X[:, 15:].sum(1)).ravel().astype(int)


def net(**options):
    return NetClassifier(
        **{"max_epochs": 3, "batch_size": 32} | options, random_state=0
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": True}, {"dtype": "float64"}, {"class_weight": "balanced"}],
    ids=lambda options: "-".join(options) or "plain",
)
@pytest.mark.parametrize("convert", [sp.csr_matrix, sp.coo_array], ids=["csr", "coo"])
def test_fit_and_predict_as_if_dense(data, options, convert):
    X, y = data
    dense = net(**options).fit(X.toarray(), y)
    sparse = net(**options).fit(convert(X), y)
    expected = dense.predict_proba(X.toarray())
    np.testing.assert_allclose(sparse.predict_proba(convert(X)), expected, rtol=1e-6)
    np.testing.assert_allclose(sparse.predict_proba(X.toarray()), expected, rtol=1e-6)


def test_rows_without_weight_are_dropped(data):
    X, y = data
    weight = np.arange(len(y)) % 3.0
    dense = net().fit(X.toarray(), y, weight).predict_proba(X.toarray())
    sparse = net().fit(X, y, weight).predict_proba(X)
    np.testing.assert_allclose(sparse, dense, rtol=1e-6)


def test_numbers_are_predicted_and_learned_in_parts(data):
    X, y = data
    dense, sparse = (NetRegressor(random_state=0) for _ in range(2))
    for _ in range(2):
        dense.partial_fit(X.toarray(), y)
        sparse.partial_fit(X, y)
    np.testing.assert_allclose(sparse.predict(X), dense.predict(X.toarray()), rtol=1e-5)


@pytest.mark.parametrize("search", [GridSearchCV, VectorizedSearchCV])
def test_searches_take_sparse_rows(data, search):
    X, y = data
    grid = {"lr": [1e-3, 1e-2]}
    found = [search(net(), grid, cv=2).fit(rows, y) for rows in (X, X.toarray())]
    scores = [one.cv_results_["mean_test_score"] for one in found]
    np.testing.assert_allclose(*scores, atol=1e-6)


def test_errors_are_those_of_dense_rows(data):
    X, y = data
    with pytest.raises(ValueError, match="inconsistent numbers of samples: X has 90"):
        net().fit(X, y[1:])
    with pytest.raises(ValueError, match="X has 10 features, but NetClassifier is exp"):
        net().fit(X, y).predict(X[:, :10])
    with pytest.raises(ValueError, match="takes images"):
        net(backbone="conv").fit(X, y)
    bad = X.copy()
    bad.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        net().fit(bad, y)


@pytest.mark.parametrize(
    "kind", [FineTuneClassifier, FineTuneRegressor, MAMLClassifier, MILClassifier]
)
def test_those_that_take_no_sparse_rows_say_so(data, kind):
    assert not get_tags(kind()).input_tags.sparse
    with pytest.raises(TypeError, match="dense"):
        kind().fit(*data)
