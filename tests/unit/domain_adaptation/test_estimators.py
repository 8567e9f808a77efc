"""Regression, minimax entropy, images, features and types."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from scipy.special import softmax
from torch import nn

from mlmi_sklearn import DANNClassifier, DANNRegressor, MMEClassifier
from mlmi_sklearn.domain_adaptation.objective import MinimaxEntropy, Sides, mean_entropy
from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.nn.adaptation import DomainPredictor
from mlmi_sklearn.nn.heads import CosineHead

# -- numbers


def numbers(toy, n_outputs=1):
    X, _, ids = toy
    y = np.c_[X[:, 0] - X[:, 2], 10 * X[:, 3] - 5][:, :n_outputs]
    return X, y[:, 0] if n_outputs == 1 else y, ids


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("name", ["dann", "mmd", "coral", "wasserstein"])
def test_regression_without_targets(toy, regressor, n_outputs, name):
    X, y, ids = numbers(toy, n_outputs)
    masked = y.copy()
    masked[ids < 0] = np.nan
    model = regressor(max_epochs=20, divergence=name).fit(X, masked)
    assert (model.n_source_, model.n_target_) == (40, 30)
    assert model.predict(X).shape == y.shape
    assert model.score(X, y, ids) > 0.3
    known = regressor(max_epochs=20, divergence=name).fit(X, y, ids)
    if name != "wasserstein":  # the same rows, in the same order
        np.testing.assert_array_equal(known.predict(X), model.predict(X))
    np.testing.assert_allclose(model.y_mean_, y[ids > 0].mean(0))
    assert model.adaptation_report_.label_shift is not None


def test_minus_one_is_a_number(toy, regressor):
    X, _, ids = toy
    y = np.round(X[:, 0]).astype(int)
    y[:5] = -1
    model = regressor().fit(X, y)
    assert (model.n_source_, model.n_target_) == (70, 0)
    assert model.score(X, y) == pytest.approx(
        1 - np.square(y - model.predict(X)).sum() / np.square(y - y.mean()).sum()
    )
    assert regressor().fit(X, y, ids).n_target_ == 30


def test_targets_of_a_regressor_do_not_leak(toy, regressor):
    X, y, ids = numbers(toy, 2)
    other = y.copy()
    other[ids < 0] = 1e9
    model, found = regressor().fit(X, y, ids), regressor().fit(X, other, ids)
    np.testing.assert_array_equal(model.predict(X), found.predict(X))
    used = regressor(target_labels="use").fit(X, y, ids)
    assert not np.array_equal(used.predict(X), model.predict(X))


def test_rows_known_in_part(toy, regressor, dann):
    X, y, ids = numbers(toy, 2)
    y[np.flatnonzero(ids > 0)[0], 1] = np.nan
    with pytest.raises(ValueError, match="1 rows of which only some"):
        regressor().fit(X, y, ids)
    labels = (y > 0).astype(float)
    labels[np.flatnonzero(ids > 0)[:2], 0] = np.nan
    with pytest.raises(ValueError, match="2 rows of which only some"):
        dann().fit(X, labels, ids)


@pytest.mark.parametrize("name", ["cdan", "mdd"])
def test_divergences_of_classes_need_classes(toy, regressor, name):
    with pytest.raises(ValueError, match="which a regressor does not have"):
        regressor(divergence=name).fit(*numbers(toy))


def test_numbers_have_no_class_shares(toy, regressor):
    model = regressor(diagnostics=True).fit(*numbers(toy))
    assert model.class_shares_ is None
    assert np.isnan(model.adaptation_report_.label_shift)
    assert set(model.pad_) >= {"input", "features"}


# -- minimax entropy


@pytest.mark.parametrize("n_classes", [2, 3])
def test_prototypes_are_the_classifier(domains, mme, n_classes):
    X, y, ids = domains(n_classes=n_classes)
    model = mme(temperature=0.1).fit(X, np.where(ids < 0, -1, y), ids)
    Z, W = model.transform(X), model.prototypes_
    assert W.shape == (Z.shape[1], n_classes)
    scores = Z / np.linalg.norm(Z, axis=1, keepdims=True) @ W / 0.1
    np.testing.assert_allclose(
        model.predict_proba(X), softmax(scores, axis=1), atol=1e-6
    )
    assert not hasattr(mme(), "prototypes_")


def test_the_gradients_of_minimax_entropy():
    """The head climbs, the backbone descends: each by lambda times the plain one."""
    torch.manual_seed(0)
    backbone = nn.Linear(3, 4).double()
    backbone.out_features = 4
    model = DomainPredictor(backbone, CosineHead(4, 3).double(), nn.Identity())
    x = torch.randn(9, 3, dtype=torch.float64)
    w = torch.rand(9, dtype=torch.float64)
    parameters = [*model.backbone.parameters(), model.head.weight]
    entropy = mean_entropy(model(x), w)
    plain = torch.autograd.grad(entropy, parameters)
    sides = Sides(model.embed(x), model.embed(x), None, None, {}, w)
    value, total = MinimaxEntropy(0.7, "constant").terms(model, sides, 0.0)
    assert float(value) == pytest.approx(float(entropy.detach()))
    found = torch.autograd.grad(total, parameters)
    for sign, ours, theirs in zip((1, 1, -1), found, plain, strict=True):
        assert theirs.abs().sum() > 0
        np.testing.assert_allclose(ours, sign * 0.7 * theirs, atol=1e-12)


def test_entropy_weight_0_is_training_on_all_labels(toy, mme):
    X, y, ids = toy
    few = np.where((ids < 0) & (np.arange(70) % 5 > 0), -1, y)
    known = few >= 0
    model = mme(entropy_weight=0).fit(X, few, ids)
    assert not np.array_equal(
        mme().fit(X, few, ids).predict_proba(X), model.predict_proba(X)
    )
    alone = mme(entropy_weight=0).fit(X[known], y[known], ids[known])
    np.testing.assert_array_equal(alone.predict_proba(X), model.predict_proba(X))


def test_labels_of_the_target_help(domains, mme):
    X, y, ids = domains(n=120, m=120, n_classes=2, shift=0.0)
    y = np.where(ids < 0, 1 - y, y)
    X[:, 3] = 3.0 * (ids < 0)  # so that it can be told apart
    rng = np.random.default_rng(0)
    few = np.where((ids < 0) & (rng.random(240) > 0.2), -1, y)
    settings = {"max_epochs": 15, "domain_norm": "shared"}
    with_labels = mme(**settings).fit(X, few, ids)
    without = mme(**settings, target_labels="ignore").fit(X, few, ids)
    assert with_labels.score(X, y, ids) > without.score(X, y, ids) + 0.3


# -- images, features, types


@pytest.mark.parametrize("shape", [(8, 8), (2, 8, 8), (1, 4, 6, 6)])
@pytest.mark.parametrize("cls", [DANNClassifier, DANNRegressor, MMEClassifier])
def test_images_and_volumes(cls, shape):
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    X = rng.normal(size=(24, *shape)) + y.reshape(-1, *[1] * len(shape))
    ids = np.repeat([1, -1], 12)
    model = cls(max_epochs=2, batch_size=8, random_state=0, domain_norm="adabn")
    model.fit(X, y, ids)
    assert model.predict(X).shape == (24,)
    assert model.transform(X).shape == (24, len(model.get_feature_names_out()))
    assert set(model.pad_) >= {"input", "features"}
    apart = cls(max_epochs=2, batch_size=8, random_state=0, domain_norm="adabn")
    apart.fit(X[:12], y[:12], X_target=X[12:], y_target=y[12:])
    np.testing.assert_array_equal(apart.transform(X), model.transform(X))
    with pytest.raises(ValueError, match="samples of shape"):
        model.predict(np.zeros((3, *shape[:-1], shape[-1] + 1)))


def test_features(toy, dann):
    X, y, ids = toy
    frame = pd.DataFrame(X, columns=["age", "dose", "rate", "mass"])
    model = dann(backbone="mlp", backbone__hidden=(7,)).fit(frame, y, ids)
    assert model.feature_names_in_.tolist() == list(frame.columns)
    names = [f"dannclassifier{k}" for k in range(7)]
    assert model.get_feature_names_out().tolist() == names
    table = model.set_output(transform="pandas").transform(frame)
    assert list(table.columns) == names
    assert table.index.equals(frame.index)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["dose", "age", "rate", "mass"]])
    with pytest.raises(ValueError, match="expecting 4 features"):
        model.transform(X[:, :3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types(toy, dann, dtype):
    X, y, ids = toy
    model = dann().fit(X.astype(dtype), y, ids)
    assert model.transform(X).dtype == dtype
    forced = dann(dtype="float64").fit(X.astype(dtype), y, ids)
    assert forced.transform(X).dtype == np.float64
    assert len(forced.predict(X[:1])) == 1


def test_several_labels_a_row(toy, dann):
    X, y, ids = toy
    labels = np.c_[y > 0, y > 1].astype(int)
    masked = labels.copy()
    masked[ids < 0] = -1
    model = dann(max_epochs=10, diagnostics=True).fit(X, labels, ids)
    assert model.predict(X).shape == (70, 2)
    t = ids < 0
    expected = (model.predict(X[t]) == labels[t]).all(1).mean()
    assert model.score(X, labels, ids) == pytest.approx(expected)
    for name in ("cdan", "mdd", "mmd"):
        dann(divergence=name).fit(X, labels, ids)


# -- AdaBN


def statistics(model):
    parts = model.net_.module_.modules()
    norm = next(p for p in parts if isinstance(p, nn.BatchNorm1d))
    return norm.running_mean.numpy(), norm.running_var.numpy()


def test_statistics_of_the_target(toy, dann):
    X, y, ids = toy
    plain = dann(dtype="float64").fit(X, y, ids)
    adapted = dann(dtype="float64", domain_norm="adabn").fit(X, y, ids)
    first = next(p for p in adapted.net_.module_.modules() if isinstance(p, nn.Linear))
    hidden = first(torch.tensor(X[ids < 0])).detach().numpy()
    mean, var = statistics(adapted)
    np.testing.assert_allclose(mean, hidden.mean(0), atol=1e-9)
    np.testing.assert_allclose(var, hidden.var(0, ddof=1), atol=1e-9)
    # Training is the same; so adapting afterwards is, too.
    np.testing.assert_array_equal(
        plain.adapt(X[ids < 0]).predict_proba(X), adapted.predict_proba(X)
    )


def test_adapt_returns_a_copy(toy, dann):
    X, y, ids = toy
    model = dann().fit(X, y, ids)
    before = model.predict_proba(X)
    other = model.adapt(X + 3)
    assert other is not model
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert not np.array_equal(other.predict_proba(X), before)
    again = model.adapt(sparse.csr_matrix(X + 3))
    np.testing.assert_array_equal(again.predict_proba(X), other.predict_proba(X))
    # A batch that is shifted as a whole is shifted back.
    np.testing.assert_allclose(
        other.predict_proba(X + 3), model.adapt(X).predict_proba(X), atol=1e-5
    )


def test_nothing_to_adapt(toy, dann):
    X, y, ids = toy
    model = dann().fit(X, y, ids)
    with pytest.warns(DomainWarning, match="One row has no spread"):
        same = model.adapt(X[:1])
    np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))
    plain = dann(backbone="mlp", backbone__norm="none").fit(X, y, ids)
    with pytest.warns(DomainWarning, match="no batch normalisation"):
        plain.adapt(X)
    with pytest.warns(DomainWarning, match="no batch normalisation"):
        plain.set_params(domain_norm="adabn").fit(X, y, ids)


# -- the shallow form


def test_the_shallow_form_is_that_of_the_paper(toy):
    X, y, ids = toy
    model = DANNClassifier(
        hidden_layer_sizes=(15,), max_epochs=2, random_state=0, diagnostics=False
    ).fit(X, y, ids)
    kinds = [type(p).__name__ for p in model.net_.module_.backbone.modules()]
    assert "Sigmoid" in kinds
    assert not any("BatchNorm" in kind for kind in kinds)
    critic = model.net_.module_.divergence.critic
    assert [p.shape for p in critic.parameters()] == [(1, 15), (1,)]
    assert model.transform(X).shape == (70, 15)
    own = DANNClassifier(hidden_layer_sizes=15, discriminator=(8,), max_epochs=1)
    critic = own.fit(X, y, ids).net_.module_.divergence.critic
    assert next(critic.parameters()).shape == (8, 15)
