"""A plugin's part that returns a wrong shape is named before anything is trained."""

from __future__ import annotations

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn

from mlmi_sklearn import (
    CGANSampler,
    DANNClassifier,
    MILClassifier,
    NetClassifier,
    NetRegressor,
    hookimpl,
    list_plugins,
)
from mlmi_sklearn.components import registry
from mlmi_sklearn.components.component import failures_in_use
from mlmi_sklearn.components.discovery import Candidate
from mlmi_sklearn.components.lookup import Registry
from mlmi_sklearn.components.manager import PluginManager
from mlmi_sklearn.exceptions import PluginError
from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.losses import MSE, CrossEntropy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype(np.float32)
Y = np.arange(24) % 2


class Narrow(MLP):
    def forward(self, x):
        return super().forward(x)[:, :-1]


class Deep(MLP):
    def forward(self, x):
        return super().forward(x)[..., None]


class Widthless(MLP):
    def __init__(self, input_shape, hidden=(4,)):
        super().__init__(input_shape, hidden)
        self.out_features = "four"


class Jams(MLP):
    def forward(self, x):
        return super().forward(torch.cat([x, x], 1))


class Leaves(MLP):
    def forward(self, x):
        raise SystemExit(3)


class Choosy(MLP):
    def forward(self, x):
        raise ValueError("samples must be larger than (4,)")


class Mean(CrossEntropy):
    def __call__(self, raw, target):
        return super().__call__(raw, target).mean()


class Wide(MSE):
    def __call__(self, raw, target):
        return (raw - target.reshape(raw.shape)).square()


class Unlinked(CrossEntropy):
    link = "logit"


class FiveClasses(CrossEntropy):
    def __call__(self, raw, target):
        weight = torch.ones(5)
        return nn.functional.cross_entropy(raw, target, weight, reduction="none")


class Pool(nn.Module):
    weighted_mean = True

    def __init__(self, in_features):
        super().__init__()
        self.out_features = in_features

    def forward(self, values, segments):
        return segments.mean(values)[:, :1], values[:, 0]


class Single(Pool):
    def forward(self, values, segments):
        return segments.mean(values)


class Rows(nn.Module):
    adversarial = False

    def __init__(self, in_features):
        super().__init__()

    def forward(self, zs, zt):
        return (zs.mean(0) - zt.mean(0)).square()


class Pair:
    def discriminator(self, real, fake):
        return fake - real

    def generator(self, fake):
        return -fake.mean()


class Flat(nn.Module):
    def __init__(self, latent_dim, output_shape, vector_size, map_channels):
        super().__init__()
        self.layer = nn.Linear(latent_dim + vector_size, 2)

    def forward(self, z, vector=None, maps=None):
        return self.layer(z if vector is None else torch.cat([z, vector], 1))


class Crops:
    def __call__(self, batch, generator):
        return batch[..., :-1]


PARTS = {
    "backbone": [Narrow, Deep, Widthless, Jams, Leaves, Choosy, MLP],
    "loss": [Mean, Wide, Unlinked, FiveClasses],
    "pooling": [Pool, Single],
    "divergence": [Rows],
    "adversarial-loss": [Pair],
    "generator": [Flat],
    "augmentation": [Crops],
}


class Plugin(SimpleNamespace):
    __hash__ = object.__hash__


def hook(kind):
    @hookimpl
    def function(register):
        for cls in PARTS[kind]:
            register(f"odd-{cls.__name__.lower()}", cls, summary="A part.")

    return function


@pytest.fixture(autouse=True)
def odd(monkeypatch):
    """Pretend that a distribution with all these parts is installed."""
    plural = {"loss": "losses", "adversarial-loss": "adversarial_losses"}
    hooks = {f"mlmi_register_{plural.get(k, f'{k}s')}": hook(k) for k in PARTS}
    plugin = Candidate("odd", "mlmi-odd", "1.0", lambda: Plugin(**hooks))
    mine = Registry(PluginManager(lambda: [plugin], {}))
    monkeypatch.setattr(registry, "_REGISTRY", mine)
    failures_in_use.clear()
    yield
    failures_in_use.clear()


def refusal(estimator, X, y, **fit):
    """Return what a fit says that fails; it has to leave the estimator unfitted."""
    before = {k: repr(v) for k, v in estimator.get_params().items()}
    with pytest.raises(PluginError) as caught:
        estimator.fit(X, y, **fit)
    assert {k: repr(v) for k, v in estimator.get_params().items()} == before
    fitted = [name for name in vars(estimator) if name.endswith("_")]
    assert set(fitted) <= before.keys()
    text = str(caught.value)
    assert "distribution 'mlmi-odd'" in text
    assert "This is a fault of that plugin, not of your call" in text
    return text


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "narrow",
            "2 samples of shape (4,) became a tensor of shape (2, 99), where a tensor "
            "of shape (2, 100) is due, since out_features is 100",
        ),
        (
            "deep",
            "2 samples of shape (4,) became a tensor of shape (2, 100, 1)",
        ),
        ("widthless", "its attribute out_features is 'four', where an int is due"),
        ("jams", "failed on its first, tiny batch: RuntimeError: mat1 and mat2 shapes"),
        ("leaves", "failed on its first, tiny batch: SystemExit: 3"),
    ],
)
def test_backbones(name, problem):
    text = refusal(NetClassifier(backbone=f"odd-{name}", max_epochs=1), X, Y)
    assert f"backbone 'odd-{name}': {problem}" in text


@pytest.mark.parametrize(
    ("estimator", "name", "problem"),
    [
        (
            NetClassifier,
            "mean",
            "scores of shape (4, 3) and 4 targets became a tensor of shape (), where a "
            "tensor of shape (4,) is due: one value a sample, not reduced",
        ),
        (
            NetRegressor,
            "wide",
            "scores of shape (4, 1) and 4 targets became a tensor of",
        ),
        (NetClassifier, "unlinked", "its attribute link is 'logit', where one of"),
    ],
)
def test_losses(estimator, name, problem):
    text = refusal(estimator(loss=f"odd-{name}", max_epochs=1), X, Y)
    assert f"loss 'odd-{name}': {problem}" in text
    assert "`mlmi-sklearn plugins check mlmi-odd` tells more" in text


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "pool",
            "became pooled, a tensor of shape (2, 1), where a tensor of shape (2,",
        ),
        ("single", "a pair (pooled, weights) is due"),
    ],
)
def test_poolings(name, problem):
    model = MILClassifier(pooling=f"odd-{name}", max_epochs=1)
    assert problem in refusal(model, X.reshape(6, 4, 4), Y[:6])


def test_divergences():
    model = DANNClassifier(divergence="odd-rows", max_epochs=1)
    text = refusal(model, X, Y, sample_domain=np.arange(24) // 12 * 2 - 1)
    assert "divergence 'odd-rows': 3 and 2 rows of " in text
    assert "where a scalar tensor is due" in text


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        (
            {"loss": "odd-pair"},
            "discriminator made of 3 scores a tensor of shape (3, 1)",
        ),
        (
            {"generator": "odd-flat"},
            "became a tensor of shape (2, 2), where a tensor of",
        ),
    ],
)
def test_conditional_generation(params, problem):
    assert problem in refusal(CGANSampler(max_iter=2, **params), X, Y)


def test_augmentations():
    images = RNG.normal(size=(12, 1, 8, 8)).astype(np.float32)
    for augmentation in ("odd-crops", ["flip", "odd-crops"]):
        model = CGANSampler(max_iter=2, augment=augmentation)
        text = refusal(model, images, Y[:12])
        assert (
            "augmentation 'odd-crops': a batch of shape (2, 1, 16, 16) became" in text
        )
        assert "a tensor of shape (2, 1, 16, 15), where a tensor of shape (2," in text


def test_what_a_part_says_about_its_input_is_passed_on():
    model = NetClassifier(backbone="odd-choosy", max_epochs=1)
    with pytest.raises(ValueError, match="must be larger") as caught:
        model.fit(X, Y)
    assert not isinstance(caught.value, PluginError)


def test_a_part_for_certain_data_only_is_used_where_it_fits():
    model = NetClassifier(loss="odd-fiveclasses", max_epochs=1).fit(
        X, np.arange(24) % 5
    )
    assert model.predict(X).shape == (24,)


def test_a_fitted_estimator_survives_a_fit_with_a_wrong_part():
    model = NetClassifier(backbone="odd-mlp", max_epochs=2, random_state=0).fit(X, Y)
    expected = model.predict_proba(X)
    with pytest.raises(PluginError):
        model.set_params(backbone="odd-narrow").fit(X, Y)
    assert np.array_equal(model.predict_proba(X), expected)
    model.set_params(backbone="odd-mlp")
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), expected)


def test_trials_change_no_result():
    one = NetClassifier(backbone="odd-mlp", max_epochs=2, random_state=0).fit(X, Y)
    two = NetClassifier(backbone="mlp", max_epochs=2, random_state=0).fit(X, Y)
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))


def test_a_search_goes_on_beside_it_and_the_list_names_it():
    search = GridSearchCV(
        NetClassifier(max_epochs=1, random_state=0),
        {"backbone": ["mlp", "odd-deep", "odd-mlp"]},
        cv=2,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)
    said = "distribution 'mlmi-odd', backbone 'odd-deep': 2 samples"
    assert any(said in str(one.message) for one in caught)
    scores = search.cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [False, True, False]
    [info] = [i for i in list_plugins() if i.dist == "mlmi-odd"]
    assert info.status == "broken"
    assert "backbone 'odd-deep': 2 samples of shape (4,)" in info.error
