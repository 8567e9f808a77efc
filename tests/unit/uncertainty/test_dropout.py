"""Monte-Carlo dropout."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from mlmi_sklearn import InstanceWise, MILClassifier, NetClassifier, NetRegressor
from mlmi_sklearn.datasets import make_digit_bags
from mlmi_sklearn.metrics import predictive_uncertainty
from mlmi_sklearn.uncertainty import mc_dropout


def net(dropout=0.3, **params):
    model = NetClassifier(**{"max_epochs": 5, "random_state": 0, **params})
    return model.set_params(backbone__dropout=dropout)


def mil(dropout=0.3, **params):
    model = MILClassifier(**{"max_epochs": 3, "random_state": 0, **params})
    return model.set_params(backbone__dropout=dropout)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    return make_digit_bags(n_bags=30, random_state=0)


@pytest.fixture(scope="module")
def fitted(iris):
    return net().fit(*iris)


def test_samples_differ_and_a_seed_determines_them(iris, fitted):
    X, _ = iris
    found = mc_dropout(fitted, X, 5, random_state=0)
    assert found.shape == (5, 150, 3)
    assert_allclose(found.sum(axis=2), 1)
    assert all(not np.array_equal(found[0], other) for other in found[1:])
    assert_array_equal(mc_dropout(fitted, X, 5, random_state=0), found)
    assert not np.array_equal(mc_dropout(fitted, X, 5, random_state=1), found)
    assert not np.array_equal(mc_dropout(fitted, X, 5), mc_dropout(fitted, X, 5))
    restored = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(mc_dropout(restored, X, 5, random_state=0), found)


def test_the_mean_over_masks_is_near_the_prediction(iris, fitted):
    X, _ = iris
    raw = mc_dropout(fitted, X, 400, method="decision_function", random_state=0)
    error = np.abs(raw.mean(axis=0) - fitted.decision_function(X))
    # One hidden layer is linear in its mask, so the mean over masks is exact.
    assert (error < 5 * raw.std(axis=0) / np.sqrt(400)).mean() > 0.99


def test_nothing_is_changed(iris, fitted):
    X, _ = iris
    before = pickle.dumps(fitted)
    weights = {k: v.clone() for k, v in fitted.net_.module_.state_dict().items()}
    state = torch.get_rng_state()
    expected = fitted.predict_proba(X)
    mc_dropout(fitted, X, 3, random_state=0)
    assert_array_equal(fitted.predict_proba(X), expected)
    assert not any(m._forward_pre_hooks for m in fitted.net_.module_.modules())
    assert not any(m.training for m in fitted.net_.module_.modules())
    after = fitted.net_.module_.state_dict()
    assert all(bool((after[k] == v).all()) for k, v in weights.items())
    assert bool((torch.get_rng_state() == state).all())
    assert pickle.dumps(fitted) == before


def test_only_dropout_is_as_in_training(iris):
    """Batch normalisation would change with the companions of a row, and learn."""
    X, y = iris
    model = net(1e-9).set_params(backbone__norm="batch").fit(X, y)
    statistics = model.net_.module_.state_dict()["backbone.1.running_mean"].clone()
    found = mc_dropout(model, X, 2, random_state=0)
    assert_allclose(found[0], model.predict_proba(X), rtol=1e-5)
    assert_allclose(mc_dropout(model, X[:1], 2)[0], found[0][:1], rtol=1e-5)
    now = model.net_.module_.state_dict()["backbone.1.running_mean"]
    assert bool((now == statistics).all())


@pytest.mark.parametrize("pooling", ["max", "attention"])
@pytest.mark.parametrize("form", ["Bags", "list"])
def test_bags(digits, pooling, form):
    X, y = digits
    model = mil(pooling=pooling).fit(X, y)
    given = X if form == "Bags" else X.to_list()
    found = mc_dropout(model, given, 4, random_state=0)
    assert found.shape == (4, 30, 2)
    assert (predictive_uncertainty(found)["mutual_information"] > 0).all()
    scores = mc_dropout(model, given, 4, method="instance_scores", random_state=0)
    assert scores.shape == (4, X.n_instances)
    proba = mc_dropout(
        model, given, 4, method="predict_instances_proba", random_state=0
    )
    assert proba.shape == (4, X.n_instances, 2)
    if pooling == "max":
        raw = mc_dropout(model, X, 4, method="decision_function", random_state=0)
        # The same masks: the link between bag and instances stays exact.
        largest = [np.maximum.reduceat(s, X.offsets[:-1]) for s in scores]
        assert_array_equal(raw, largest)


def test_wrapped_estimators(iris, digits):
    X, y = digits
    model = make_pipeline(InstanceWise(), mil()).fit(X, y)
    found = mc_dropout(model, X, 3, random_state=0)
    assert_array_equal(
        found, mc_dropout(model[-1], model[0].transform(X), 3, random_state=0)
    )
    assert_array_equal(mc_dropout(FrozenEstimator(model), X, 3, random_state=0), found)
    X, y = iris
    search = GridSearchCV(make_pipeline(StandardScaler(), net()), {}, cv=2).fit(X, y)
    assert_array_equal(
        mc_dropout(search, X, 2, random_state=0),
        mc_dropout(search.best_estimator_, X, 2, random_state=0),
    )


def test_regressors(iris):
    X, y = iris
    model = NetRegressor(max_epochs=3, random_state=0)
    model = model.set_params(backbone__dropout=0.2).fit(X, y)
    found = mc_dropout(model, X, 3, method="predict", random_state=0)
    assert found.shape == (3, 150)
    assert (found.std(axis=0) > 0).mean() > 0.9
    with pytest.raises(TypeError, match="NetRegressor has no method 'predict_proba'"):
        mc_dropout(model, X)


def test_dropout_inside_attention():
    """An encoder layer that predicts would take a path round its dropout."""
    X = np.random.default_rng(0).normal(size=(20, 5, 4)).astype(np.float32)
    model = NetClassifier("transformer", max_epochs=1, random_state=0)
    model = model.set_params(backbone__dropout=0.3).fit(X, np.arange(20) % 2)
    found = mc_dropout(model, X, 3, random_state=0)
    assert (found.std(axis=0) > 0).all()


class Attention(nn.Module):
    """A module of a user, whose only dropout is that of the attention."""

    out_features = 4

    def __init__(self, shape):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 1, dropout=0.5, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0].mean(dim=1)


def test_dropout_of_attention_in_a_foreign_module():
    X = np.random.default_rng(0).normal(size=(20, 5, 4)).astype(np.float32)
    model = NetClassifier(Attention, max_epochs=1, random_state=0)
    found = mc_dropout(model.fit(X, np.arange(20) % 2), X, 3, random_state=0)
    assert (found.std(axis=0) > 0).all()


def test_threads(iris, fitted):
    X, _ = iris
    expected = mc_dropout(fitted, X, 4, random_state=0)
    certain = fitted.predict_proba(X)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(mc_dropout, fitted, X, 4, random_state=0) for _ in range(6)]
        for _ in range(20):
            assert_array_equal(fitted.predict_proba(X), certain)
        assert all(np.array_equal(job.result(), expected) for job in jobs)


def test_bad_input(iris, fitted):
    X, y = iris
    with pytest.raises(ValueError, match=r"no dropout.*backbone__dropout=0.2"):
        mc_dropout(net(0.0).fit(X, y), X)
    with pytest.raises(ValueError, match="n_samples"):
        mc_dropout(fitted, X, 0)
    with pytest.raises(ValueError, match="method must be one of"):
        mc_dropout(fitted, X, method="fit")
    with pytest.raises(TypeError, match="NetClassifier has no method"):
        mc_dropout(fitted, X, method="instance_scores")
    with pytest.raises(NotFittedError):
        mc_dropout(net(), X)
    with pytest.raises(ValueError, match="features"):
        mc_dropout(fitted, X[:, :2])
    for other in (
        LogisticRegression(max_iter=1000),
        BaggingClassifier(net(), n_estimators=1),
    ):
        with pytest.raises(TypeError, match="no single deep estimator"):
            mc_dropout(other.fit(X, y), X)
