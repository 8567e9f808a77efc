"""One scale for all features, the same for dense and for sparse instances."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from ._blocks import BUDGET, row_chunks

__all__ = ["InstanceScaler"]

Array = NDArray[Any]


class InstanceScaler(TransformerMixin, BaseEstimator):
    """Standardise features; those that are mostly zero keep their zeros.

    Equal numbers are scaled alike whether they are dense or CSR, and CSR stays sparse.
    A feature that is zero in at least half of the instances (by weight) is divided by
    its largest absolute value, so that it does not weigh more for being rare, as it
    would after division by its deviation. Any other feature gets zero mean and unit
    variance, which at most doubles what a CSR matrix stores.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,)
        What is subtracted: means, or zero for features that are mostly zero.
    scale_ : ndarray of shape (n_features,)
        What features are divided by: standard deviations, 1 for constant features;
        largest absolute values of features that are mostly zero.

    Examples
    --------
    >>> values = np.array([[0.0, 5.0], [0.0, 9.0], [4.0, 5.0], [0.0, 9.0]])
    >>> scaler = InstanceScaler().fit(values)
    >>> scaler.center_
    array([0., 7.])
    >>> scaler.transform(values)[2].round(3)
    array([ 1., -1.])
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Array | None = None) -> Self:
        """Learn centres and scales.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_instances, n_features)
            Instances.
        y : object, default=None
            Ignored.
        sample_weight : ndarray of shape (n_instances,), default=None
            Positive weights of instances.

        Returns
        -------
        InstanceScaler
            The fitted transformer.
        """
        weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
        # StandardScaler takes them to the precision of X, where tiny ones are zero.
        weight = np.ldexp(weight, -np.frexp(weight.max())[1])
        plain = StandardScaler(with_mean=False).fit(X, sample_weight=weight)
        share = _weight_of_entries(X, weight) / weight.sum()
        mostly_zero = share <= 0.5
        largest = MaxAbsScaler().fit(X).scale_
        self.center_ = np.where(mostly_zero, 0.0, plain.mean_)
        self.scale_ = np.where(mostly_zero, largest, plain.scale_)
        return self

    def transform(self, X: Any) -> Any:
        """Bring features to one scale.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_instances, n_features)
            Instances.

        Returns
        -------
        ndarray or CSR matrix
            A copy, of the same shape and type.
        """
        dtype = X.dtype
        if not sparse.issparse(X):
            return ((X - self.center_) / self.scale_).astype(dtype, copy=False)
        shifted = _shifted(X, self.center_).astype(dtype, copy=True)
        shifted.data /= self.scale_[shifted.indices].astype(dtype, copy=False)
        return shifted


def _weight_of_entries(X: Any, weight: Array) -> Array:
    """Return the weight of instances in which each feature is not zero."""
    if sparse.issparse(X):
        heavy = np.repeat(weight, np.diff(X.indptr))
        return np.bincount(X.indices, heavy * (X.data != 0), X.shape[1])
    total = np.zeros(X.shape[1])
    for rows in row_chunks(X.shape[0], max(1, BUDGET // X.shape[1])):
        total += weight[rows] @ (X[rows] != 0)
    return total


def _shifted(X: Any, center: Array) -> Any:
    """Subtract centres from the columns of a CSR matrix that have one."""
    columns = np.flatnonzero(center)
    if not len(columns):
        return X
    rest = np.flatnonzero(center == 0)
    moved = X[:, columns].toarray() - center[columns]
    order = np.argsort(np.concatenate([rest, columns]))
    both = sparse.hstack([X[:, rest], sparse.csr_array(moved)], format="csr")
    return type(X)(both[:, order])
