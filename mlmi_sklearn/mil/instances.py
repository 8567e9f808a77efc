"""What a bag classifier says about single instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base import TorchEstimator
from ..base.classification import has_probabilities, probabilities
from ..containers import Bags

__all__ = ["InstanceOutputs"]

Array = NDArray[Any]


class InstanceOutputs(TorchEstimator):
    """Mixin: scores, classes, probabilities and attention of instances.

    All methods return a list with one array a bag, or one array for all instances
    with ``flat=True``, in the order of ``Bags.values``.
    """

    # From the mixin for classifiers that is always beside this one.
    link_: str
    _multi_label: bool
    _decide: Callable[[Array], Array]

    def instance_scores(self, X: Any, *, flat: bool = False) -> Any:
        """Compute raw scores of instances, each taken as a bag of its own.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,) or (n_instances, n_classes)
            One array a bag; one array in all with ``flat=True``. Two classes have one
            score. With ``pooling="max"``, the score of a bag is exactly the maximum.
        """
        raw, bags = self._compute(X, "instance_scores")
        single = raw.shape[1] == 1 and not self._multi_label
        return _split(raw[:, 0] if single else raw, bags, flat)

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
        list of ndarray of shape (n_instances,)
            Elements of ``classes_``, one array a bag; one in all with ``flat=True``.
        """
        scores = self.instance_scores(X)
        classes = [self._decide(s) for s in scores]
        return np.concatenate(classes) if flat else classes

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
        return _split(probabilities(raw, self.link_), bags, flat)

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
        return _split(weights, bags, flat)

    def _compute(self, X: Any, method: str) -> tuple[Array, Bags]:
        """Run a method of the module over bags; return its rows and the bags.

        Batches and precision are those of ``decision_function``, so that what is
        computed twice is equal to the last bit.
        """
        check_is_fitted(self)
        bags = self._read_inputs(X, reset=False)
        return self._outputs(bags, method), bags


def _split(rows: Array, bags: Bags, flat: bool) -> Array | Sequence[Array]:
    return rows if flat else np.split(rows, np.cumsum(bags.lengths)[:-1])
