"""Models of timm in the estimators of mlmi_sklearn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mlmi_sklearn import MILClassifier, NetClassifier, load, save

SMALL = "timm:resnet10t"


@pytest.fixture(scope="module")
def fitted(images):
    model = NetClassifier(backbone=SMALL, max_epochs=8, random_state=0, batch_size=8)
    return model.fit(*images)


def test_it_learns(fitted, images):
    assert fitted.score(*images) > 0.9
    assert fitted.history_.train_loss.iloc[-1] < fitted.history_.train_loss.iloc[0]


def test_copies(fitted, images):
    X, _ = images
    expected = fitted.predict_proba(X)
    assert (pickle.loads(pickle.dumps(fitted)).predict_proba(X) == expected).all()
    assert clone(fitted).get_params()["backbone"] == SMALL


def test_files(fitted, images, tmp_path):
    X, y = images
    qualified = clone(fitted).set_params(backbone=f"mlmi-sklearn-timm:{SMALL}")
    for model in (fitted, qualified.set_params(max_epochs=1).fit(X, y)):
        save(model, tmp_path / "model.mlmi")
        found = load(tmp_path / "model.mlmi")
        assert (found.predict_proba(X) == model.predict_proba(X)).all()


def test_same_seed_same_model(fitted, images):
    X, y = images
    again = clone(fitted).fit(X, y)
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()


def test_predictions_do_not_depend_on_companions(fitted, images):
    X, _ = images
    alone = np.vstack([fitted.predict_proba(row[None]) for row in X[:3]])
    np.testing.assert_allclose(alone, fitted.predict_proba(X)[:3], atol=1e-5)


def test_search_over_names(images):
    model = NetClassifier(max_epochs=1, random_state=0)
    grid = {"backbone": ["conv", SMALL]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(*images)
    assert list(search.cv_results_["param_backbone"]) == ["conv", SMALL]


def test_search_over_parameters(images):
    model = NetClassifier(backbone=SMALL, max_epochs=1, random_state=0)
    grid = {"backbone__drop_rate": [0.0, 0.5]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(*images)
    assert set(search.best_params_) == set(grid)
    best = search.best_estimator_.get_params()
    assert best["backbone__drop_rate"] == search.best_params_["backbone__drop_rate"]


def test_bags_of_images(images):
    X, _ = images
    labels = [int(i % 2) for i in range(12)]
    bags = [np.stack([X[0], X[1 if label else 2]]) for label in labels]
    model = MILClassifier(backbone=SMALL, max_epochs=3, random_state=0)
    model.fit(bags, labels)
    assert model.predict_proba(bags).shape == (12, 2)
    assert len(model.instance_scores(bags)) == 12
