"""Where parts came from is recorded, and asked for when they are not there.

The plugins are modules made here, found through a registry of their own.
"""

import sys
import types

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import (
    MAMLClassifier,
    NetClassifier,
    hookimpl,
    load,
    register_component,
    save,
)
from mlmi_sklearn.components import registry, unregister_component
from mlmi_sklearn.components.discovery import Candidate
from mlmi_sklearn.components.lookup import Registry
from mlmi_sklearn.components.manager import PluginManager
from mlmi_sklearn.exceptions import (
    ComponentNotFoundError,
    PersistenceError,
    PersistenceWarning,
    PluginError,
)
from mlmi_sklearn.persistence import read_manifest

MODULE = "mlmi_test_plugin_of_persistence"


class Majority(ClassifierMixin, BaseEstimator):
    """Says what most say."""

    def __init__(self, note=""):
        self.note = note

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.counts_ = counts
        return self

    def predict(self, X):
        return np.repeat(self.classes_[self.counts_.argmax()], len(X))


Majority.__module__ = MODULE


def narrow(input_shape, width=2):
    net = torch.nn.Linear(input_shape[0], width)
    net.out_features = width
    return net


class Backbones:
    @hookimpl
    def mlmi_register_backbones(self, register):
        register("narrow", narrow, summary="A narrow net.")


class Both(Backbones):
    @hookimpl
    def mlmi_register_estimators(self, register):
        register("Majority", f"{MODULE}:Majority", summary="The majority.")


WIDTHS = {"ape": 3, "bear": 5}


class Animal(torch.nn.Linear):
    """A module whose class no file can refer to."""

    def __init__(self, input_shape, width):
        super().__init__(input_shape[0], width)
        self.out_features = width


def animal(name):
    if name not in WIDTHS:
        raise ComponentNotFoundError(f"the zoo has no {name!r}.")

    def build(input_shape, width=WIDTHS[name]):
        return Animal(input_shape, width)

    return build


ZOO_TAGS = {"members": ("ape",)}


class Zoo:
    @hookimpl
    def mlmi_register_backbones(self, register):
        register("zoo:*", animal, summary="Animals.", tags=ZOO_TAGS)


def explode():
    raise RuntimeError("no fuel")


@pytest.fixture
def installed(monkeypatch):
    """Return a function that installs what it is given, instead of all else."""
    module = types.ModuleType(MODULE)
    module.Majority = Majority
    monkeypatch.setitem(sys.modules, MODULE, module)

    def install(plugin=None, version="1.2", environ=None, load=None):
        found = []
        if plugin or load:
            candidate = Candidate("fine", "My_Dist", version, load or (lambda: plugin))
            found.append(candidate)
        manager = PluginManager(lambda: found, environ or {})
        monkeypatch.setattr(registry, "_REGISTRY", Registry(manager))

    return install


@pytest.fixture
def file(installed, kit, tmp_path):
    """Return the file of a net with a plugin's backbone, and what it predicts."""
    installed(Both())
    X, y = kit.table()
    net = NetClassifier("narrow", max_epochs=1, random_state=0).fit(X, y)
    save(make_pipeline(StandardScaler(), net).fit(X, y), tmp_path / "net")
    return tmp_path / "net"


def test_recorded(file):
    entries = read_manifest(file)["components"]
    wanted = {"kind": "backbone", "dist": "My_Dist", "version": "1.2"}
    assert {**wanted, "name": "narrow"} in entries


def test_loaded_beside_built_in_ones_and_from_searches(file, installed, kit, tmp_path):
    X, y = kit.table()
    model = load(file)
    search = GridSearchCV(
        NetClassifier(max_epochs=1, random_state=0),
        {"backbone": ["mlp", "narrow"]},
        cv=2,
    ).fit(X, y)
    save(search, tmp_path / "search")
    found = load(tmp_path / "search")
    np.testing.assert_array_equal(found.predict(X), search.predict(X))
    model[-1].set_params(backbone__width=5)
    save(model, tmp_path / "spec")
    assert load(tmp_path / "spec")[-1].backbone.width == 5


MISSING = r"needs the backbone 'narrow' of 'my-dist' 1\.2"


def test_not_installed(file, installed):
    installed(None)
    with pytest.raises(PluginError, match=MISSING) as caught:
        load(file)
    assert "is not installed. pip install my-dist==1.2" in str(caught.value)


def test_switched_off(file, installed):
    installed(Both(), environ={"MLMI_SKLEARN_DISABLE": "my-dist"})
    with pytest.raises(
        PluginError, match="is disabled: switched off by MLMI_SKLEARN_D"
    ):
        load(file)


@pytest.mark.filterwarnings("ignore::mlmi_sklearn.exceptions.PluginWarning")
def test_broken(file, installed):
    installed(load=explode)
    with pytest.raises(PluginError, match="is broken: RuntimeError: no fuel"):
        load(file)


def test_another_version(file, installed):
    installed(Both(), version="2.0")
    with pytest.warns(PersistenceWarning, match=r"version 2\.0 is installed") as caught:
        load(file)
    assert "pip install my-dist==1.2" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_a_version_without_the_part(file, installed):
    class Other:
        @hookimpl
        def mlmi_register_losses(self, register):
            register("other", explode, summary="Another part.")

    installed(Other(), version="3")
    with pytest.raises(PluginError, match="installed version 3 does not have it"):
        load(file)


def test_estimators_of_plugins(installed, tmp_path, kit):
    installed(Both())
    X, y = kit.table()
    model = make_pipeline(StandardScaler(), Majority("ü")).fit(X, y)
    save(model, tmp_path / "a")
    found = load(tmp_path / "a")
    assert type(found[-1]) is Majority
    assert found[-1].note == "ü"
    assert found.predict(X).tolist() == model.predict(X).tolist()
    entry = {"kind": "estimator", "name": "My_Dist:Majority", "dist": "My_Dist"}
    entries = read_manifest(tmp_path / "a")["components"]
    assert {**entry, "version": "1.2"} in entries
    # A plugin that is there, but without that estimator.
    installed(Backbones())
    with pytest.raises(PluginError, match="estimator 'Majority' of 'my-dist' 1"):
        load(tmp_path / "a")


@pytest.mark.parametrize("name", ["zoo:bear", "My_Dist:zoo:bear"])
def test_members_of_a_family(name, installed, kit, tmp_path):
    installed(Zoo())
    X, y = kit.table()
    net = NetClassifier(name, max_epochs=1, random_state=0)
    net.set_params(backbone__width=4).fit(X, y)
    save(net, tmp_path / "a")
    found = load(tmp_path / "a")
    assert found.backbone.width == 4
    np.testing.assert_array_equal(found.predict_proba(X), net.predict_proba(X))
    names = {e["name"] for e in read_manifest(tmp_path / "a")["components"]}
    assert names >= {name, "My_Dist:zoo:bear"}
    # Another version, no plugin, and one that has lost the member.
    installed(Zoo(), version="2.0")
    with pytest.warns(PersistenceWarning, match=r"'zoo:bear' of 'my-dist' 1\.2; ver"):
        load(tmp_path / "a")
    installed(None)
    with pytest.raises(
        PluginError, match=r"'zoo:bear' of 'my-dist' 1\.2, which is not"
    ):
        load(tmp_path / "a")
    installed(Backbones())
    with pytest.raises(PluginError, match=r"installed version 1\.2 does not have it"):
        load(tmp_path / "a")


def test_a_family_that_has_lost_a_member(installed, kit, tmp_path, monkeypatch):
    installed(Zoo())
    X, y = kit.table()
    save(NetClassifier("zoo:bear", max_epochs=1).fit(X, y), tmp_path / "a")
    monkeypatch.delitem(WIDTHS, "bear")
    installed(Zoo(), version="1.3")
    with pytest.raises(PluginError, match=r"1\.3 does not have it \(the zoo has no"):
        load(tmp_path / "a")


def test_a_family_that_the_program_registered(kit, tmp_path):
    X, y = kit.table()
    register_component("backbone", "herd:*", animal, tags=ZOO_TAGS)
    try:
        net = NetClassifier("herd:ape", max_epochs=1, random_state=0).fit(X, y)
        save(net, tmp_path / "a")
        found = load(tmp_path / "a")
    finally:
        unregister_component("backbone", "herd:*")
    np.testing.assert_array_equal(found.predict_proba(X), net.predict_proba(X))
    with pytest.raises(PluginError, match=r"\('backbone', 'herd:\*', factory\) before"):
        load(tmp_path / "a")


def test_a_meta_learner_whose_net_is_of_a_plugins_class(installed, kit, tmp_path):
    installed(Zoo())
    X, y = kit.table(48)
    meta = MAMLClassifier(backbone="zoo:ape", n_query=2, episodes_per_epoch=2)
    meta.set_params(max_epochs=1, finetune_steps=2, random_state=0)
    meta.fit(X, y, groups=np.repeat(np.arange(4), 12))
    save(meta, tmp_path / "meta")
    save(meta.adapt(X[:4], y[:4]), tmp_path / "adapted")
    found = load(tmp_path / "meta")
    np.testing.assert_array_equal(found.predict_proba(X), meta.predict_proba(X))
    expected = meta.adapt(X[:4], y[:4]).predict_proba(X)
    for model in (found.adapt(X[:4], y[:4]), load(tmp_path / "adapted")):
        np.testing.assert_array_equal(model.predict_proba(X), expected)


@pytest.mark.parametrize(
    ("dist", "version"),
    [("x; rm -rf /", "1"), ("x\n", "1"), ("", "1"), ("x", "1 && evil"), ("-r", "1")],
)
def test_no_order_is_made_of_hostile_names(dist, version, saved, kit, write):
    manifest, arrays = kit.pieces(saved)
    entry = {"kind": "loss", "name": "x", "dist": dist, "version": version}
    manifest["components"].append(entry)
    with pytest.raises(PersistenceError, match="list of components is malformed"):
        load(write(kit.forged(manifest, arrays)))
