"""What callbacks of ours do between epochs."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from mlmi_sklearn.training import callbacks
from mlmi_sklearn.training.callbacks import (
    BestWeights,
    EpochScore,
    ProgressBar,
    SklearnBridge,
)
from mlmi_sklearn.training.interrupts import StopTraining


def follow(valid_losses, patience, tol):
    """Return what became of a training with these losses of its validation."""
    module = nn.Linear(1, 1, bias=False)
    net = SimpleNamespace(module_=module, history=[])
    best = BestWeights(patience, tol)
    best.on_train_begin(net)
    stopped = False
    for epoch, loss in enumerate(valid_losses, start=1):
        nn.init.constant_(module.weight, epoch)
        net.history.append({"epoch": epoch, "valid_loss": loss})
        try:
            best.on_epoch_end(net)
        except StopTraining:
            stopped = True
            break
    best.on_train_end(net)
    return len(net.history), stopped, best.best_epoch_, module.weight.item()


@pytest.mark.parametrize(
    ("losses", "patience", "tol", "expected"),
    [
        # epochs, whether it was stopped, best epoch, and its weight
        ([3, 2, 1], 2, 0.0, (3, False, 3, 3)),
        ([3, 1, 2, 2, 0], 2, 0.0, (4, True, 2, 2)),
        ([3, 1, 1, 1, 0], 2, 0.0, (4, True, 2, 2)),
        ([3, 1, 2, 0.5, 2], 2, 0.0, (5, False, 4, 4)),
        # Too small an improvement counts for the weights, not for the patience.
        ([3, 2.9, 2.8, 2], 2, 0.5, (3, True, 3, 3)),
        ([3, 2.5, 2.0, 1.5], 1, 0.5, (2, True, 2, 2)),
        ([3, 2, 1], 1, 0.5, (3, False, 3, 3)),
        ([math.nan, math.nan, 1], 2, 0.0, (2, True, 0, 2)),
        ([5, 6], 1, 0.0, (2, True, 1, 1)),
    ],
)
def test_the_best_weights_are_kept_and_patience_ends(losses, patience, tol, expected):
    assert follow(losses, patience, tol) == expected


def test_a_score_is_recorded():
    noted = {}
    history = SimpleNamespace(record=noted.__setitem__)
    net = SimpleNamespace(ranks_=None, history=history)
    EpochScore("train_score", lambda given: np.float32(given is net)).on_epoch_end(net)
    assert noted == {"train_score": 1.0}
    assert type(noted["train_score"]) is float


@pytest.mark.parametrize("main", [True, False])
def test_one_bar_shows_the_training(monkeypatch, main):
    made = []

    class Bar:
        def __init__(self, **options):
            self.options, self.n, self.shown, self.closed = options, 0, [], False
            made.append(self)

        def set_postfix(self, shown, refresh):
            self.shown.append((shown, refresh))

        def update(self, n=1):
            self.n += n

        def close(self):
            self.closed = True

    monkeypatch.setattr(callbacks, "tqdm", Bar)
    monkeypatch.setattr(callbacks, "is_main_process", lambda: main)
    row = {"train_loss": 0.12345, "valid_score": 2, "dur": 1.0}
    net = SimpleNamespace(max_epochs=7, history=[{"train_loss": 9}, row])
    bar = ProgressBar("Net")
    bar.on_train_begin(net)
    bar.load_training_state(3)
    bar.on_epoch_end(net)
    assert bar.training_state() == 4
    (drawn,) = made
    assert drawn.options == {
        "total": 7, "desc": "Net", "unit": "epoch", "disable": not main,
    }  # fmt: skip
    assert drawn.shown == [({"loss": "0.123", "val_score": "2"}, False)]
    row |= {"train_score": 0.5, "valid_loss": 1e-9}
    bar.on_epoch_end(net)
    assert list(drawn.shown[-1][0]) == ["loss", "score", "val_loss", "val_score"]
    assert drawn.shown[-1][0]["val_loss"] == "1e-09"
    assert not drawn.closed
    bar.on_train_end(net)
    assert drawn.closed


class Context:
    """Notes what scikit-learn's callbacks would be told."""

    def __init__(self, calls, name="root", stop=False):
        self.calls, self.name, self.stop = calls, name, stop

    def subcontext(self, task_name):
        return Context(self.calls, task_name, self.stop)

    def call_on_fit_task_begin(self, **told):
        self.calls.append((self.name, "begin", told))

    def call_on_fit_task_end(self, **told):
        self.calls.append((self.name, "end", told))
        return self.stop


@pytest.mark.parametrize("stop", [False, True])
def test_scikit_learn_is_told_of_the_fit_and_of_each_epoch(stop):
    calls = []
    estimator, X, y = object(), [[0.0]], [1]

    def snapshot():
        return {"a_": 1}

    bridge = SklearnBridge(estimator, Context(calls, stop=stop), X, y, snapshot)
    bridge.on_epoch_begin(net=None)
    if stop:
        with pytest.raises(StopTraining):
            bridge.on_epoch_end(net=None)
    else:
        bridge.on_epoch_end(net=None)
    bridge.close()
    known = {"estimator": estimator, "X": X, "y": y}
    ended = {**known, "reconstruction_attributes": snapshot}
    assert calls == [
        ("root", "begin", known),
        ("epoch", "begin", known),
        ("epoch", "end", ended),
        ("root", "end", ended),
    ]
    assert bridge.training_state() is None
    bridge.load_training_state(None)
