"""Toy tasks, and meta-learners small enough to train in milliseconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlmi_sklearn import MAMLClassifier, MAMLRegressor, MLPBackbone, ProtoNetClassifier

QUICK = {
    "n_shot": 2,
    "n_query": 3,
    "meta_batch_size": 4,
    "episodes_per_epoch": 8,
    "max_epochs": 2,
    "random_state": 0,
}


def _blobs(n_classes=8, n=12, d=4, seed=0, shape=None):
    """Return rows around one point for each class, in random order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(n_classes), n))
    shape = (d,) if shape is None else shape
    centres = 3 * rng.normal(size=(n_classes, *shape))
    return centres[y] + rng.normal(size=(len(y), *shape)), y


def _lines(n_tasks=12, n=8, d=2, seed=0):
    """Return linear functions, one a task."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(n_tasks), n))
    X = rng.normal(size=(len(groups), d))
    slopes = rng.normal(size=(n_tasks, d))
    return X, 5 + 2 * (X * slopes[groups]).sum(1), groups


@pytest.fixture(scope="session")
def blobs():
    return _blobs


@pytest.fixture(scope="session")
def lines():
    return _lines


@pytest.fixture(scope="session")
def maml():
    def make(**params):
        model = MAMLClassifier(
            backbone=MLPBackbone(hidden=(8,)),
            n_way=3,
            inner_lr=0.1,
            finetune_steps=3,
            **QUICK,
        )
        return model.set_params(**params)

    return make


@pytest.fixture(scope="session")
def regressor():
    def make(**params):
        model = MAMLRegressor(
            backbone=MLPBackbone(hidden=(8,)), inner_lr=0.1, finetune_steps=3, **QUICK
        )
        return model.set_params(**params)

    return make


@pytest.fixture(scope="session")
def protonet():
    def make(**params):
        model = ProtoNetClassifier(backbone=MLPBackbone(hidden=(8,)), n_way=3, **QUICK)
        return model.set_params(**params)

    return make


def state_of(estimator):
    """Return all that adapting may not touch: weights, buffers, generators."""
    module = estimator.net_.module_
    tensors = {k: v.clone() for k, v in module.state_dict().items()}
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    tensors |= {f"named {k}": v.detach().clone() for k, v in named.items()}
    policies = [getattr(m, "policy", None) for m in module.modules()]
    legacy = np.random.get_state()  # the global generator is the point
    return {
        "tensors": tensors,
        "policies": policies,
        "training": [m.training for m in module.modules()],
        "torch": torch.get_rng_state(),
        "numpy": legacy[1].copy(),
        "place": legacy[2],
        "params": repr(sorted(estimator.get_params().items(), key=str)),
    }


def _same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    return bool(np.all(a == b))


class Untouched:
    """Notes the state of an estimator, and that it is the same at the end."""

    def __init__(self, estimator):
        self.estimator = estimator

    def __enter__(self):
        self.before = state_of(self.estimator)
        return self.estimator

    def __exit__(self, *problem):
        if problem[0] is None:
            after = state_of(self.estimator)
            assert [k for k in after if not _same(after[k], self.before[k])] == []


@pytest.fixture(scope="session")
def untouched():
    return Untouched
