"""Bags whose classes differ in one instance each, in all the forms that X may have."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mlmi_sklearn import Bags


def make_witness_bags(n_bags=24, n_features=5, seed=0, dtype=np.float64):
    """Make bags, positive ones with one shifted instance; half the entries are 0."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_bags) % 2
    lengths = rng.integers(1, 7, n_bags)
    values = rng.normal(size=(lengths.sum(), n_features))
    values[rng.random(values.shape) < 0.5] = 0.0
    values[(lengths.cumsum() - lengths)[y == 1]] += 4.0
    return Bags(values.astype(dtype), lengths), y


@pytest.fixture
def witness():
    """Return the function that makes bags and labels."""
    return make_witness_bags


@pytest.fixture
def in_all_forms():
    """Return a function that gives the same bags in every form that X may have."""

    def forms(bags):
        column = np.empty(len(bags), dtype=object)
        column[:] = bags.to_list()
        order = np.random.default_rng(1).permutation(len(bags))
        return {
            "list": bags.to_list(),
            "object array": column,
            "series": pd.Series(column),
            "csr bags": bags.with_values(sparse.csr_matrix(bags.values)),
            "csr list": [sparse.csr_matrix(bag) for bag in bags],
            "permuted view": bags[order].compact()[np.argsort(order)],
        }

    return forms
