"""What classifiers that pool scores of instances say about bags and instances."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from ...base.host import ScoredClassifier
from ...base.naming import naming
from ...containers import Bags
from ..inputs import holds_bags
from ._template import read_vectors
from .assumptions import BagRule

__all__ = ["BagOutputs", "distance"]

Array = NDArray[Any]


class BagOutputs(ScoredClassifier):
    """Mixin: scores, classes and probabilities of bags and of their instances.

    The score of a bag is ``slope * (pooled score - threshold)``, that of an instance
    the same without pooling.
    """

    classes_: Array
    _cut: Array
    _slope: Array
    _saw_bags: bool
    _scorer: Any

    @abstractmethod
    def _rule(self) -> BagRule: ...

    @abstractmethod
    def _raw_scores(self, scorer: Any, values: Any) -> Array: ...

    def decision_function(self, X: Any) -> Array:
        """Compute scores of bags.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags,) or (n_bags, n_classes)
            Distance of the pooled score from the threshold, times a slope that makes
            it the log-odds of :meth:`predict_proba`. Two classes have one score, above
            zero for ``classes_[1]``.
        """
        return _squeezed(self._decisions(X))

    def predict(self, X: Any) -> Array:
        """Predict classes of bags.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags,)
            Elements of ``classes_``.
        """
        return self._classes_of(self._decisions(X))

    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities of classes of bags.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags, n_classes)
            ``1 / (1 + exp(-decision))``, rows summing to one. With ``threshold="cv"``
            the slope was fitted to bags out of fold; otherwise it is that of the
            classifier of instances.
        """
        return _probabilities(self._decisions(X))

    def instance_scores(self, X: Any, *, flat: bool = False) -> Any:
        """Compute scores of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,) or (n_instances, n_classes)
            One array a bag, one array in all with ``flat=True``; on the scale of
            :meth:`decision_function`. Where the maximum is pooled, the score of a bag
            is exactly the maximum.
        """
        scores, bags = self._instance_decisions(X)
        return _split(_squeezed(scores), bags, flat)

    def predict_instances(self, X: Any, *, flat: bool = False) -> Any:
        """Predict classes of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,)
            Elements of ``classes_``, one array a bag; one in all with ``flat=True``.
        """
        scores, bags = self._instance_decisions(X)
        return _split(self._classes_of(scores), bags, flat)

    def predict_instances_proba(self, X: Any, *, flat: bool = False) -> Any:
        """Predict probabilities of classes of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances, n_classes)
            In the order of ``classes_``, one array a bag; one in all with
            ``flat=True``. The slope is that of bags, so an instance that makes a bag
            positive by itself is as probable as the bag.
        """
        scores, bags = self._instance_decisions(X)
        return _split(_probabilities(scores), bags, flat)

    def _bounds(self, scorer: Any, bags: Bags) -> tuple[Array, Array]:
        return self._rule().bounds(self._raw_scores(scorer, bags.values), bags.lengths)

    def _decisions(self, X: Any) -> Array:
        bags = self._read(X)
        with naming("X"):  # what was trained on dense rows may refuse sparse ones
            low, high = self._bounds(self._scorer, bags)
        return distance(low, high, self._cut, self._slope)

    def _instance_decisions(self, X: Any) -> tuple[Array, Bags]:
        bags = self._read(X)
        with naming("X"):
            raw = self._raw_scores(self._scorer, bags.values)
        return self._slope * (raw - self._cut), bags

    def _classes_of(self, decisions: Array) -> Array:
        if decisions.shape[1] == 1:
            return self.classes_[(decisions[:, 0] > 0).astype(int)]
        return self.classes_[decisions.argmax(axis=1)]

    def _read(self, X: Any) -> Bags:
        check_is_fitted(self)
        bags = read_vectors(self, X, reset=False)
        if self._saw_bags and not holds_bags(X):
            warnings.warn(
                f"X is a table, so each of its {len(bags)} rows is read as a bag of "
                "one instance, but the model was fitted on bags. For a single bag pass "
                "[X]; for instances use predict_instances.",
                UserWarning,
                stacklevel=4,
            )
        return bags


def distance(low: Array, high: Array, cut: Any, slope: Any) -> Array:
    """Compute how far inside an interval a threshold lies.

    Parameters
    ----------
    low, high : ndarray
        The intervals.
    cut : float or ndarray
        The threshold.
    slope : float or ndarray
        Factor for the distances.

    Returns
    -------
    ndarray
        Distances to the nearer end, negative outside.
    """
    return np.minimum(slope * (high - cut), slope * (cut - low))


def _probabilities(decisions: Array) -> Array:
    if decisions.shape[1] == 1:
        return np.hstack([expit(-decisions), expit(decisions)])
    # Far below zero all underflow together; shifting the rest keeps their ratios.
    log_p = -np.logaddexp(0.0, -decisions)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def _squeezed(decisions: Array) -> Array:
    return decisions[:, 0] if decisions.shape[1] == 1 else decisions


def _split(rows: Array, bags: Bags, flat: bool) -> Any:
    return rows if flat else np.split(rows, np.cumsum(bags.lengths)[:-1])
