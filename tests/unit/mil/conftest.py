"""Small bags that a few epochs tell apart."""

import numpy as np
import pytest

from mlmi_sklearn import Bags, MILClassifier


@pytest.fixture
def make_bags():
    """Return a function that makes bags of n_features and their labels."""

    def make(n_bags=30, n_classes=2, n_features=4, dtype=np.float64, **fields):
        rng = np.random.default_rng(0)
        y = np.arange(n_bags) % n_classes
        lengths = rng.integers(1, 7, n_bags)
        centre = 2.0 * np.repeat(y, lengths)[:, None]
        values = rng.normal(centre, 1.0, (lengths.sum(), n_features))
        return Bags(values.astype(dtype), lengths, **fields), y

    return make


@pytest.fixture
def bags(make_bags):
    return make_bags()


@pytest.fixture
def quick():
    """Return a function that makes a MILClassifier that fits in no time."""

    def make(**params):
        return MILClassifier(**{"max_epochs": 3, "random_state": 0, **params})

    return make
