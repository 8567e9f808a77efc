"""Nets trained in step end as each would have ended alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from mlmi_sklearn import MLPBackbone, NetClassifier, NetRegressor
from mlmi_sklearn.base.many import fit_many, fit_together
from mlmi_sklearn.exceptions import TrainingDivergedError


def sets(n_sets=3, n=40, d=4, n_classes=2, seed=0):
    """Different data for each net, in float64, where rounding cannot build up."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_sets):
        X = rng.normal(size=(n, d))
        found.append((X, np.arange(n) % n_classes))
    return found


def pairs(models, data):
    """Return models fitted alone and the same ones fitted together."""
    alone = [clone(m).fit(*d) for m, d in zip(models, data, strict=True)]
    together = fit_together([clone(m) for m in models], data)
    assert all(model is not None for model in together)
    return list(zip(alone, together, strict=True))


def assert_same(alone, together, tol=1e-9):
    for name, value in alone.net_.module_.state_dict().items():
        other = together.net_.module_.state_dict()[name]
        assert_allclose(other.numpy(), value.numpy(), rtol=tol, atol=tol, err_msg=name)
    left = alone.history_.drop(columns="dur")
    right = together.history_.drop(columns="dur")
    assert list(alone.history_) == list(together.history_)
    assert_allclose(right.to_numpy(float), left.to_numpy(float), rtol=tol, atol=tol)
    public = {k for k in vars(alone) if k.endswith("_") and k != "net_"}
    assert public <= set(vars(together))
    assert alone.n_iter_ == together.n_iter_


SETTINGS = {
    "defaults": {},
    "one batch": {"batch_size": 64},
    "lone last row": {"batch_size": 13},
    "tiny batches": {"batch_size": 3},
    "sgd": {"optimizer": "sgd", "lr": 0.1},
    "momentum": {"optimizer": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)},
    "rmsprop": {"optimizer": "rmsprop"},
    "radam": {"optimizer": "radam"},
    "adagrad": {"optimizer": "adagrad"},
    "no decay": {"optimizer": "adam", "weight_decay": 0.0},
    "schedule": {"lr_schedule": "warmup-cosine"},
    "linear": {"backbone": "linear"},
    "deep": {"backbone": MLPBackbone(hidden=(8, 6, 5), activation="gelu")},
    "torch module": {"backbone": torch.nn.Linear(4, 4)},
    "layer norm": {"backbone": MLPBackbone(hidden=(8,), norm="layer")},
    "focal": {"loss": "focal"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_weights_and_history_are_those_of_fits_alone(name):
    options = {"max_epochs": 3, "batch_size": 16, **SETTINGS[name]}
    models = [
        NetClassifier(random_state=k, **{"lr": lr, **options})
        for k, lr in enumerate((1e-3, 1e-2, 1e-2))
    ]
    for alone, together in pairs(models, sets()):
        assert_same(alone, together)


STOPPING = {
    "one after the other": {"n_iter_no_change": 1, "lr": 0.1},
    "patience": {"n_iter_no_change": 2, "validation_fraction": 0.3, "lr": 0.05},
    "all at once": {"n_iter_no_change": 1, "tol": 10.0},
    "momentum": {
        "n_iter_no_change": 2,
        "lr": 0.5,
        "optimizer": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9),
    },
    "schedule": {"n_iter_no_change": 2, "lr": 0.1, "lr_schedule": "cosine"},
    "plain sgd": {"n_iter_no_change": 1, "lr": 1.0, "optimizer": "sgd"},
    "never": {"n_iter_no_change": 50},
}


@pytest.mark.parametrize("name", STOPPING)
@pytest.mark.parametrize("weighted", [False, True])
def test_early_stopping(name, weighted):
    options = {"max_epochs": 12, "batch_size": 16, "early_stopping": True}
    models = [
        NetClassifier("mlp", random_state=k, **{**options, **STOPPING[name]})
        for k in range(6)
    ]
    data = [(X[: 39 + k % 2], y[: 39 + k % 2]) for k, (X, y) in enumerate(sets(6))]
    if weighted:
        rng = np.random.default_rng(2)
        data = [(X, y, rng.uniform(0.1, 1, len(y))) for X, y in data]
    found = pairs(models, data)
    lengths = {alone.n_iter_ for alone, _ in found}
    for (alone, together), given in zip(found, data, strict=True):
        assert_same(alone, together)
        assert_same(alone.partial_fit(*given[:2]), together.partial_fit(*given[:2]))
    assert lengths == {"all at once": {2}, "never": {12}}.get(name, lengths)
    assert len(lengths) > 1 or name in ("all at once", "never")


def test_one_that_diverges_while_others_stop():
    options = {"max_epochs": 8, "early_stopping": True, "n_iter_no_change": 2}
    models = [
        NetClassifier(lr=lr, random_state=k, optimizer="sgd", **options)
        for k, lr in enumerate((0.1, 1e300, 3.0, 1e160))
    ]
    data = sets(4)
    found = fit_many([clone(m) for m in models], data, return_errors=True)
    for model, one, given in zip(models, found, data, strict=True):
        if isinstance(one, TrainingDivergedError):
            with pytest.raises(TrainingDivergedError) as alone:
                clone(model).fit(*given)
            assert (one.epoch, one.step) == (alone.value.epoch, alone.value.step)
        else:
            assert_same(clone(model).fit(*given), one)
    assert [isinstance(one, Exception) for one in found] == [False, True, False, True]


def test_sets_of_different_lengths():
    data = [(X[: 38 + k], y[: 38 + k]) for k, (X, y) in enumerate(sets())]
    models = [NetClassifier(max_epochs=3, batch_size=12, random_state=0)] * 3
    for alone, together in pairs(models, data):
        assert_same(alone, together)


@pytest.mark.parametrize("equal_lengths", [True, False])
def test_weights_of_rows(equal_lengths):
    rng = np.random.default_rng(1)
    data = []
    for k, (X, y) in enumerate(sets()):
        stop = 40 if equal_lengths else 40 - k
        data.append((X[:stop], y[:stop], rng.uniform(0.1, 2, stop)))
    models = [NetClassifier(max_epochs=3, batch_size=12, random_state=0)] * 3
    for alone, together in pairs(models, data):
        assert_same(alone, together)


def test_several_classes_labels_and_numbers():
    for n_classes in (2, 4):
        models = [NetClassifier(max_epochs=2, random_state=k) for k in range(3)]
        for alone, together in pairs(models, sets(n_classes=n_classes)):
            assert_same(alone, together)
    data = [(X, np.c_[X[:, 0] > 0, X[:, 1] > 0].astype(int)) for X, _ in sets()]
    for alone, together in pairs(
        [NetClassifier(max_epochs=2, random_state=0)] * 3, data
    ):
        assert_same(alone, together)
    data = [(X, 100 * X[:, :2] + 7) for X, _ in sets()]
    for alone, together in pairs(
        [NetRegressor(max_epochs=2, random_state=0)] * 3, data
    ):
        assert_same(alone, together)
        assert_allclose(together.predict(data[0][0]), alone.predict(data[0][0]))


def test_training_goes_on_from_the_state_of_the_optimiser():
    data = sets()
    models = [NetClassifier(max_epochs=3, random_state=k) for k in range(3)]
    for (alone, together), (X, y) in zip(pairs(models, data), data, strict=True):
        assert_same(alone.partial_fit(X, y), together.partial_fit(X, y))


def test_one_that_diverges_harms_no_other():
    data = sets()
    rates = (1e-3, 1e300, 1e-3)
    models = [
        NetClassifier(lr=lr, max_epochs=4, random_state=k, optimizer="sgd")
        for k, lr in enumerate(rates)
    ]
    with pytest.raises(TrainingDivergedError) as alone:
        clone(models[1]).fit(*data[1])
    found = fit_many([clone(m) for m in models], data, return_errors=True)
    assert isinstance(found[1], TrainingDivergedError)
    assert (found[1].epoch, found[1].step) == (alone.value.epoch, alone.value.step)
    for k in (0, 2):
        assert_same(clone(models[k]).fit(*data[k]), found[k])
    with pytest.raises(TrainingDivergedError):
        fit_many([clone(m) for m in models], data)


class Foreign(torch.nn.Linear):
    """It may do anything, as far as the library knows."""


LONERS = {
    "dropout": {"backbone": MLPBackbone(hidden=(8,), dropout=0.5)},
    "batch norm": {"backbone": MLPBackbone(hidden=(8,), norm="batch")},
    "progress bar": {"verbose": 1},
    "user's module": {"backbone": Foreign(4, 4)},
    "whole-tensor optimiser": {"optimizer": "adafactor"},
}


@pytest.mark.parametrize("name", LONERS)
def test_others_are_fitted_alone(name, capsys):
    models = [NetClassifier(max_epochs=2, random_state=0, **LONERS[name])] * 2
    data = sets(2)
    left = [clone(m) for m in models]
    assert fit_together(left, data) == [None, None]
    assert not any(hasattr(m, "net_") or hasattr(m, "n_features_in_") for m in left)
    found = fit_many(left, data)
    assert_array_equal(
        found[0].decision_function(data[0][0]),
        clone(models[0]).fit(*data[0]).decision_function(data[0][0]),
    )


def test_any_estimator_will_do():
    data = sets(4)
    models = [LogisticRegression(), *[NetClassifier(max_epochs=1, random_state=0)] * 3]
    found = fit_many([clone(m) for m in models], data)
    assert [type(m).__name__ for m in found] == [type(m).__name__ for m in models]
    assert all(m.predict(data[0][0]).shape == (40,) for m in found)


def test_bad_data_of_one():
    data = sets()
    data[1] = (data[1][0], np.zeros(40))
    models = [NetClassifier(max_epochs=1, random_state=0) for _ in range(3)]
    found = fit_many(models, data, return_errors=True)
    assert "one class only" in str(found[1])
    assert not hasattr(models[1], "n_features_in_")
    assert hasattr(models[0], "net_")
    assert hasattr(models[2], "net_")


def test_an_interruption_leaves_all_as_they_were(monkeypatch):
    from mlmi_sklearn.training.lockstep import Lockstep

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Lockstep, "run", interrupted)
    models = [NetClassifier(max_epochs=1) for _ in range(3)]
    before = [dict(vars(m)) for m in models]
    with pytest.raises(KeyboardInterrupt):
        fit_many(models, sets())
    assert [dict(vars(m)) for m in models] == before


def test_numbers_of_models_and_sets_must_agree():
    with pytest.raises(ValueError, match="argument 2"):
        fit_many([NetClassifier()] * 3, sets(2))


def test_a_generator_is_drawn_from_once_a_fit():
    [(X, y)] = sets(1)
    model = NetClassifier(max_epochs=1, random_state=np.random.RandomState(3))
    alone = clone(model).fit(X, y)
    [found] = fit_many([clone(model)], [(X, y)])
    assert_array_equal(alone.predict_proba(X), found.predict_proba(X))
    assert alone.random_state.randint(9999) == found.random_state.randint(9999)
