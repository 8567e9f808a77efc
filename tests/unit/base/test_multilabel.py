"""Several labels a sample, where one label a sample is the usual case."""

from __future__ import annotations

import numpy as np
import pytest

from mlmi_sklearn import DANNClassifier, NetClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype(np.float32)
Y = (X[:, :3] + 0.1 * RNG.normal(size=(120, 3)) > 0).astype(int)
DOMAIN = np.repeat([1, -1], 60)


def test_early_stopping_counts_samples_of_which_all_labels_are_right():
    model = NetClassifier(
        early_stopping=True, max_epochs=40, n_iter_no_change=3, lr=0.03, random_state=0
    )
    model.fit(X, Y)
    scores = model.history_["valid_score"].to_numpy()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores.max() > 0.8
    assert model.n_iter_ < 40
    assert model.score(X, Y) > 0.8


def test_several_domains():
    model = DANNClassifier(max_epochs=60, lr=0.01, random_state=0)
    model.fit(X, Y, sample_domain=DOMAIN)
    assert model.predict(X).shape == (120, 3)
    assert (model.predict(X) == Y).mean() > 0.8


def test_weights_of_classes_are_refused():
    with pytest.raises(ValueError, match="class_weight is not defined for multi-label"):
        NetClassifier(class_weight="balanced").fit(X, Y)
