"""Bad input: an error that names the argument and the remedy, and no harm done.

Every case is tried twice: on a new estimator, which must stay unfitted, and on a
fitted one, which must keep its model to the last bit.
"""

import copy
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skorch.callbacks as sc
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError
from torch import nn

from mlmi_sklearn import (
    Bags,
    FocalLoss,
    MILClassifier,
    MLPBackbone,
    NetClassifier,
    NetRegressor,
)
from mlmi_sklearn.exceptions import (
    BagError,
    ComponentNotFoundError,
    FitInterruptedWarning,
    TrainingDivergedError,
)

N = 24


def make(n_features=3, dtype=np.float64):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 5, N)
    y = np.arange(N) % 2
    centre = 2.0 * np.repeat(y, lengths)[:, None]
    values = rng.normal(centre, 1.0, (lengths.sum(), n_features)).astype(dtype)
    return Bags(values, lengths), y


X, Y = make()
LIST = X.to_list()
ROWS = X.values
ROW_Y = np.repeat(Y, X.lengths)
NUMBERS = np.linspace(0, 1, len(ROWS))
LONG = X.to_frame(y=Y)


def with_value(value):
    values = X.values.copy()
    values[X.offsets[5] + 0, 1] = value
    return X.with_values(values)


def quick(cls=MILClassifier, **params):
    return cls(**{"max_epochs": 2, "random_state": 0, **params})


@dataclass
class Case:
    """One mistake, and the words in which it must be described."""

    words: str
    params: dict[str, Any] = field(default_factory=dict)
    X: Any = None
    y: Any = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    error: type[Exception] = ValueError
    cls: type = MILClassifier
    # A warm start goes on with the parts and classes it has, and finds no fault here.
    cold_only: bool = False

    def data(self):
        usual = (X, Y) if self.cls is MILClassifier else (ROWS, ROW_Y)
        given = (self.X, self.y)
        return tuple(u if g is None else g for u, g in zip(usual, given, strict=True))


NO_TARGETS = object()

DATA_CASES = {
    "empty bag": Case(
        r"X\[4\] is an empty bag. Drop empty bags, and their labels",
        X=[*LIST[:4], np.zeros((0, 3)), *LIST[5:]],
        error=BagError,
    ),
    "empty bag in lengths": Case(
        "0 sample.*minimum of 1 is required", X=X[:0], y=Y[:0], error=BagError
    ),
    "no bags": Case("X|Expected 2D array", X=[], y=[]),
    "NaN": Case(r"Input X contains NaN: bag 5 .*Imputer", X=with_value(np.nan)),
    "inf": Case(r"Input X contains infinity: bag 5 .*Clip", X=with_value(np.inf)),
    "NaN in a list": Case(
        "Input X contains NaN: bag 5 ", X=with_value(np.nan).to_list()
    ),
    "NaN in a table": Case(
        "Input X contains NaN", X=with_value(np.nan).values, y=ROW_Y
    ),
    "widths": Case(
        r"X\[7\] has instances of shape \(2,\).*All bags must share",
        X=[*LIST[:7], LIST[7][:, :2], *LIST[8:]],
        error=BagError,
    ),
    "a bag of one axis": Case(
        r"X\[0\] has shape \(3,\).*reshape\(1, -1\)",
        X=[LIST[0][0], *LIST[1:]],
        error=BagError,
    ),
    "text": Case(
        r"X\[0\] has dtype <U.*Encode",
        X=[bag.astype(str) for bag in LIST],
        error=BagError,
    ),
    "text in a table": Case(
        "could not convert string to float: .*'benign'",
        X=np.full(ROWS.shape, "benign"),
        y=ROW_Y,
    ),
    "long frame": Case(r"Bags\.from_frame\(X", X=LONG, error=BagError),
    "long frame with an index": Case(
        r"Bags\.from_frame\(X",
        X=LONG.set_index(["bag", LONG.groupby("bag").cumcount()]),
        error=BagError,
    ),
    "sparse bags": Case(
        "X holds sparse instances.*toarray",
        X=Bags(sparse.csr_array(ROWS), X.lengths),
        error=TypeError,
    ),
    "sparse table": Case(
        "Sparse data was passed for X.*toarray",
        X=sparse.csr_array(ROWS),
        y=ROW_Y,
        error=TypeError,
    ),
    "a dict": Case("X has type dict. Pass Bags", X={"bags": LIST}, error=BagError),
    "a path": Case("X has type str. Pass Bags", X="bags.npy", error=BagError),
    "length of y": Case(f"X.*y.*inconsistent|inconsistent.*{N}, {N - 1}", y=Y[:-1]),
    "no y": Case("requires y to be passed, but the target y is None", y=NO_TARGETS),
    "infinity in y": Case("Input y contains infinity", y=np.where(Y, np.inf, 0.0)),
    "no label in y": Case("y holds no label", y=np.full(N, np.nan)),
    "numbers as y": Case("[Uu]nknown label type: continuous", y=np.linspace(0, 1, N)),
    "several outputs": Case(
        "y has several columns of more than two values.*indicator matrix",
        y=np.column_stack([Y, np.arange(N) % 5]),
    ),
    "one class": Case(
        "y has one class only, .*needs at least two", y=np.zeros(N), cold_only=True
    ),
    "one class of weight": Case(
        "y has one class only.*weight zero do not count",
        kwargs={"sample_weight": Y},
        cold_only=True,
    ),
    "negative class_weight": Case(
        "class_weight must hold numbers of at least 0",
        {"class_weight": {0: -1.0}},
    ),
    "all-zero class_weight": Case(
        "class_weight must .* leave rows with a weight above 0",
        {"class_weight": {0: 0.0, 1: 0.0}},
    ),
    "length of weights": Case(
        r"sample_weight.shape == \(3,\), expected \(24,\)",
        kwargs={"sample_weight": [1, 2, 3]},
    ),
    "negative weights": Case(
        "Negative values in data passed to `sample_weight`",
        kwargs={"sample_weight": np.where(Y, 1.0, -1.0)},
    ),
    "all-zero weights": Case(
        "Sample weights must contain at least one non-zero",
        kwargs={"sample_weight": np.zeros(N)},
    ),
    "NaN in weights": Case(
        "Input sample_weight contains NaN", kwargs={"sample_weight": np.full(N, np.nan)}
    ),
    "images for an mlp": Case(
        "backbone 'mlp' takes vectors, got input of shape .*backbone='conv'",
        {"backbone": "mlp"},
        X=Bags(np.zeros((len(ROWS), 1, 8, 8)), X.lengths),
    ),
    "vectors for a conv": Case(
        "backbone 'conv' takes images.*got input of shape .*backbone='mlp'",
        {"backbone": "conv"},
        cold_only=True,
    ),
    "numbers for a regressor": Case(
        "loss='cross-entropy' is not a regression loss.*'mse'",
        {"loss": "cross-entropy"},
        y=NUMBERS,
        cls=NetRegressor,
    ),
    "classes of a regressor": Case(
        "loss='hinge' is not a regression loss.*'mse'",
        {"loss": "hinge"},
        y=NUMBERS,
        cls=NetRegressor,
    ),
    "NaN in numbers": Case(
        "Input y contains NaN", y=np.where(ROW_Y, np.nan, 0.0), cls=NetRegressor
    ),
    "images for an mlp, without bags": Case(
        "backbone 'mlp' takes vectors, got input of shape .*backbone='conv'",
        {"backbone": "mlp"},
        X=np.zeros((len(ROWS), 3, 8, 8)),
        cls=NetClassifier,
    ),
}
PARAMETER_CASES = {
    "unknown backbone": Case(
        "no backbone is called 'mpl'. Did you mean 'mlp'.*Available",
        {"backbone": "mpl"},
        error=ComponentNotFoundError,
    ),
    "unknown pooling": Case(
        "no pooling is called 'atention'. Did you mean 'attention'",
        {"pooling": "atention"},
        error=ComponentNotFoundError,
    ),
    "unknown loss": Case(
        "no loss is called 'cross_entropy'. Did you mean 'cross-entropy'",
        {"loss": "cross_entropy"},
        error=ComponentNotFoundError,
    ),
    "unknown optimizer": Case(
        "optimizer='adamm' is not known. Did you mean .*'adamw'", {"optimizer": "adamm"}
    ),
    "unknown schedule": Case(
        "lr_schedule='cosin' is not known. Did you mean 'cosine'",
        {"lr_schedule": "cosin"},
    ),
    "unknown level": Case(
        "'level' parameter of MILClassifier must be a str among .*'embedding'",
        {"level": "bag"},
    ),
    "pooling of another kind": Case(
        r"pooling=MLPBackbone\(\) is a backbone; pass a pooling",
        {"pooling": MLPBackbone()},
    ),
    "a module that pools nothing": Case(
        "pooling=Linear has no attribute .*in_features",
        {"pooling": lambda width: nn.Linear(width, 2)},
        error=TypeError,
    ),
    "a loss that is none": Case(
        "link=None; a loss must have an attribute link", {"loss": nn.CrossEntropyLoss}
    ),
    "loss of another kind": Case(
        "is a loss; pass a backbone", {"backbone": FocalLoss()}
    ),
    "a number for a part": Case("'backbone' parameter of MILC.*str", {"backbone": 3}),
    "mse in a classifier": Case(
        "loss='mse' is not a classification loss", {"loss": "mse"}
    ),
    "quantile in a classifier": Case(
        "loss='quantile' is not a classification loss",
        {"loss": "quantile"},
        cls=NetClassifier,
    ),
    "no such device": Case(
        "device='cuda:77' is not available here .*'cpu'.*device='auto'",
        {"device": "cuda:77"},
    ),
    "no device at all": Case(
        "device='gpu' is not available here .*device='auto'", {"device": "gpu"}
    ),
    "class_weight": Case(
        r"class_weight names classes \['ill'\].*Classes are \[0, 1\]",
        {"class_weight": {"ill": 2.0}},
    ),
    "negative lr": Case("'lr' parameter of MILClassifier.*range", {"lr": -1.0}),
    "batch_size": Case("'batch_size' parameter of MILClassifier", {"batch_size": 0}),
    "no bags to set aside": Case(
        "early_stopping=True needs at least two groups.*Set early_stopping=False",
        {"early_stopping": True},
        X=Bags(ROWS, X.lengths, groups=np.zeros(N)),
    ),
    "too much set aside": Case(
        "validation_fraction", {"early_stopping": True, "validation_fraction": 0.99}
    ),
    "backbone for another width": Case(
        r"backbone Linear cannot take samples of shape \(3,\)",
        {"backbone": nn.Linear(9, 2)},
    ),
}
CASES = {**DATA_CASES, **PARAMETER_CASES}


def contents(model):
    """Copy all that a fitted model consists of."""
    state = {k: v for k, v in vars(model).items() if k not in model.get_params()}
    return {
        "attributes": state,
        "identities": {k: id(v) for k, v in state.items()},
        "values": {k: copy.deepcopy(v) for k, v in state.items() if k != "net_"},
        "weights": copy.deepcopy(model.net_.module_.state_dict()),
        "optimizer": copy.deepcopy(model.net_.optimizer_.state_dict()),
        "training": model.net_.module_.training,
    }


def assert_untouched(model, before):
    after = contents(model)
    assert after["identities"] == before["identities"]
    assert after["values"].keys() == before["values"].keys()
    for key, value in before["values"].items():
        equal = getattr(value, "equals", None)
        same = equal(after["values"][key]) if equal else None
        if same is None:
            same = (
                np.array_equal(value, after["values"][key])
                if isinstance(value, np.ndarray)
                else repr(value) == repr(after["values"][key])
            )
        assert same, key
    for key, value in before["weights"].items():
        assert torch.equal(value, after["weights"][key]), key
    assert_same_state(before["optimizer"], after["optimizer"])
    assert after["training"] == before["training"]


def assert_same_state(left, right):
    assert left["state"].keys() == right["state"].keys()
    for key, tensors in left["state"].items():
        for name, value in tensors.items():
            other = right["state"][key][name]
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(other)), name


@pytest.mark.parametrize("name", CASES)
def test_a_new_estimator_says_what_is_wrong_and_stays_unfitted(name):
    case = CASES[name]
    model = quick(case.cls, **case.params)
    before = set(vars(model))
    given, y = case.data()
    with pytest.raises(case.error, match=f"(?s){case.words}") as caught:
        model.fit(given, None if y is NO_TARGETS else y, **case.kwargs)
    assert isinstance(caught.value, ValueError | TypeError)
    assert set(vars(model)) == before
    with pytest.raises(NotFittedError):
        model.predict(ROWS)


def is_seen_by_a_warm_start(name):
    parts = {"backbone", "pooling", "loss"} & set(CASES[name].params)
    return not CASES[name].cold_only and not (parts and name in PARAMETER_CASES)


@pytest.mark.parametrize(
    ("name", "warm_start"),
    [(name, False) for name in CASES]
    + [(name, True) for name in CASES if is_seen_by_a_warm_start(name)],
)
def test_a_fitted_estimator_keeps_its_model(name, warm_start):
    case = CASES[name]
    first = (X, Y) if case.cls is MILClassifier else (ROWS, ROW_Y)
    model = quick(case.cls, warm_start=warm_start).fit(*first)
    expected, before = model.predict(first[0]), contents(model)
    model.set_params(**case.params)
    given, y = case.data()
    with pytest.raises((case.error, ValueError)):
        model.fit(given, None if y is NO_TARGETS else y, **case.kwargs)
    assert_untouched(model, before)
    assert_array_equal(model.predict(first[0]), expected)


# -- parameters that do not exist ----------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"backbone__hiden": 3}, r"'hiden' for backbone 'auto'.*Did you mean 'hidden'"),
        ({"pooling__headz": 3, "pooling": "attention"}, "Did you mean 'heads'"),
        ({"loss__label_smoothin": 3}, "Did you mean 'label_smoothing'"),
        ({"bacbone": "mlp"}, r"Invalid parameter 'bacbone'.*'backbone'"),
    ],
)
def test_unknown_parameters(params, words):
    with pytest.raises(ValueError, match=words):
        quick().set_params(**params)


def test_bad_values_of_parameters_of_parts():
    model = quick().set_params(backbone__hidden=(0,))
    with pytest.raises(ValueError, match="hidden must be an integer of at least 1"):
        model.fit(X, Y)
    model = quick(pooling="attention").set_params(pooling__heads=0)
    with pytest.raises(ValueError, match="heads must be an integer of at least 1"):
        model.fit(X, Y)


# -- prediction ----------------------------------------------------------------

OUTPUTS = (
    "predict",
    "predict_proba",
    "decision_function",
    "transform",
    "instance_scores",
    "predict_instances",
    "predict_instances_proba",
    "attention",
)


@pytest.mark.parametrize("method", OUTPUTS)
def test_predictions_for_bad_input(method):
    model = quick().fit(X, Y)
    compute = getattr(model, method)
    for given, error, words in [
        (make(n_features=5)[0], ValueError, "X has 5 features, but MILClassifier is"),
        (ROWS[:, :2], ValueError, "X has 2 features"),
        (with_value(np.nan), BagError, "X contains NaN: bag 5"),
        (with_value(-np.inf), BagError, "X contains infinity: bag 5"),
        ([*LIST, np.zeros((0, 3))], BagError, r"X\[24\] is an empty bag"),
        (X[:0], BagError, "0 sample"),
        (LONG.drop(columns="y"), BagError, r"Bags\.from_frame"),
        (np.zeros((2, 3, 4, 4)), ValueError, r"X has|samples of shape"),
    ]:
        with pytest.raises(error, match=words):
            compute(given)
    with pytest.raises(
        NotFittedError, match="MILClassifier instance is not fitted yet"
    ):
        getattr(quick(), method)(X)


def test_margins_have_no_probabilities():
    model = quick(loss="hinge").fit(X, Y)
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError) as caught:
        model.predict_proba(X)
    cause = str(caught.value.__cause__)
    assert "loss='hinge'" in cause
    assert "decision_function" in cause
    assert "cross-entropy" in cause


# -- going on from a model -----------------------------------------------------


@pytest.mark.parametrize(
    ("given", "y", "words"),
    [
        (X, Y + 1, r"y contains classes \[2\].*knows only.*\[0, 1\].*warm_start=False"),
        (X, np.column_stack([Y, 1 - Y]), "y changed between one column and several"),
        (
            make(n_features=5)[0],
            Y,
            "X has 5 features, but MILClassifier is expecting 3",
        ),
    ],
)
@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_a_start_that_does_not_fit_the_model(given, y, words, how):
    model = quick(warm_start=True).fit(X, Y)
    before = contents(model)
    with pytest.raises(ValueError, match=words):
        model.fit(given, y) if how == "warm_start" else model.partial_fit(given, y)
    assert_untouched(model, before)


def test_partial_fit_with_bad_classes():
    with pytest.raises(ValueError, match=r"y contains classes \[1\].*classes="):
        quick().partial_fit(X, Y, classes=[0, 2])
    model = quick().partial_fit(X, Y, classes=[0, 1, 2])
    before = contents(model)
    with pytest.raises(ValueError, match=r"not the same as in the first call.*0, 1, 2"):
        model.partial_fit(X, Y, classes=[0, 1])
    assert_untouched(model, before)


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
@pytest.mark.parametrize("first", [np.float32, np.float64])
def test_a_start_in_another_precision(how, first):
    """Mixed types are no mistake: the model keeps its own."""
    second = np.float64 if first == np.float32 else np.float32
    model = quick(warm_start=True).fit(make(dtype=first)[0], Y)
    other = make(dtype=second)[0]
    model.fit(other, Y) if how == "warm_start" else model.partial_fit(other, Y)
    assert model.decision_function(other).dtype == first


# -- divergence ----------------------------------------------------------------


def weights_are_finite(model):
    tensors = model.net_.module_.state_dict().values()
    return all(bool(torch.isfinite(t).all()) for t in tensors)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("cls", [MILClassifier, NetClassifier, NetRegressor])
def test_divergence_of_a_new_estimator_leaves_finite_weights(cls, early_stopping):
    data = (X, Y) if cls is MILClassifier else (ROWS, ROW_Y)
    model = quick(
        cls, lr=1e30, batch_size=4, early_stopping=early_stopping, max_epochs=9
    )
    with pytest.raises(TrainingDivergedError) as caught:
        model.fit(*data)
    error = caught.value
    assert 1 <= error.epoch <= 9
    for words in (f"epoch {error.epoch}, step {error.step}", "smaller lr", "Scaler"):
        assert words in str(error)
    assert weights_are_finite(model)
    assert np.isfinite(model.predict(data[0])).all()
    if cls is not NetRegressor:
        assert np.isfinite(model.predict_proba(data[0])).all()


@pytest.mark.parametrize("how", ["fit", "warm_start", "partial_fit"])
def test_divergence_of_a_fitted_estimator_keeps_its_model(how):
    model = quick().fit(X, Y)
    expected, before = model.decision_function(X), contents(model)
    usual = model.batch_size
    model.set_params(lr=1e30, batch_size=1, warm_start=how == "warm_start")
    fit = model.partial_fit if how == "partial_fit" else model.fit
    with pytest.raises(TrainingDivergedError, match=r"epoch \d, step \d"):
        fit(X.with_values(X.values * 1e140), Y)
    assert_untouched(model, before)
    # Rows of other batches can differ in the last bit on some processors.
    model.set_params(batch_size=usual)
    assert_array_equal(model.decision_function(X), expected)
    model.set_params(lr=1e-3)
    fit(X, Y)
    assert weights_are_finite(model)


class BreaksAt(nn.Module):
    """Cross-entropy that is infinite in one call."""

    link = "softmax"

    def __init__(self, call):
        super().__init__()
        self.call, self.calls = call, 0

    def forward(self, raw, target):
        self.calls += self.training
        losses = nn.functional.binary_cross_entropy_with_logits(
            raw[:, 0], target.to(raw.dtype), reduction="none"
        )
        return losses * torch.inf if self.calls == self.call else losses


class Listen(sc.Callback):
    def on_batch_end(self, net, **kwargs):
        """Make the net take the path that notifies of batches."""


@pytest.mark.parametrize("callbacks", [None, [Listen()]], ids=["lean", "notifying"])
@pytest.mark.parametrize(("call", "epoch", "step"), [(1, 1, 1), (3, 1, 3), (10, 3, 2)])
def test_the_first_bad_step_is_named_and_finite_weights_kept(
    call, epoch, step, callbacks
):
    def loss():
        return BreaksAt(call)

    params = {"batch_size": 6, "pooling": "mean"}
    model = quick(loss=loss, max_epochs=9, callbacks=callbacks, **params)
    with pytest.raises(TrainingDivergedError) as caught:
        model.fit(X, Y)
    assert (caught.value.epoch, caught.value.step) == (epoch, step)
    assert f"epoch {epoch}, step {step}" in str(caught.value)
    assert model.n_iter_ == epoch - 1
    assert weights_are_finite(model)
    if epoch > 1:
        short = quick(max_epochs=epoch - 1, **params).fit(X, Y)
        np.testing.assert_allclose(
            model.decision_function(X), short.decision_function(X), atol=1e-12
        )


def test_a_class_without_weight_is_no_divergence():
    """Batches may hold nothing but rows that do not count."""
    y = np.arange(N) % 3
    for size in (2, 8):
        model = quick(class_weight={0: 0.0}, batch_size=size).fit(X, y)
        assert model.classes_.tolist() == [0, 1, 2]
        assert np.isfinite(model.loss_curve_).all()


def test_tiny_weights_are_no_divergence():
    Z = make(dtype=np.float32)[0]
    plain = quick().fit(Z, Y)
    for scale in (1e-50, 1e50):
        model = quick().fit(Z, Y, sample_weight=np.full(N, scale))
        np.testing.assert_allclose(
            model.decision_function(Z), plain.decision_function(Z), atol=1e-5
        )


# -- interruption --------------------------------------------------------------


class Interrupt(sc.Callback):
    """Press Ctrl-C in one epoch, counted from 1."""

    def __init__(self, epoch, event="on_batch_end", really=False):
        self.epoch, self.event, self.really = epoch, event, really

    def happen(self, event, net):
        if event == self.event and len(net.history) == self.epoch:
            if not self.really:
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass

    def on_batch_end(self, net, **kwargs):
        self.happen("on_batch_end", net)

    def on_epoch_begin(self, net, **kwargs):
        self.happen("on_epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self.happen("on_epoch_end", net)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("event", ["on_batch_end", "on_epoch_begin"])
@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_fit_leaves_a_usable_model(epoch, event, early_stopping):
    model = quick(max_epochs=9, early_stopping=early_stopping)
    model.set_params(callbacks=[Interrupt(epoch, event)])
    with pytest.warns(
        FitInterruptedWarning, match=f"interrupted in epoch {epoch} of 9"
    ):
        model.fit(X, Y)
    assert model.n_iter_ == epoch - 1 == len(model.loss_curve_) == len(model.history_)
    assert np.isfinite(model.decision_function(X)).all()
    model.set_params(callbacks=None, warm_start=True).fit(X, Y)
    assert model.n_iter_ == epoch + 8


def test_an_interrupted_refit_keeps_what_it_learned_so_far():
    model = quick(max_epochs=4).fit(X, Y)
    model.set_params(callbacks=[Interrupt(3)], max_epochs=9)
    with pytest.warns(FitInterruptedWarning):
        model.fit(X, Y)
    assert model.n_iter_ == 2
    model.set_params(callbacks=[Interrupt(1)], warm_start=True)
    with pytest.warns(FitInterruptedWarning):
        model.fit(X, Y)
    assert model.n_iter_ == 2


def test_a_warning_as_error_leaves_no_half_fitted_model():
    model = quick(callbacks=[Interrupt(2)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FitInterruptedWarning):
            model.fit(X, Y)
    assert not hasattr(model, "net_")


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to oneself")
@pytest.mark.usefixtures("usual_sigint")
@pytest.mark.parametrize("event", ["on_batch_end", "on_epoch_end"])
def test_ctrl_c_at_any_moment_of_an_epoch(event):
    model = quick(max_epochs=9, callbacks=[Interrupt(3, event, really=True)])
    with pytest.warns(FitInterruptedWarning, match="interrupted in epoch 3 of 9"):
        model.fit(X, Y)
    assert model.n_iter_ < 9
    assert np.isfinite(model.decision_function(X)).all()


SCRIPT = """
import sys, warnings
import numpy as np
from mlmi_sklearn import MILClassifier
from mlmi_sklearn.exceptions import FitInterruptedWarning
X = np.random.default_rng(0).normal(size=(200, 5))
model = MILClassifier(max_epochs=10**9, random_state=0)
class Shout:
    pass
from skorch.callbacks import Callback
class Ready(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            print("training", flush=True)
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    model.set_params(callbacks=[Ready()]).fit(X, np.arange(200) % 2)
assert [w.category for w in seen] == [FitInterruptedWarning], seen
assert "of 1000000000" in str(seen[0].message)
assert np.isfinite(model.decision_function(X)).all() and model.n_iter_ >= 2
print("usable", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to a child")
@pytest.mark.usefixtures("usual_sigint")
def test_ctrl_c_in_another_process():
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    ) as process:
        try:
            assert process.stdout.readline() == "training\n"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out == "usable\n", err
    assert process.returncode == 0


# -- input that a module would change ------------------------------------------


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("cls", [MILClassifier, NetClassifier])
def test_modules_that_work_in_place_do_not_change_x(cls, read_only):
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 4))
    values = X.values.copy()
    values.flags.writeable = not read_only
    data = X.with_values(values) if cls is MILClassifier else values
    y = Y if cls is MILClassifier else ROW_Y
    model = quick(cls, backbone=module).fit(data, y)
    first = model.decision_function(data)
    if cls is MILClassifier:
        model.instance_scores(data)
        model.transform(data)
    assert_array_equal(model.decision_function(data), first)
    assert_array_equal(values, X.values)


def test_frames_with_names_in_another_order():
    frame = pd.DataFrame(ROWS, columns=list("abc"))
    model = quick().fit(frame, ROW_Y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("bca")])


@pytest.mark.parametrize("cls", [NetClassifier, MILClassifier])
def test_a_word_that_a_mask_hides_is_missing_and_no_class(cls):
    words = np.array(["benign", "malignant"])[Y if cls is MILClassifier else ROW_Y]
    hidden = np.ma.masked_array(words, np.arange(len(words)) == 3)
    with pytest.raises(ValueError, match="y holds labels of several types"):
        quick(cls).fit(X if cls is MILClassifier else ROWS, hidden)
