"""Batches of predictions: as many rows as the largest result of a layer allows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from mlmi_sklearn import (
    FineTuneClassifier,
    MAMLClassifier,
    NetClassifier,
    ProtoNetClassifier,
)
from mlmi_sklearn.base import stages
from mlmi_sklearn.base.footprint import widest


class Wide(nn.Module):
    """A net within which a row has a thousand times the numbers of the input."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2000))
        self.norm = nn.BatchNorm1d(2)
        self.out_features = 2
        self.seen = []

    def forward(self, x):
        self.seen.append(len(x))
        wide = x[:, :1] * self.weight
        return self.norm(x) + wide.mean(1, keepdim=True)


@pytest.fixture
def rows_and_labels():
    X = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


@pytest.fixture
def small_limit(monkeypatch):
    """As if all data were a thousand times as large."""
    monkeypatch.setattr(stages, "_PREDICTION_ELEMENTS", 2**19)
    monkeypatch.setattr(stages, "_FEW_ELEMENTS", 2**12)


def largest(backbone):
    found, backbone.seen[:] = max(backbone.seen), []
    return found


def test_a_prediction_is_cut_by_what_the_layers_return(rows_and_labels, small_limit):
    X, y = rows_and_labels
    model = NetClassifier(Wide(), batch_size=32, max_epochs=1, random_state=0)
    model.fit(X[:100], y[:100])
    backbone = model.net_.module_.backbone
    backbone.seen.clear()
    together = model.predict_proba(X)
    assert largest(backbone) == 2**19 // 2000
    one_by_one = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(40)])
    np.testing.assert_allclose(together[:40], one_by_one, rtol=1e-6)


def test_batches_are_never_smaller_than_in_training(rows_and_labels, small_limit):
    X, y = rows_and_labels
    model = NetClassifier(Wide(), batch_size=1000, max_epochs=1, random_state=0)
    model.fit(X[:100], y[:100]).net_.module_.backbone.seen.clear()
    model.predict(X)
    assert largest(model.net_.module_.backbone) == 1000


def test_sparse_rows_are_counted(rows_and_labels, small_limit):
    X, y = rows_and_labels
    model = NetClassifier(Wide(), batch_size=32, max_epochs=1, random_state=0)
    model.fit(X[:100], y[:100])
    at_once = model._rows_per_prediction(sparse.csr_matrix(X))
    assert at_once == model._rows_per_prediction(X) == 2**19 // 2000


def test_few_rows_are_not_measured(rows_and_labels):
    X, y = rows_and_labels
    model = NetClassifier(Wide(), batch_size=32, max_epochs=1, random_state=0)
    seen = model.fit(X, y).net_.module_.backbone.seen
    seen.clear()
    model.predict(X)
    assert seen == [3000]


def test_measuring_leaves_the_model_and_random_numbers_alone(
    rows_and_labels, small_limit
):
    X, y = rows_and_labels
    model = NetClassifier(Wide(), batch_size=32, max_epochs=1, random_state=0)
    module = model.fit(X, y).net_.module_
    before = {k: v.clone() for k, v in module.state_dict().items()}
    state = torch.get_rng_state()
    model.predict(X)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


def test_features_of_a_fixed_backbone_are_cut_too(rows_and_labels, small_limit):
    """While fitting, when there is no fitted net to ask."""
    X, y = rows_and_labels
    model = FineTuneClassifier(
        Wide(), freeze="backbone.*", batch_size=32, max_epochs=1, random_state=0
    )
    model.fit(X, y)
    assert largest(model.net_.module_.backbone) <= 2**19 // 2000


def test_prototypes_are_computed_in_parts(rows_and_labels, small_limit):
    X, y = rows_and_labels
    model = ProtoNetClassifier(
        backbone=Wide(), n_way=2, max_epochs=1, episodes_per_epoch=2, random_state=0
    )
    model.fit(X, y)
    assert largest(model.net_.module_.backbone) <= 2**19 // 2000


def test_an_adapted_model_predicts_in_parts(rows_and_labels, monkeypatch):
    from mlmi_sklearn.meta_learning import adapted_base

    monkeypatch.setattr(adapted_base, "_ELEMENTS", 2**19)
    X, y = rows_and_labels
    meta = MAMLClassifier(
        backbone=Wide(), n_way=2, norm="frozen", max_epochs=1, episodes_per_epoch=2
    ).set_params(random_state=0)
    adapted = meta.fit(X, y).adapt(X[:20], y[:20])
    seen = meta.net_.module_.backbone.seen
    seen.clear()
    together = adapted.predict_proba(X)
    assert max(seen) == 2**19 // 2000
    alone = np.concatenate([adapted.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(together[:20], alone, rtol=1e-5)


# -- the measure itself --------------------------------------------------------------


def test_only_what_grows_with_the_rows_counts():
    class Folded(nn.Linear):
        def forward(self, x):
            return nn.functional.linear(x, self.weight * 2)

    assert widest(Folded(3, 700), (3,)) == 700


def test_functions_within_a_forward_count_as_layers_do():
    class Square(nn.Module):
        def forward(self, x):
            return torch.einsum("ni,nj->nij", x, x).sum((1, 2))

    assert widest(Square(), (30,)) == 900


def test_a_net_that_refuses_zeros_has_no_size():
    class Picky(nn.Module):
        def forward(self, x):
            raise KeyError("zeros")

    assert widest(Picky(), (3,)) == 0
