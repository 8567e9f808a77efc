"""The parts that come with the package."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from mlmi_sklearn.components import KINDS, find_component, list_components
from mlmi_sklearn.components.discovery import BUILTIN_MODULE

NAMES = {
    "backbone": "mlp linear conv conv4 resnet conv3d unet transformer",
    "loss": "cross-entropy focal generalised-cross-entropy bce mse huber smooth-l1 "
    "quantile hinge",
    "pooling": "max mean attention gated-attention",
    "estimator": "NetClassifier NetRegressor MILClassifier",
}
INPUTS = {
    "mlp": "vector",
    "linear": "vector",
    "conv": "image",
    "conv4": "image",
    "resnet": "image",
    "unet": "image",
    "conv3d": "volume",
    "transformer": "sequence",
}


@pytest.mark.parametrize("kind", NAMES)
def test_names(kind):
    found = {part.name for part in list_components(kind, builtin=True)}
    assert set(NAMES[kind].split()) <= found


def test_they_are_lazy_and_described():
    for part in list_components(builtin=True):
        assert isinstance(part.factory, str)
        assert part.factory.startswith("mlmi_sklearn.")
        assert part.summary.endswith(".")
        assert part.dist == "mlmi-sklearn"
        assert part.kind in KINDS


@pytest.mark.parametrize(("name", "takes"), INPUTS.items())
def test_backbones_say_what_they_take(name, takes):
    part = find_component("backbone", name)
    assert part.tags["input"] == takes
    rank = {"vector": 1, "image": 3, "volume": 4, "sequence": 2}[takes]
    assert len(part.example["input_shape"]) == rank


def test_losses_say_their_task():
    regression = [
        p.name for p in list_components("loss", builtin=True, task="regression")
    ]
    assert regression == ["huber", "mse", "quantile", "smooth-l1"]
    tasks = {p.tags["task"] for p in list_components("loss", builtin=True)}
    assert tasks == {"classification", "regression"}


def test_poolings_say_their_assumption():
    standard = list_components("pooling", builtin=True, standard_assumption=True)
    assert [p.name for p in standard] == ["max"]
    for part in list_components("pooling", builtin=True):
        assert part.example["in_features"] == 8


def test_estimators_say_family_and_type():
    for part in list_components("estimator", builtin=True):
        assert {"family", "type"} <= set(part.tags)


def test_the_entry_point_names_the_module_that_is_loaded():
    path = Path(__file__).resolve().parents[3] / "pyproject.toml"
    project = tomllib.loads(path.read_text())["project"]
    assert project["entry-points"]["mlmi_sklearn"] == {"builtins": BUILTIN_MODULE}


def test_it_is_installed_as_declared():
    points = importlib.metadata.entry_points(group="mlmi_sklearn", name="builtins")
    assert [point.value for point in points] == [BUILTIN_MODULE]
