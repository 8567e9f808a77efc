"""Numbers that go wrong: the right result, or a clear error or warning.

Loss and gradients that are not finite, players of adversarial training that are dead,
scales, types and batches at the edge of what can be computed.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import skorch.callbacks as sc
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, cross_val_score
from subjects import NAMES, kind_of, model, traits, usual
from torch import nn

from mlmi_sklearn import (
    CGANSampler,
    DANNClassifier,
    FineTuneClassifier,
    MAMLClassifier,
    MILClassifier,
    MILRegressor,
    MMEClassifier,
    NetClassifier,
    NetRegressor,
    ProtoNetClassifier,
)
from mlmi_sklearn.exceptions import TrainingDivergedError

RNG = np.random.default_rng(0)
N = 96
Y = np.arange(N) % 2
X = RNG.normal(size=(N, 4)) + np.outer(Y, [3, -2, 0, 0])
T = X[:, 0] - 0.5 * X[:, 1]
DOMAIN = np.where(np.arange(N) % 3 == 0, -1, 1)
GROUPS = np.arange(N) // 24

DEEP = [name for name in NAMES if "lr" in model(name).get_params()]


def quick(cls, **params):
    known = cls().get_params()
    short = {"max_epochs": 12, "episodes_per_epoch": 20, "batch_size": 16}
    given = {key: value for key, value in short.items() if key in known}
    if "episodes_per_epoch" in known:
        given["max_epochs"] = 2
    return cls(**{**given, "random_state": 0, **params})


def beside(cls):
    if cls in (DANNClassifier, MMEClassifier):
        return {"sample_domain": DOMAIN}
    return {"groups": GROUPS} if cls is MAMLClassifier else {}


def is_finite(fitted):
    weights = fitted.net_.module_.state_dict().values()
    return all(bool(w.isfinite().all()) for w in weights if w.is_floating_point())


# -- loss and gradients ----------------------------------------------------------------


@pytest.mark.parametrize("name", DEEP)
def test_steps_that_explode_leave_a_model_that_predicts(name):
    call = usual(name, n=24).with_beside(())
    fitted, error = model(name).set_params(lr=1e30), "or no smaller lr is needed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fitted.fit(call.X, call.y)
        except TrainingDivergedError as raised:
            error = raised
    assert "smaller lr" in str(error)
    assert is_finite(fitted)
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(fitted, method):
            found = np.asarray(getattr(fitted, method)(call.new), dtype=float)
            assert np.isfinite(found).all(), method
    if hasattr(fitted, "sample"):
        assert np.isfinite(fitted.sample(3, random_state=0)[0]).all()


class Cliff(nn.Module):
    """A squared error whose slope is a million times as large where y is large."""

    link = "identity"

    def forward(self, raw, target):
        steep = 1 + 1e6 * (target > 1.5)
        return (steep * (raw - target).square()).mean(1)


def test_clipping_tames_gradients_that_explode():
    params = {"loss": Cliff, "optimizer": "sgd", "lr": 0.05, "max_epochs": 30}
    with pytest.raises(TrainingDivergedError, match="GradientNormClipping"):
        quick(NetRegressor, **params).fit(X, T)
    clip = sc.GradientNormClipping(1.0)
    fitted = quick(NetRegressor, **params, callbacks=[clip]).fit(X, T)
    assert np.isfinite(fitted.loss_curve_).all()
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]


@pytest.mark.parametrize("cls", [NetClassifier, MILClassifier, DANNClassifier])
def test_good_weights_come_back(cls):
    """Those of the last epoch whose losses were finite, or of the model before."""
    fitted = quick(cls).fit(X, Y, **beside(cls))
    before = fitted.decision_function(X)
    fitted.set_params(lr=1e35, optimizer="sgd")
    with pytest.raises(TrainingDivergedError):
        for _ in range(9):
            fitted.partial_fit(X, Y, **beside(cls))
            before = fitted.decision_function(X)
    assert_array_equal(fitted.decision_function(X), before)
    assert is_finite(fitted)


# -- adversarial training --------------------------------------------------------------


class Same(nn.Module):
    """A generator with one sample."""

    def __init__(self, shape):
        super().__init__()
        self.sample = nn.Parameter(torch.zeros(shape))

    def forward(self, z, vector=None, maps=None):
        return self.sample.expand(len(z), *self.sample.shape)


class Dead(nn.Module):
    """A discriminator whose units are off for every sample."""

    out_features = 4

    def __init__(self, shape):
        super().__init__()
        self.layer = nn.Linear(int(np.prod(shape)), 4)
        nn.init.constant_(self.layer.bias, -1e3)

    def forward(self, x):
        return self.layer(x.flatten(1)).relu()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"generator": lambda latent, shape, *sizes: Same(shape)}, "has collapsed"),
        ({"discriminator": lambda shape: Dead(shape)}, "says the same of every"),
    ],
    ids=["collapse", "dead"],
)
def test_adversaries_that_learn_nothing_are_told_of(params, words):
    sampler = CGANSampler(**{"max_iter": 120, "random_state": 0, **params})
    with pytest.warns(UserWarning, match=words):
        sampler.fit(X, Y)
    assert np.isfinite(sampler.sample(5, random_state=0)[0]).all()


def test_players_that_learn_are_left_in_peace():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CGANSampler(max_iter=120, random_state=0).fit(X, Y)


# -- scales ----------------------------------------------------------------------------

SCALING = [MILClassifier, MILRegressor, ProtoNetClassifier, MAMLClassifier]
NOT_SCALING = [NetClassifier, NetRegressor, DANNClassifier, FineTuneClassifier]
SCALES = (1e-30, 1e-10, 1e10, 1e30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("cls", SCALING)
def test_what_scales_learns_at_any_scale(cls, scale, dtype):
    y = T if cls is MILRegressor else Y
    Z = (X * scale).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bags of one
        fitted = quick(cls).fit(Z, y, **beside(cls))
    assert fitted.score(Z, y) > 0.85


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("cls", NOT_SCALING)
def test_what_does_not_scale_warns(cls, scale, dtype):
    y, Z = T if cls is NetRegressor else Y, (X * scale).astype(dtype)
    fitted = quick(cls)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fitted.fit(Z, y, **beside(cls))
        except TrainingDivergedError as error:
            caught.append(error)
    told = any("StandardScaler" in str(getattr(c, "message", c)) for c in caught)
    # Batch normalisation may do without a scale.
    assert told or (cls is DANNClassifier and fitted.score(Z, y) > 0.85)


@pytest.mark.parametrize("cls", NOT_SCALING)
@pytest.mark.parametrize("scale", [0.1, 1.0, 100.0])
def test_usual_scales_are_no_cause_for_warnings(cls, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = T if cls is NetRegressor else Y
        quick(cls, max_epochs=2).fit(X * scale, y, **beside(cls))


@pytest.mark.parametrize("cls", [NetRegressor, MILRegressor])
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e150, 1e300])
def test_regression_does_not_depend_on_the_unit_of_y(cls, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        fitted = quick(cls).fit(X, T * scale)
        plain = quick(cls).fit(X, T)
    assert_allclose(fitted.predict(X) / scale, plain.predict(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cls", [NetRegressor, MILRegressor])
def test_subnormal_targets(cls):
    tiny = np.round(T * 100) * np.finfo(float).smallest_subnormal
    found = quick(cls).fit(X, tiny).predict(X)
    assert np.isfinite(found).all()
    assert np.corrcoef(found / tiny.max(), T)[0, 1] > 0.9


# -- types and overflow ----------------------------------------------------------------

INTEGERS = [np.int8, np.uint8, np.int16, np.int64, np.uint64]


@pytest.mark.parametrize("dtype", [np.float16, *INTEGERS])
@pytest.mark.parametrize("cls", [NetClassifier, MILClassifier, DANNClassifier])
def test_short_types_mean_what_they_say(cls, dtype):
    """In the type itself, sums and differences of these would overflow."""
    Z = np.clip(np.round(X * 25) + 120, 0, 127)
    fitted = quick(cls, max_epochs=2).fit(Z.astype(dtype), Y, **beside(cls))
    plain = quick(cls, max_epochs=2).fit(Z.astype(np.float32), Y, **beside(cls))
    assert_array_equal(
        fitted.decision_function(Z.astype(dtype)),
        plain.decision_function(Z.astype(np.float32)),
    )


def test_half_precision_beyond_its_range_is_an_error():
    with np.errstate(over="ignore"):
        Z = (X * 65504).astype(np.float16)
    with pytest.raises(ValueError, match="X contains infinity"):
        quick(NetClassifier).fit(Z, Y)


@pytest.mark.parametrize("top", [2**31, 2**53, 2**63 - 9])
def test_integers_do_not_wrap(top):
    targets = np.array([top - k for k in range(8)] * 4, dtype=np.int64)
    fitted = quick(NetRegressor).fit(X[:32], targets)
    assert (abs(fitted.predict(X[:32]) / top - 1) < 1e-6).all()
    labels = np.where(Y, top, -top)
    assert set(quick(NetClassifier).fit(X, labels).predict(X)) <= {top, -top}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subnormal_samples(dtype):
    tiny = (X * 100).round().astype(dtype) * np.finfo(dtype).smallest_subnormal
    with pytest.warns(UserWarning, match="X has features"):
        fitted = quick(NetClassifier, max_epochs=2).fit(tiny, Y)
    assert np.isfinite(fitted.decision_function(tiny)).all()


# -- batches, columns, folds -----------------------------------------------------------


# Batch statistics, and the spread of samples, need two rows.
TWO_ROWS = [
    "CGANSampler",
    "DANNClassifier",
    "DANNRegressor",
    "ImageTranslator",
    "MMEClassifier",
]


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("batch_size", [1, 5, 10**9])
def test_batches_of_any_size(name, batch_size):
    """Of one row, with one row left over, and larger than the data."""
    call = usual(name, n=16).with_beside(())
    fitted = model(name)
    if "batch_size" not in fitted.get_params():
        pytest.skip("its batches are tasks")
    fitted.set_params(batch_size=batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if batch_size == 1 and name in TWO_ROWS:
            with pytest.raises(ValueError, match="batch_size"):
                fitted.fit(call.X, call.y)
            return
        fitted.fit(call.X, call.y)
    assert is_finite(fitted)


@pytest.mark.parametrize("name", NAMES)
def test_columns_that_are_constant(name):
    """They say nothing, and must not be divided by their deviation."""
    call = usual(name, n=24)
    call = call.with_beside(())
    Z, new = (np.hstack([v, np.full_like(v[:, :1], 7.0)]) for v in (call.X, call.new))
    fitted = model(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        fitted.fit(Z, call.y)
        for method in ("predict", "transform"):
            if hasattr(fitted, method):
                found = getattr(fitted, method)(new)
                found = found.toarray() if hasattr(found, "toarray") else found
                assert np.isfinite(np.asarray(found, dtype=float)).all()
    if hasattr(fitted, "sample") and "tables" in traits(name):
        assert (fitted.sample(9, random_state=0)[0][:, -1] == 7.0).all()


CLASSIFIERS = [name for name in NAMES if kind_of(name) == "classes"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_fold_of_one_class(name):
    """To train on is an error that says so; to be scored on is none."""
    call = usual(name, n=24).with_beside(())
    order = np.argsort(call.y, kind="stable")
    Z, y = call.X[order], call.y[order]
    halves = KFold(2).split(Z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said, scores = "class", [0, 0]
        try:
            scores = cross_val_score(
                model(name), Z, y, cv=halves, scoring="accuracy", error_score="raise"
            )
        except ValueError as error:
            said = str(error)
        assert "class" in said
        assert_array_equal(scores, 0)  # what is predicted is what was seen
        fitted = model(name).fit(Z, y)
        score = get_scorer("accuracy")(fitted, Z[:8], y[:8])
    assert 0 <= score <= 1


@pytest.mark.parametrize("cls", [NetClassifier, ProtoNetClassifier])
def test_thousands_of_labels(cls):
    rows = np.random.default_rng(0).normal(size=(4096, 2)).astype(np.float32)
    y = np.arange(4096) // 2 * 10_007
    params = {} if cls is NetClassifier else {"episodes_per_epoch": 1}
    fitted = cls(max_epochs=1, random_state=0, **params).fit(rows, y)
    assert_array_equal(fitted.classes_, np.unique(y))
    assert set(fitted.predict(rows[:9])) <= set(y.tolist())
