"""Bags in blocks, so that memory stays bounded whatever the number of instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BUDGET",
    "bag_blocks",
    "by_length",
    "default_gamma",
    "dense",
    "reduce_rows",
    "row_chunks",
    "starts_of",
]

Array = NDArray[Any]

BUDGET = 2**22
"""Numbers in one block of distances or instances: 32 MB of float64."""

# Relative error of a mean, summed pairwise.
_ROUNDING = 64 * np.finfo(np.float64).eps


def starts_of(lengths: Array) -> Array:
    """Return the first row of every bag."""
    return lengths.cumsum() - lengths


def bag_blocks(lengths: Array, most: int) -> Iterator[tuple[slice, slice]]:
    """Cut bags into blocks of at most ``most`` instances, at least one bag each.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_bags,)
        Instances in each bag.
    most : int
        Instances a block may hold, unless a single bag holds more.

    Yields
    ------
    bags, rows : slice
        Bags of the block and their instances.

    Examples
    --------
    >>> [bags for bags, _ in bag_blocks(np.array([2, 2, 9, 1]), 4)]
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    ends = lengths.cumsum()
    first, row = 0, 0
    while first < len(lengths):
        last = max(int(np.searchsorted(ends, row + most, side="right")), first + 1)
        yield slice(first, last), slice(row, int(ends[last - 1]))
        first, row = last, int(ends[last - 1])


def row_chunks(n_rows: int, most: int) -> Iterator[slice]:
    """Cut rows into chunks of at most ``most``, regardless of bags."""
    for start in range(0, n_rows, most):
        yield slice(start, min(start + most, n_rows))


def reduce_rows(
    ufunc: np.ufunc,
    lengths: Array,
    compute: Callable[[slice], Array],
    chunk: int,
) -> Array:
    """Reduce the rows of every bag, computing at most ``chunk`` rows at a time.

    Parameters
    ----------
    ufunc : numpy.ufunc
        ``np.minimum``, ``np.add`` and the like.
    lengths : ndarray of int of shape (n_bags,)
        Rows of each bag.
    compute : callable
        Maps a slice of rows to an array with as many rows.
    chunk : int
        Rows computed at a time; a bag may be spread over several chunks.

    Returns
    -------
    ndarray of shape (n_bags, n_columns)
        The reduced rows.
    """
    ends = lengths.cumsum()
    starts, total = ends - lengths, int(ends[-1])
    out: Array | None = None
    for rows in row_chunks(total, max(1, chunk)):
        first = int(np.searchsorted(ends, rows.start, side="right"))
        last = int(np.searchsorted(starts, rows.stop, side="left"))
        cuts = np.maximum(starts[first:last] - rows.start, 0)
        part = ufunc.reduceat(compute(rows), cuts, axis=0)
        if out is None:
            out = np.empty((len(lengths), part.shape[1]), dtype=part.dtype)
        out[first + 1 : last] = part[1:]
        begun = starts[first] < rows.start
        out[first] = ufunc(out[first], part[0]) if begun else part[0]
    assert out is not None
    return out


def by_length(lengths: Array) -> Iterator[tuple[Array, Array]]:
    """Group bags of one size, which then stack into one array.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_bags,)
        Rows of each bag.

    Yields
    ------
    bags : ndarray of int of shape (n,)
        Bags of that size.
    rows : ndarray of int of shape (n, size)
        Their rows.
    """
    starts = starts_of(lengths)
    for length in np.unique(lengths):
        bags = np.flatnonzero(lengths == length)
        yield bags, starts[bags][:, np.newaxis] + np.arange(length)


def dense(values: Any) -> Array:
    """Return instances as an array; CSR matrices are expanded."""
    return values.toarray() if hasattr(values, "toarray") else values


def default_gamma(gamma: Any, values: Any) -> float:
    """Return the width parameter of an RBF, which ``"scale"`` reads off the data.

    Parameters
    ----------
    gamma : float or "scale"
        ``"scale"`` means ``1 / (n_features * variance)``, as in
        :class:`sklearn.svm.SVC`.
    values : ndarray or CSR matrix of shape (n_instances, n_features)
        Training instances; the variance is that of all their entries.

    Returns
    -------
    float
        Above zero; 1 where all entries are equal.
    """
    if gamma != "scale":
        return float(gamma)
    if hasattr(values, "toarray"):
        size = values.shape[0] * values.shape[1]
        mean = float(values.data.sum(dtype=np.float64)) / size
        stored = values.data.astype(np.float64) - mean
        variance = (stored @ stored + (size - len(stored)) * mean**2) / size
    else:
        mean = float(values.mean(dtype=np.float64))
        variance = float(values.var(dtype=np.float64))
    # Equal entries differ from their mean by its rounding error.
    if variance <= (_ROUNDING * mean) ** 2:
        return 1.0
    return float(1.0 / (values.shape[1] * variance))
