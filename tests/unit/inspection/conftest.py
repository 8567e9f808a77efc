"""An estimator of bags whose scores are known without training."""

import matplotlib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from mlmi_sklearn import Bags

matplotlib.use("Agg")


class FirstFeature(ClassifierMixin, BaseEstimator):
    """Scores an instance by its first number, a bag by its highest instance."""

    def __init__(self, classes=(0, 1)):
        self.classes = classes

    def fit(self, X, y=None):
        self.classes_ = np.array(self.classes)
        return self

    def instance_scores(self, X):
        return [np.asarray(bag, float).reshape(len(bag), -1)[:, 0] for bag in X]

    def predict_instances_proba(self, X):
        positive = [1 / (1 + np.exp(-s)) for s in self.instance_scores(X)]
        return [np.column_stack([1 - p, p]) for p in positive]

    def attention(self, X):
        return [np.exp(s) / np.exp(s).sum() for s in self.instance_scores(X)]

    def decision_function(self, X):
        return np.array([s.max() for s in self.instance_scores(X)])

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


class ThreeColumns(FirstFeature):
    """Has one score a class: the first three numbers of an instance."""

    def instance_scores(self, X):
        return [np.asarray(bag, float)[:, :3] for bag in X]

    def predict_proba(self, X):
        score = np.array([s.max(axis=0) for s in self.instance_scores(X)])
        return np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)

    decision_function = predict_proba

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture
def model():
    return FirstFeature().fit(None)


@pytest.fixture
def three():
    return ThreeColumns(("a", "b", "c")).fit(None)


@pytest.fixture
def bags():
    rng = np.random.default_rng(0)
    return Bags(
        rng.normal(size=(18, 4)),
        [8, 3, 7],
        bag_ids=["x", "y", "z"],
        coords=rng.uniform(0, 50, (18, 2)),
        y_instances=np.arange(18) % 3 - 1,
        feature_names=["size", "shape", "colour", "a_very_long_feature_name"],
    )


@pytest.fixture(autouse=True)
def no_figure_left():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
