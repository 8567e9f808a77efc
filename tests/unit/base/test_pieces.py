"""Many classes: predictions need no table of all rows and all classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mlmi_sklearn import Bags, DANNClassifier, MILClassifier, NetClassifier
from mlmi_sklearn.base import pieces

RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 3)).astype(np.float32)
Y = np.array(["a", "b", "c"])[np.arange(23) % 3]


@pytest.fixture
def most(monkeypatch):
    """Return the most rows that scores were computed for; tables hold 15 scores."""
    monkeypatch.setattr(pieces, "_SCORES", 15)
    seen = []
    for cls in (NetClassifier, MILClassifier, DANNClassifier):
        whole = cls._raw

        def raw(self, X, whole=whole):
            scores = whole(self, X)
            seen.append(scores.shape)
            return scores

        monkeypatch.setattr(cls, "_raw", raw)
    return lambda: max(np.prod(shape) for shape in seen)


@pytest.mark.parametrize(
    ("cls", "form"),
    [
        (NetClassifier, np.asarray),
        (NetClassifier, lambda X: X.tolist()),
        (NetClassifier, pd.DataFrame),
        (NetClassifier, sparse.csr_array),
        (NetClassifier, sparse.csc_matrix),
        (MILClassifier, lambda X: Bags(np.repeat(X, 2, axis=0), [2] * len(X))),
        (MILClassifier, lambda X: [np.stack([row, row]) for row in X]),
        (DANNClassifier, np.asarray),
    ],
)
def test_pieces_are_as_the_whole(cls, form, most):
    data = form(X)
    model = cls(max_epochs=2, random_state=0).fit(data, Y)
    scores = model.decision_function(data)
    assert scores.shape == (23, 3)
    expected = model.classes_[scores.argmax(axis=1)]
    found = model.predict(data)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_tables_are_small(most):
    model = NetClassifier(max_epochs=1, random_state=0).fit(X, Y)
    model.predict(X)
    assert most() == 15


def test_one_row_at_a_time_where_one_is_too_many(most, monkeypatch):
    monkeypatch.setattr(pieces, "_SCORES", 1)
    model = NetClassifier(max_epochs=1, random_state=0).fit(X, Y)
    assert model.predict(X).shape == (23,)
    assert most() == 3


def test_labels_that_are_rejected_and_several_labels(monkeypatch):
    model = DANNClassifier(max_epochs=1, random_state=0, reject_threshold=0.45)
    model.set_params(unknown_label="none of these").fit(X, Y)
    indicators = NetClassifier(max_epochs=1, random_state=0).fit(X, X > 0)
    whole = model.predict(X), indicators.predict(X)
    assert len(np.unique(whole[0])) > 1
    assert "none of these" in whole[0]
    monkeypatch.setattr(pieces, "_SCORES", 7)
    np.testing.assert_array_equal(model.predict(X), whole[0])
    np.testing.assert_array_equal(indicators.predict(X), whole[1])
