"""What an ensemble says about single instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..metrics import instance_outputs

__all__ = ["EnsembleInstances"]

Array = NDArray[Any]


def _members_have(method: str) -> Callable[[Any], bool]:
    """Return the condition that members, or their last steps, have a method."""

    def check(ensemble: Any) -> bool:
        fitted = getattr(ensemble, "estimators_", None)
        inner = fitted[0] if fitted else ensemble._inner()
        while isinstance(inner, Pipeline) and not hasattr(inner, method):
            inner = inner.steps[-1][1]
        return hasattr(inner, method)

    return check


class EnsembleInstances:
    """Mixin: means over members of what they say about instances.

    The methods exist where the members, or the last steps of members that are
    pipelines, have them. They return a list with one array a bag, or one array for
    all instances with ``flat=True``.
    """

    estimators_: list[Any]
    _decide: Callable[[Array], Array]

    @available_if(_members_have("instance_scores"))
    def instance_scores(self, X: Any, *, flat: bool = False) -> Any:
        """Compute the mean over members of raw scores of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,) or (n_instances, n_classes)
            One array a bag; one array in all with ``flat=True``.
        """
        return self._mean("instance_scores", X, flat)

    @available_if(_members_have("predict_instances_proba"))
    def predict_instances_proba(self, X: Any, *, flat: bool = False) -> Any:
        """Compute the mean over members of probabilities of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances, n_classes)
            In the order of ``classes_``.
        """
        return self._mean("predict_instances_proba", X, flat)

    @available_if(_members_have("predict_instances_proba"))
    def predict_instances(self, X: Any, *, flat: bool = False) -> Any:
        """Predict classes of instances from the mean probabilities.

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
        proba, lengths = self._flat_mean("predict_instances_proba", X)
        return _split(self._decide(proba), lengths, flat)

    @available_if(_members_have("attention"))
    def attention(self, X: Any, *, flat: bool = False) -> Any:
        """Compute the mean over members of the weights of instances.

        Parameters
        ----------
        X : Bags or other bags
            As in ``fit``.
        flat : bool, default=False
            Whether to return one array for all instances.

        Returns
        -------
        list of ndarray of shape (n_instances,)
            Weights that sum to one in each bag.
        """
        return self._mean("attention", X, flat)

    def _mean(self, method: str, X: Any, flat: bool) -> Any:
        values, lengths = self._flat_mean(method, X)
        return _split(values, lengths, flat)

    def _flat_mean(self, method: str, X: Any) -> tuple[Array, list[int]]:
        """Return the mean over members for all instances, and the sizes of bags."""
        members, lengths = self._members_on_instances(method, X)
        return members.mean(axis=0), lengths

    def _members_on_instances(self, method: str, X: Any) -> tuple[Array, list[int]]:
        """Return what each member says about all instances, and the sizes of bags."""
        check_is_fitted(self)
        said = [instance_outputs(member, X, method) for member in self.estimators_]
        lengths = [len(bag) for bag in said[0]]
        return np.stack([np.concatenate(bags) for bags in said]), lengths


def _split(values: Array, lengths: list[int], flat: bool) -> Any:
    return values if flat else np.split(values, np.cumsum(lengths)[:-1])
