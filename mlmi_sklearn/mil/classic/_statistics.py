"""Statistics of the instances of each bag, of dense and of CSR instances.

Each function takes the instances and the lengths of a block of bags and returns an
array of shape (n_bags, n_features). CSR instances are never expanded: what is not
stored is a zero, of which every bag has a known number in every feature.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ._blocks import by_length, starts_of

__all__ = ["STATISTICS", "compute", "quantile_of"]

Array = NDArray[Any]


def quantile_of(statistic: Any) -> float | None:
    """Return the quantile that a statistic asks for, or None.

    Parameters
    ----------
    statistic : str or float
        ``0.25``, ``"q25"``, ``"q2.5"`` or ``"median"``.

    Returns
    -------
    float or None
        Between 0 and 1; None for statistics of another kind.

    Examples
    --------
    >>> quantile_of("q2.5"), quantile_of(0.9), quantile_of("max"), quantile_of("q101")
    (0.025, 0.9, None, None)
    """
    if statistic == "median":
        return 0.5
    try:
        named = isinstance(statistic, str) and statistic[:1] == "q"
        level = float(statistic[1:]) / 100 if named else float(statistic)
    except (TypeError, ValueError):
        return None
    allowed = named or not isinstance(statistic, str | bool)
    return level if allowed and 0 <= level <= 1 else None


def compute(statistic: Any, values: Any, lengths: Array) -> Array:
    """Compute one statistic of every bag.

    Parameters
    ----------
    statistic : str or float
        A name in ``STATISTICS`` or a quantile.
    values : ndarray or CSR matrix of shape (n_instances, n_features)
        Instances, one bag after another.
    lengths : ndarray of int of shape (n_bags,)
        Instances in each bag.

    Returns
    -------
    ndarray of shape (n_bags, n_features)
        One row a bag; a single column for ``"count"``.
    """
    level = quantile_of(statistic)
    if level is None:
        return STATISTICS[statistic](values, lengths)
    function = _sparse_quantile if sparse.issparse(values) else _quantile
    return function(values, lengths, level)


def _extreme(values: Any, lengths: Array, ufunc: np.ufunc) -> Array:
    if not sparse.issparse(values):
        return ufunc.reduceat(values, starts_of(lengths), axis=0)
    cells, data, out = _cells(values, lengths)
    if not len(cells):
        return out
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    best = ufunc.reduceat(data, first)
    stored = np.diff(first, append=len(cells))
    where = cells[first]
    some_zero = stored < lengths[where // values.shape[1]]
    out.reshape(-1)[where] = np.where(some_zero, ufunc(best, 0), best)
    return out


def _cells(values: Any, lengths: Array) -> tuple[Array, Array, Array]:
    """Return stored numbers sorted by (bag, feature), and zeros for the result."""
    bag = np.repeat(np.arange(len(lengths)), lengths)
    per_row = np.diff(values.indptr)
    cells = np.repeat(bag, per_row) * values.shape[1] + values.indices
    order = np.argsort(cells, kind="stable")
    out = np.zeros((len(lengths), values.shape[1]), dtype=values.dtype)
    return cells[order], values.data[order], out


def _sum(values: Any, lengths: Array) -> Array:
    if sparse.issparse(values):
        columns, offsets = np.arange(lengths.sum()), np.r_[0, lengths.cumsum()]
        members = sparse.csr_array((np.ones(len(columns)), columns, offsets))
        return (members @ values).toarray()
    # float32 sums of many instances would lose digits.
    return np.add.reduceat(values, starts_of(lengths), axis=0, dtype=np.float64)


def _mean(values: Any, lengths: Array) -> Array:
    return _sum(values, lengths) / lengths[:, np.newaxis]


def _variance(values: Any, lengths: Array) -> Array:
    mean = _mean(values, lengths)
    if not sparse.issparse(values):
        return _mean((values - np.repeat(mean, lengths, axis=0)) ** 2, lengths)
    cells, data, _ = _cells(values, lengths)
    squares = (data - mean.reshape(-1)[cells]) ** 2
    total = np.bincount(cells, squares, minlength=mean.size).reshape(mean.shape)
    stored = np.bincount(cells, minlength=mean.size).reshape(mean.shape)
    return (total + (lengths[:, np.newaxis] - stored) * mean**2) / lengths[:, None]


def _deviation(values: Any, lengths: Array) -> Array:
    return np.sqrt(_variance(values, lengths))


def _count(values: Any, lengths: Array) -> Array:
    return lengths[:, np.newaxis].astype(np.float64)


def _quantile(values: Array, lengths: Array, level: float) -> Array:
    out = np.empty((len(lengths), values.shape[1]), dtype=values.dtype)
    for bags, rows in by_length(lengths):
        out[bags] = np.quantile(values[rows], level, axis=1)
    return out


def _sparse_quantile(values: Any, lengths: Array, level: float) -> Array:
    out = np.zeros((len(lengths), values.shape[1]), dtype=values.dtype)
    for bag, start in enumerate(starts_of(lengths).tolist()):
        rows = values[start : start + int(lengths[bag])]
        used = np.unique(rows.indices)
        if len(used):
            out[bag, used] = np.quantile(rows[:, used].toarray(), level, axis=0)
    return out


STATISTICS: dict[str, Any] = {
    "min": partial(_extreme, ufunc=np.minimum),
    "max": partial(_extreme, ufunc=np.maximum),
    "mean": _mean,
    "std": _deviation,
    "var": _variance,
    "sum": _sum,
    "count": _count,
}
"""What each named statistic computes; quantiles come on top."""
