"""Toy domains, and estimators small enough to fit in milliseconds."""

import numpy as np
import pytest

from mlmi_sklearn import DANNClassifier, DANNRegressor, MMEClassifier

QUICK = {"max_epochs": 2, "batch_size": 16, "random_state": 0, "diagnostics": False}


def _domains(n=40, m=30, n_classes=3, shift=2.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n + m) % n_classes
    X = rng.normal(size=(n + m, 4))
    X[:, 0] += 2 * y
    sample_domain = np.repeat([1, -1], [n, m])
    X[sample_domain < 0, 1] += shift
    order = rng.permutation(n + m)
    return X[order], y[order], sample_domain[order]


@pytest.fixture
def domains():
    """Return a function of sizes: rows, labels and ids of two domains, mixed."""
    return _domains


@pytest.fixture
def toy():
    return _domains()


@pytest.fixture
def dann():
    return lambda **params: DANNClassifier(**QUICK).set_params(**params)


@pytest.fixture
def mme():
    return lambda **params: MMEClassifier(**QUICK).set_params(**params)


@pytest.fixture
def regressor():
    return lambda **params: DANNRegressor(**QUICK).set_params(**params)
