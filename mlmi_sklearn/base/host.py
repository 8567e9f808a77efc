"""Targets and weights that may lie on an accelerator, where scikit-learn reads none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from .inputs import as_host_array

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin as Host
else:  # a mixin before that of scikit-learn: either one that has a score
    Host = object

__all__ = ["Scored", "on_host"]


def on_host(values: Any) -> Any:
    """Return what numpy reads as it is meant: tensors on the host, masks as NaN.

    Parameters
    ----------
    values : object
        Any argument.

    Returns
    -------
    object
        An array for a tensor or masked array; all else as given.

    Examples
    --------
    >>> import torch
    >>> on_host(torch.ones(2)), on_host(None), on_host([1])
    (array([1., 1.], dtype=float32), None, [1])
    """
    hides = isinstance(values, Tensor | np.ma.MaskedArray)
    return as_host_array(values) if hides else values


class Scored(Host):
    """Mixin, before scikit-learn's: a score that reads tensors of any device.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn import NetClassifier
    >>> model = NetClassifier(max_epochs=1).fit([[0.0], [1.0]], [0, 1])
    >>> 0 <= model.score(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])) <= 1
    True
    """

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score predictions: accuracy of a classifier, R2 of a regressor.

        Parameters
        ----------
        X : array-like
            Samples, as in ``predict``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their true targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            At most 1; higher is better.
        """
        weight = on_host(sample_weight)
        return float(super().score(X, on_host(y), sample_weight=weight))
