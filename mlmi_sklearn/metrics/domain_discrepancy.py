"""Distances of samples without a classifier: kernels, covariances, projections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.extmath import safe_sparse_dot

from mlmi_sklearn.metrics._domain_arrays import check_pair, in_order

__all__ = ["coral_distance", "mmd", "sliced_wasserstein"]

# Rows of either domain that the median of distances is taken of.
MEDIAN_ROWS = 1000
# Entries of a kernel that are held at a time.
BLOCK = 2**22


def mmd(
    Xs: Any,
    Xt: Any,
    *,
    bandwidth: str | float | Sequence[float] = "median",
    unbiased: bool = False,
    squared: bool = False,
) -> float:
    r"""Maximum mean discrepancy under a Gaussian kernel.

    The distance of the means of two samples in the space of the kernel,

    .. math:: k(x, x') = \exp(-\|x - x'\|^2 / (2 \sigma^2)).

    Parameters
    ----------
    Xs : array-like or sparse matrix of shape (n, ...)
        Source. Images and the like are flattened.
    Xt : array-like or sparse matrix of shape (m, ...)
        Target, with the same features.
    bandwidth : "median", float or sequence of float, default="median"
        Width sigma of the kernel in units of the features. Of several, the mean of
        the kernels is taken. "median" is the median distance of all rows, of at most
        1,000 a domain, and 1 where that is zero.
    unbiased : bool, default=False
        Whether to leave out the pairs of a row with itself. The estimate of the square
        then has the right mean and may fall below zero; without, it is never below
        zero and too large by about ``(1 / n + 1 / m)``.
    squared : bool, default=False
        Whether to return the square.

    Returns
    -------
    float
        0 for equal samples and at most ``sqrt(2)`` with the defaults. With `unbiased`,
        a negative square counts as 0 unless `squared` is set.

    Raises
    ------
    ValueError
        If features differ, a width is not positive, or `unbiased` is set and a sample
        has one row.

    Notes
    -----
    Time grows with ``(n + m) ** 2``; memory does not.

    References
    ----------
    Gretton et al., "A kernel two-sample test", JMLR 13, 2012, equations 3 and 5.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import mmd
    >>> mmd([[0.0], [1.0]], [[0.0], [1.0]])
    0.0
    >>> round(mmd([[0.0], [1.0]], [[5.0], [6.0]]), 2)
    0.95
    """
    Xs, Xt = check_pair(Xs, Xt, min_rows=2 if unbiased else 1)
    first, second = (sample.X for sample in in_order(Xs, Xt))
    if not sparse.issparse(first):
        # Distances are differences of squares, which are exact near the origin only.
        centre = (first.mean(axis=0) + second.mean(axis=0)) / 2
        first, second = first - centre, second - centre
    widths = _widths(bandwidth, first, second)
    n, m = first.shape[0], second.shape[0]
    # A copy, because scikit-learn rounds otherwise where both are one array; what is
    # equal must stay equal for the distance of equal samples to be 0.
    within = [_kernel_sum(X, X.copy(), widths) for X in (first, second)]
    across = _kernel_sum(first, second, widths) / (n * m)
    if unbiased:
        square = (within[0] - n) / (n * (n - 1)) + (within[1] - m) / (m * (m - 1))
    else:
        square = within[0] / n**2 + within[1] / m**2
    square -= 2 * across
    if abs(square) < 1e-14:  # rounding; the kernel is at most 1
        square = 0.0
    if not unbiased:
        square = max(square, 0.0)
    return float(square if squared else np.sqrt(max(square, 0.0)))


def coral_distance(Xs: Any, Xt: Any) -> float:
    r"""CORAL distance: how far the covariances of two samples lie apart.

    .. math:: \frac{1}{4 d^2} \| C_S - C_T \|_F^2

    with sample covariances of d features. Means do not count.

    Parameters
    ----------
    Xs : array-like or sparse matrix of shape (n, ...)
        Source, two rows at least. Images and the like are flattened.
    Xt : array-like or sparse matrix of shape (m, ...)
        Target, with the same features.

    Returns
    -------
    float
        At least 0, in the fourth power of the unit of the features.

    Raises
    ------
    ValueError
        If a sample has fewer than two rows, or features differ.

    References
    ----------
    Sun and Saenko, "Deep CORAL", ECCV workshops 2016, equation 1.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import coral_distance
    >>> coral_distance([[0.0], [2.0]], [[5.0], [7.0]])
    0.0
    >>> coral_distance([[0.0], [2.0]], [[0.0], [4.0]])  # variances 2 and 8
    9.0
    """
    Xs, Xt = check_pair(Xs, Xt, min_rows=2)
    difference = _covariance(Xs) - _covariance(Xt)
    return float(np.sum(difference**2) / (4 * difference.shape[0] ** 2))


def sliced_wasserstein(
    Xs: Any,
    Xt: Any,
    *,
    n_projections: int = 100,
    p: float = 2,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    r"""Sliced Wasserstein distance: optimal transport along random directions.

    .. math:: \Bigl(\frac{1}{K} \sum_k W_p(X_S \theta_k, X_T \theta_k)^p\Bigr)^{1/p}

    for K directions drawn evenly from the unit sphere. In one dimension the best
    transport joins quantiles, so it is exact and needs a sort only.

    Parameters
    ----------
    Xs : array-like or sparse matrix of shape (n, ...)
        Source. Images and the like are flattened.
    Xt : array-like or sparse matrix of shape (m, ...)
        Target, with the same features.
    n_projections : int, default=100
        Number K of directions.
    p : float, default=2
        Exponent of the cost, 1 at least.
    random_state : int, RandomState instance or None, default=0
        Draws the directions.

    Returns
    -------
    float
        At least 0, in the unit of the features.

    Raises
    ------
    ValueError
        If features differ, or a parameter is out of range.

    References
    ----------
    Bonneel et al., "Sliced and Radon Wasserstein barycenters of measures", Journal of
    Mathematical Imaging and Vision 51, 2015.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import sliced_wasserstein
    >>> sliced_wasserstein([[0.0], [1.0]], [[3.0], [4.0]])
    3.0
    """
    if n_projections < 1:
        raise ValueError(f"n_projections must be 1 at least, got {n_projections!r}.")
    if not 1 <= p < np.inf:
        raise ValueError(f"p must be 1 at least and finite, got {p!r}.")
    Xs, Xt = check_pair(Xs, Xt)
    directions = check_random_state(random_state).normal(
        size=(Xs.shape[1], n_projections)
    )
    directions /= np.linalg.norm(directions, axis=0)
    one, two = (np.sort(safe_sparse_dot(X, directions), axis=0) for X in (Xs, Xt))
    n, m = len(one), len(two)
    # Levels at which either quantile function jumps, as whole numbers out of n * m.
    levels = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    mass = np.diff(levels, prepend=0) / (n * m)
    cost = np.abs(one[(levels - 1) // m] - two[(levels - 1) // n]) ** p
    return float(np.mean(mass @ cost) ** (1 / p))


def _widths(bandwidth: Any, first: Any, second: Any) -> NDArray[np.float64]:
    """Return the widths of the kernels."""
    if isinstance(bandwidth, str):
        if bandwidth != "median":
            raise ValueError(
                f'bandwidth must be "median", a number or several, got {bandwidth!r}.'
            )
        return np.array([_median_distance(first, second)])
    widths = np.atleast_1d(np.asarray(bandwidth, dtype=float))
    if widths.ndim != 1 or not len(widths) or not np.all(widths > 0):
        raise ValueError(f"bandwidth must be positive, got {bandwidth!r}.")
    return widths


def _median_distance(first: Any, second: Any) -> float:
    """Return the median distance of different rows of both samples; 1 if it is 0."""
    parts = []
    for X in (first, second):
        few = np.linspace(0, X.shape[0] - 1, min(X.shape[0], MEDIAN_ROWS)).astype(int)
        parts.append(X[few])
    pooled = sparse.vstack(parts) if sparse.issparse(first) else np.concatenate(parts)
    distances = euclidean_distances(pooled)
    median = np.median(distances[np.triu_indices_from(distances, k=1)])
    return float(median) if median > 0 else 1.0


def _kernel_sum(A: Any, B: Any, widths: NDArray[np.float64]) -> float:
    """Return the sum of the mean kernel over all pairs of rows, a block at a time."""
    total = 0.0
    for rows in gen_batches(A.shape[0], max(1, BLOCK // B.shape[0])):
        total += sum(
            float(rbf_kernel(A[rows], B, gamma=1 / (2 * width**2)).sum())
            for width in widths
        )
    return total / len(widths)


def _covariance(X: Any) -> NDArray[np.float64]:
    """Return the sample covariance of the columns."""
    mean = np.asarray(X.mean(axis=0)).ravel()
    if not sparse.issparse(X):
        centred = X - mean
        return centred.T @ centred / (len(X) - 1)
    n = X.shape[0]
    return (X.T @ X).toarray() / (n - 1) - np.outer(mean, mean) * (n / (n - 1))
