"""The engine on an accelerator; skipped where there is none."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification

from mlmi_sklearn import Bags, MILClassifier, NetClassifier

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

X, y = make_classification(n_samples=300, n_features=8, random_state=0)
X = X.astype(np.float32)


def test_auto_device_is_the_gpu_and_results_repeat():
    models = [NetClassifier(max_epochs=5, random_state=0).fit(X, y) for _ in range(2)]
    assert models[0].device_.startswith("cuda")
    scores = [m.decision_function(X) for m in models]
    np.testing.assert_array_equal(*scores)


def test_full_precision_agrees_with_the_cpu():
    scores = [
        NetClassifier(max_epochs=3, random_state=0, device=device, precision="full")
        .fit(X, y)
        .decision_function(X)
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*scores, atol=1e-3)


@pytest.mark.parametrize("precision", ["auto", "full", "bf16", "fp16"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_every_precision_learns(precision, early_stopping):
    model = NetClassifier(
        max_epochs=30, precision=precision, early_stopping=early_stopping, lr=1e-2
    )
    assert model.fit(X, y).score(X, y) > 0.85


@pytest.mark.parametrize("pooling", ["max", "mean", "attention", "gated-attention"])
def test_bags_train_and_repeat(pooling):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, 60)
    bags = Bags(rng.normal(size=(lengths.sum(), 5)).astype(np.float32), lengths)
    labels = rng.integers(0, 2, 60)
    scores = [
        MILClassifier(pooling=pooling, max_epochs=5, random_state=0)
        .fit(bags, labels)
        .decision_function(bags)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*scores)


def test_pickles_are_independent_of_the_device():
    model = NetClassifier(max_epochs=5, random_state=0, precision="full").fit(X, y)
    state = model.__getstate__() | {"device_": "cpu"}
    on_cpu = NetClassifier.__new__(NetClassifier)
    on_cpu.__setstate__(state)
    np.testing.assert_allclose(
        on_cpu.decision_function(X), model.decision_function(X), atol=1e-4
    )
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
