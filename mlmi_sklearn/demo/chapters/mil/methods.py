"""The methods compared: two of ours and three that need no network.

Each is a scikit-learn estimator on bags, with ``decision_function`` and ``predict``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from ....containers import Bags
from ....mil import InstanceWise, MILClassifier
from ...experiment import Method

__all__ = ["INNER_FOLDS", "SIL", "SingleInstanceLogistic", "methods"]

SIL = "SIL logistic regression"
INNER_FOLDS = 5


class SingleInstanceLogistic(ClassifierMixin, BaseEstimator):
    """Logistic regression on instances that inherit the label of their bag.

    The score of a bag is the maximum over its instances, of which most in a positive
    bag were trained as positive without being so. Zero is therefore no sensible
    threshold; :func:`methods` tunes one.
    """

    def fit(self, X: Bags, y: NDArray[Any]) -> SingleInstanceLogistic:
        """Fit on all instances."""
        labels = np.repeat(y, X.lengths)
        self.classifier_ = LogisticRegression(max_iter=2000).fit(X.values, labels)
        self.classes_ = self.classifier_.classes_
        return self

    def decision_function(self, X: Bags) -> NDArray[Any]:
        """Return the maximal logit in each bag."""
        logits = self.classifier_.decision_function(X.values)
        return np.maximum.reduceat(logits, X.offsets[:-1])

    def predict(self, X: Bags) -> NDArray[Any]:
        """Call bags positive where an instance is."""
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


def methods(epochs: int, *, scale: bool) -> tuple[Method, ...]:
    """Return all methods.

    Parameters
    ----------
    epochs : int
        Epochs of the nets.
    scale : bool
        Whether instances are standardised first, on training bags alone.

    Returns
    -------
    tuple of Method
        Ours first, the default of ``MILClassifier`` before all.
    """
    first = [InstanceWise(StandardScaler())] if scale else []

    def net(pooling: str) -> Any:
        # Nets this small gain nothing from an accelerator, and on the processor
        # everybody sees the same numbers.
        model = MILClassifier(pooling=pooling, max_epochs=epochs, device="cpu")
        return make_pipeline(*first, model)

    def on_bag_features(function: Any, classifier: Any) -> Any:
        return make_pipeline(*first, FunctionTransformer(function), classifier)

    inner = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=0)
    sil = make_pipeline(*first, SingleInstanceLogistic())
    tuned = TunedThresholdClassifierCV(sil, scoring="accuracy", cv=inner)
    logistic = LogisticRegression(max_iter=2000)
    return (
        Method("MILClassifier (max pooling)", True, net("max")),
        Method("MILClassifier (attention)", True, net("attention")),
        Method(SIL, False, tuned),
        Method("Mean + logistic regression", False, on_bag_features(_mean, logistic)),
        Method("Min-max + SVC", False, on_bag_features(_min_max, SVC())),
    )


def _mean(bags: Bags) -> NDArray[Any]:
    """Describe a bag by the mean of its instances."""
    sums = np.add.reduceat(bags.values, bags.offsets[:-1], axis=0)
    return sums / bags.lengths[:, np.newaxis]


def _min_max(bags: Bags) -> NDArray[Any]:
    """Describe a bag by the least and the largest value of each feature."""
    starts = bags.offsets[:-1]
    parts = [f.reduceat(bags.values, starts, axis=0) for f in (np.minimum, np.maximum)]
    return np.hstack(parts)
