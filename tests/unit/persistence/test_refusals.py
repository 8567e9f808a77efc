"""What cannot be saved is named, and so is the way out."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EpochScoring, GradientNormClipping

from mlmi_sklearn import (
    MILClassifier,
    NetClassifier,
    load,
    register_component,
    save,
)
from mlmi_sklearn.components import unregister_component
from mlmi_sklearn.exceptions import PersistenceError, PluginError


class Own(torch.nn.Module):
    out_features = 2

    def forward(self, x):
        return x[:, :2]


def own_backbone(input_shape, width=2):
    """Return a small net."""
    net = torch.nn.Linear(input_shape[0], width)
    net.out_features = width
    return net


class OwnTransformer(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self


REFUSED = {
    "module": (NetClassifier(backbone=Own()), ["backbone of NetClassifier", "Own"]),
    "factory": (
        NetClassifier(backbone=own_backbone),
        ["backbone", "own_backbone", 'register_component("backbone", "my-backbone"'],
    ),
    "lambda": (
        NetClassifier(loss=lambda raw, y: raw.sum(1)),
        ["loss", "lambda", 'register_component("loss"'],
    ),
    "pooling": (
        MILClassifier(pooling=lambda in_features: Own()),
        ["pooling", 'register_component("pooling"'],
    ),
    "callbacks": (
        NetClassifier(callbacks=[("clip", GradientNormClipping(1.0))]),
        ["callbacks[0][1]", "GradientNormClipping", "set_params(callbacks=None)"],
    ),
    "callable-callbacks": (
        NetClassifier(callbacks=[EpochScoring(len)]),
        ["callbacks[0]", "EpochScoring"],
    ),
    "nested": (
        make_pipeline(OwnTransformer(), NetClassifier()),
        ["steps[0][1]", "OwnTransformer", "plugin"],
    ),
    "deep": (
        make_pipeline(NetClassifier(backbone=own_backbone)),
        ["steps[0][1].backbone", "register_component"],
    ),
    "function": (
        make_pipeline(FunctionTransformer(lambda X: X), NetClassifier()),
        ["steps[0][1].func", "lambda"],
    ),
    "optimizer": (
        NetClassifier(optimizer=lambda params, lr: torch.optim.SGD(params, lr)),
        ["optimizer", "lambda"],
    ),
    "seed": (NetClassifier(random_state=iter([1])), ["random_state", "iterator"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_messages(name, tmp_path):
    estimator, words = REFUSED[name]
    with pytest.raises(PersistenceError, match="cannot save") as caught:
        save(estimator, tmp_path / "a")
    assert type(estimator).__name__ in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_estimator(tmp_path):
    for value in (NetClassifier, 1, {"a": 1}, None):
        with pytest.raises(TypeError, match="instance of an estimator"):
            save(value, tmp_path / "a")


def test_a_net_of_known_layers_can_be_saved(kit, tmp_path):
    X, y = kit.table()
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    model = NetClassifier(backbone=net, max_epochs=1, random_state=0).fit(X, y)
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    assert found.get_params()["optimizer"] == model.optimizer
    other = NetClassifier(optimizer=torch.optim.SGD)
    save(other, tmp_path / "b")
    assert load(tmp_path / "b").optimizer is torch.optim.SGD


def test_registered_by_the_program(kit, tmp_path):
    X, y = kit.table()
    register_component("backbone", "own-net", own_backbone)
    try:
        model = NetClassifier("own-net", max_epochs=1, random_state=0)
        model.set_params(backbone__width=3).fit(X, y)
        save(model, tmp_path / "a")
        found = load(tmp_path / "a")
        np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
        save(NetClassifier("own-net"), tmp_path / "b")
    finally:
        unregister_component("backbone", "own-net")
    for name in "ab":
        with pytest.raises(PluginError, match=r"register_component\('backbone', 'own-"):
            load(tmp_path / name)


def test_skops_is_needed_for_trees_alone(kit, tmp_path, monkeypatch):
    import sys

    from sklearn.tree import DecisionTreeClassifier

    X, y = kit.table()
    tree = DecisionTreeClassifier().fit(X, y)
    save(tree, tmp_path / "tree")
    monkeypatch.setitem(sys.modules, "skops.io", None)
    monkeypatch.setitem(sys.modules, "skops", None)
    advice = r'pip install "mlmi-sklearn\[persistence\]"'
    with pytest.raises(PersistenceError, match=advice):
        save(tree, tmp_path / "other")
    with pytest.raises(PersistenceError, match=advice):
        load(tmp_path / "tree")
    save(NetClassifier(), tmp_path / "net")
    load(tmp_path / "net")


def test_another_version_of_scikit_learn(kit, saved, tmp_path, write):
    from sklearn.exceptions import InconsistentVersionWarning
    from sklearn.preprocessing import StandardScaler

    save(StandardScaler().fit(kit.table()[0]), tmp_path / "a")
    manifest, arrays = kit.pieces((tmp_path / "a").read_bytes())
    kit.attribute(manifest["state"], "_sklearn_version")[1] = "1.0"
    with pytest.warns(InconsistentVersionWarning, match=r"from version 1\.0"):
        load(write(kit.forged(manifest, arrays)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(write(saved))
