"""The estimator; it is imported when somebody uses it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data


class {{ cookiecutter.class_name }}(ClassifierMixin, BaseEstimator):
    """Predict the class whose mean is nearest.

    Parameters
    ----------
    p : float, default=2.0
        Order of the distance.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes.
    means_ : ndarray of shape (n_classes, n_features)
        Mean of each.
    """

    def __init__(self, p: float = 2.0) -> None:
        self.p = p

    def fit(self, X: Any, y: Any) -> {{ cookiecutter.class_name }}:
        """Compute the means."""
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == k].mean(axis=0) for k in self.classes_])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the nearest class of each row."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        distances = cdist(X, self.means_, "minkowski", p=self.p)
        return self.classes_[distances.argmin(axis=1)]
