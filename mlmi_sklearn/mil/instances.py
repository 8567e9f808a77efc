"""What an estimator for bags says about single instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base import TorchEstimator
from ..base.classification import has_probabilities
from ..containers import Bags

__all__ = ["InstanceClasses", "InstanceOutputs"]

Array = NDArray[Any]


class InstanceOutputs(TorchEstimator):
    """Mixin: scores and attention of instances.

    All methods return a list with one array a bag, or one array for all instances
    with ``flat=True``, in the order of ``Bags.values``.
    """

    def instance_scores(self, X: Any, *, flat: bool = False) -> Any:
        """Compute scores of instances, each taken as a bag of its own.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,) or (n_instances, n_outputs)
            One array a bag; one array in all with ``flat=True``. Raw scores of
            classes, of which two have one score; predictions of a regressor. With
            ``pooling="max"``, the score of a bag is exactly the maximum. Poolings that
            see instances in context, such as the transformer, score them there.
        """
        raw, bags = self._compute(X, "instance_scores")
        return split(self._as_scores(raw), bags, flat)

    def attention(self, X: Any, *, flat: bool = False) -> Any:
        """Compute how much each instance had to do with the score of its bag.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,)
            Weights that sum to one in each bag; one array in all with ``flat=True``.
            For ``pooling="max"`` the share of classes in which an instance attains
            the maximum.
        """
        weights, bags = self._compute(X, "attend")
        return split(weights, bags, flat)

    def _as_scores(self, raw: Array) -> Array:
        """Turn raw outputs for instances into what users call scores."""
        return raw

    def _compute(self, X: Any, method: str) -> tuple[Array, Bags]:
        """Run a method of the module over bags; return its rows and the bags.

        Batches and precision are those of ``decision_function``, so that what is
        computed twice is equal to the last bit.
        """
        check_is_fitted(self)
        bags = self._read_inputs(X, reset=False)
        return self._outputs(bags, method), bags


class InstanceClasses(InstanceOutputs):
    """Mixin: scores, classes, probabilities and attention of instances."""

    # From the mixin for classifiers that is always beside this one.
    _multi_label: bool
    _decide: Callable[[Array], Array]
    _to_probabilities: Callable[[Array], Array]

    def predict_instances(self, X: Any, *, flat: bool = False) -> Any:
        """Predict classes of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,) or (n_instances, n_labels)
            One array a bag; one array in all with ``flat=True``.
        """
        raw, bags = self._compute(X, "instance_scores")
        return split(self._decide(self._as_scores(raw)), bags, flat)

    @available_if(has_probabilities)
    def predict_instances_proba(self, X: Any, *, flat: bool = False) -> Any:
        """Predict probabilities of classes of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances, n_classes)
            In the order of ``classes_``, one array a bag; one in all with
            ``flat=True``.
        """
        raw, bags = self._compute(X, "instance_scores")
        return split(self._to_probabilities(raw), bags, flat)

    def _as_scores(self, raw: Array) -> Array:
        return raw[:, 0] if raw.shape[1] == 1 and not self._multi_label else raw


def split(rows: Array, bags: Bags, flat: bool) -> Array | Sequence[Array]:
    """Cut rows of instances into bags, unless they are wanted flat."""
    return rows if flat else np.split(rows, np.cumsum(bags.lengths)[:-1])
