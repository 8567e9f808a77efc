"""Stacking data sets of several places, and taking them apart."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mlmi_sklearn.domain_adaptation import pack_domains, unpack_domains


@pytest.fixture
def places():
    rng = np.random.default_rng(0)
    return {k: (rng.normal(size=(n, 3)), np.arange(n) % 3) for k, n in
            (("A", 5), ("B", 4), ("C", 6))}  # fmt: skip


@pytest.mark.parametrize("wrap", [np.asarray, pd.DataFrame, sparse.csr_matrix, list])
def test_round_trip(places, wrap):
    source = {k: (wrap(places[k][0]), places[k][1]) for k in "AB"}
    target = {"C": (wrap(places["C"][0]), places["C"][1])}
    X, y, ids = pack_domains(source, target=target)
    assert ids.tolist() == [1] * 5 + [2] * 4 + [-1] * 6
    back = unpack_domains(X, y, ids)
    assert list(back) == [-1, 1, 2]
    for name, k in (("A", 1), ("B", 2), ("C", -1)):
        rows = back[k][0]
        rows = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        np.testing.assert_array_equal(rows, places[name][0])
        np.testing.assert_array_equal(back[k][1], places[name][1])


@pytest.mark.parametrize(
    ("labels", "marker"),
    [
        ([0, 1, 2], -1),
        ([0.5, 1.5, 2.5], np.nan),
        (["x", "y", "z"], None),
        ([True, False, True], None),
        ([[0, 1], [1, 0], [1, 1]], -1),
        ([[0.5, 1], [1, 0], [1, 1]], np.nan),
    ],
    ids=str,
)
def test_missing_targets(labels, marker):
    X = np.zeros((3, 2))
    for target in (X, (X, None)):
        _, y, ids = pack_domains({"a": (X, labels)}, target={"b": target})
        assert y[:3].tolist() == labels
        assert y.shape == (6, *np.shape(labels)[1:])
        rest = y[3:].ravel()
        assert all(v is marker for v in rest) or np.array_equal(
            rest.astype(float), np.full(rest.shape, marker, float), equal_nan=True
        )
        assert ids.tolist() == [1, 1, 1, -1, -1, -1]


def test_what_is_packed_can_be_fitted(places, dann):
    source = {k: places[k] for k in "AB"}
    X, y, ids = pack_domains(source, target={"C": places["C"][0]})
    model = dann().fit(X, y, ids)
    assert (model.n_source_, model.n_target_) == (9, 6)
    assert model.domains_.tolist() == [1, 2, -1]
    names = np.array(["x", "y", "z"])
    named = {k: (rows, names[labels]) for k, (rows, labels) in source.items()}
    X, y, ids = pack_domains(named, target={"C": places["C"][0]})
    assert dann().fit(X, y, ids).classes_.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ({}, {}, "source is empty"),
        ({"a": np.zeros((2, 1))}, {}, r"source\['a'\] must be a pair"),
        ({"a": (np.zeros((2, 1)), None)}, {}, "has no y"),
        ({"a": (np.zeros((2, 1)), [0])}, {}, "'a': X has 2 rows, but y has 1"),
        ({"a": (np.zeros((2, 1)), [-1, 1])}, {}, "holds -1"),
        (
            {"a": (np.zeros((2, 1)), [0, 1])},
            {"b": np.zeros((2, 3))},
            "samples of shape",
        ),
    ],
)
def test_what_is_refused(source, target, message):
    with pytest.raises(ValueError, match=message):
        pack_domains(source, target=target)
