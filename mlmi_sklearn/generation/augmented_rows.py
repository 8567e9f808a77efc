"""Which real rows give synthetic ones their targets, and their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .resampling import samples_to_add

__all__ = ["balancing_rows", "proportional_rows"]

Array = NDArray[Any]


def proportional_rows(y: Array, n: int, source: np.random.Generator) -> Array:
    """Choose rows whose targets are distributed as all targets are.

    Rows are put in the order of their targets, rows of one class at random, and then
    taken at equal distances: every class gets its share to within one row, and
    quantities keep their distribution.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, k)
        Targets; of several columns the order is random.
    n : int
        How many rows. As many as there are: each of them once.
    source : numpy.random.Generator
        Random numbers.

    Returns
    -------
    ndarray of int of shape (n,)
        Rows, in random order.

    Examples
    --------
    >>> y = np.array(["a"] * 6 + ["b"] * 3)
    >>> rows = proportional_rows(y, 12, np.random.default_rng(0))
    >>> np.unique(y[rows], return_counts=True)[1].tolist()
    [8, 4]
    """
    order = source.permutation(len(y))
    if y.ndim == 1:
        codes = np.unique(y, return_inverse=True)[1]
        order = order[np.argsort(codes[order], kind="stable")]
    at = (np.arange(n) + source.random()) * (len(y) / max(n, 1))
    return source.permutation(order[np.minimum(at.astype(np.intp), len(y) - 1)])


def balancing_rows(y: Array, share: float, source: np.random.Generator) -> Array:
    """Choose rows of the smaller classes, so many as they lack.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Classes.
    share : float
        Share of what a class lacks to the size of the largest one, in [0, 1].
    source : numpy.random.Generator
        Random numbers.

    Returns
    -------
    ndarray of int
        Rows; none is chosen again before all of its class were.

    Examples
    --------
    >>> y = np.array([0] * 7 + [1] * 3 + [2] * 5)
    >>> rows = balancing_rows(y, 1.0, np.random.default_rng(0))
    >>> np.unique(y[rows], return_counts=True)
    (array([1, 2]), array([4, 2]))
    """
    chosen = [np.empty(0, np.intp)]
    for label, missing in samples_to_add("auto", y).items():
        own = np.flatnonzero(y == label)
        n = round(share * missing)
        chosen.append(own[proportional_rows(y[own], n, source)])
    return np.concatenate(chosen)
