"""Targets and weights that may lie on an accelerator, where scikit-learn reads none."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from torch import Tensor

from .inputs import as_host_array

__all__ = ["ScoredClassifier", "ScoredRegressor", "on_host"]


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


class ScoredClassifier(ClassifierMixin):
    """A classifier's score, which reads tensors of any device.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn import NetClassifier
    >>> model = NetClassifier(max_epochs=1).fit([[0.0], [1.0]], [0, 1])
    >>> 0 <= model.score(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])) <= 1
    True
    """

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of :meth:`predict`.

        Parameters
        ----------
        X : array-like
            Samples, as in :meth:`predict`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            Between 0 and 1; of several labels a sample, all have to be right.
        """
        return float(super().score(X, on_host(y), on_host(sample_weight)))


class ScoredRegressor(RegressorMixin):
    """A regressor's score, which reads tensors of any device.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn import NetRegressor
    >>> model = NetRegressor(max_epochs=1).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> model.score(torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 1.0])) <= 1
    True
    """

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination of :meth:`predict`.

        Parameters
        ----------
        X : array-like
            Samples, as in :meth:`predict`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their true values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            At most 1; 0 for the mean of `y`, and lower for what is worse.
        """
        return float(super().score(X, on_host(y), on_host(sample_weight)))
