"""MONAI's parts in the estimators of mlmi_sklearn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mlmi_sklearn import MILClassifier, NetClassifier


def net(**params):
    model = NetClassifier(backbone="monai-unet", max_epochs=10, random_state=0)
    model.set_params(backbone__features=(4, 8), backbone__norm="batch", **params)
    return model.set_params(lr=0.02, batch_size=8)


@pytest.mark.parametrize(
    "loss", ["monai-dice", "monai-dice-ce", "monai-tversky", "monai-focal"]
)
def test_losses_teach(images, loss):
    model = net(loss=loss).fit(*images)
    assert model.score(*images) > 0.9
    assert model.history_.train_loss.iloc[-1] < model.history_.train_loss.iloc[0]


def test_several_labels(images):
    X, y = images
    Y = np.column_stack([y, 1 - y])
    model = net(loss="monai-dice-ce", loss__activation="sigmoid").fit(X, Y)
    assert (model.predict(X) == Y).mean() > 0.9


def test_volumes():
    rng = np.random.default_rng(1)
    X = rng.normal(0, 0.3, (16, 1, 8, 8, 8)).astype("float32")
    y = np.arange(16) % 2
    X[y == 1, :, 2:6, 2:6, 2:6] += 2
    assert net().fit(X, y).score(X, y) > 0.9


def test_copies(images):
    model = net(loss="monai-dice").fit(*images)
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.predict_proba(images[0]) == model.predict_proba(images[0])).all()
    assert clone(model).get_params()["backbone__features"] == (4, 8)


def test_search(images):
    grid = {"loss": ["cross-entropy", "monai-dice"], "backbone": ["conv", "monai-unet"]}
    model = NetClassifier(max_epochs=1, random_state=0)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(*images)
    assert len(search.cv_results_["params"]) == 4


def test_bags_of_images(images):
    X, _ = images
    labels = [i % 2 for i in range(12)]
    bags = [np.stack([X[0], X[1 if label else 2]]) for label in labels]
    model = MILClassifier(backbone="monai-unet", loss="monai-focal", max_epochs=3)
    model.set_params(backbone__features=(4, 8), random_state=0).fit(bags, labels)
    assert model.predict_proba(bags).shape == (12, 2)
