"""The examples of docs/guides/works_with.md run, and do what the page says."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

TEXT = (Path(__file__).parents[2] / "docs/guides/works_with.md").read_text()
START = re.search(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[1]
SECTIONS = {
    title: re.findall(r"^```python\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    for title, body in re.findall(
        r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
}


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(title):
        space: dict[str, object] = {}
        for block in [START, *SECTIONS[title]]:
            exec(compile(block, title, "exec"), space)
        return space

    return run


def test_no_example_is_forgotten():
    tested = {"pandas and polars", "skrub", "imbalanced-learn", "optuna", "MLflow"}
    assert {title for title, blocks in SECTIONS.items() if blocks} == tested | {"skops"}
    assert all(len(blocks) <= 1 for blocks in SECTIONS.values())


def test_polars(run):
    pytest.importorskip("polars")
    said = run("pandas and polars")
    assert list(said["model"].feature_names_in_[:2]) == ["mean radius", "mean texture"]
    assert said["features"].shape == (15, 15)
    assert type(said["features"]).__module__.startswith("polars")


def test_skrub(run):
    pytest.importorskip("skrub")
    said = run("skrub")
    assert "mean_test_score" in said["page"]
    assert "<html" in said["page"].lower()
    assert "train_loss" in said["epochs"].html()


def test_imbalanced_learn(run):
    pytest.importorskip("imblearn")
    said = run("imbalanced-learn")
    assert set(said["balanced"].predict(said["X"])) <= {0, 1}
    assert said["repeated"].n_features_in_ == 5


def test_optuna(run):
    pytest.importorskip("optuna")
    pytest.importorskip("optuna_integration")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the search is called experimental
        said = run("optuna")
    tuned = said["tuned"]
    assert set(tuned.best_params_) == {"lr", "backbone__dropout"}
    best = tuned.best_estimator_
    assert (
        best.get_params()["backbone__dropout"]
        == tuned.best_params_["backbone__dropout"]
    )
    assert len(said["study"].trials) == 2


def test_mlflow(run):
    pytest.importorskip("mlflow")
    said = run("MLflow")
    assert said["logged"].params["net__lr"] == "0.01"
    assert 0 <= said["logged"].metrics["training_accuracy_score"] <= 1
    assert said["logged"].tags["estimator_name"] == "Pipeline"


def test_skops_cards(run, tmp_path):
    pytest.importorskip("skops")
    said = run("skops")
    text = (tmp_path / "README.md").read_text()
    assert "max_epochs" in text
    assert str(round(said["model"].score(said["X"], said["y"]), 3)) in text
    assert "NetClassifier" in text


def test_search_spaces_hold_numpy_numbers():
    """Samplers of search tools hand over NumPy scalars; these are numbers too."""
    from mlmi_sklearn import NetClassifier

    X = np.random.default_rng(0).normal(size=(20, 3))
    model = NetClassifier("mlp", max_epochs=np.int64(1), lr=np.float64(0.01))
    model.set_params(backbone__dropout=np.float32(0.1), batch_size=np.int32(8))
    assert model.fit(X, np.arange(20) % 2).n_iter_ == 1
