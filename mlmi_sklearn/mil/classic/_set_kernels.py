"""Sums of a kernel over pairs of instances, one number for each pair of bags."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import pairwise_kernels

from ...containers import Bags
from ._blocks import BUDGET, bag_blocks, reduce_rows, starts_of

__all__ = [
    "KERNELS",
    "NORMALIZATIONS",
    "instance_kernel",
    "normalized",
    "self_kernels",
    "summed",
]

Array = NDArray[Any]
InstanceKernel = Callable[[Any, Any], Array]

KERNELS = ("rbf", "linear", "poly", "laplacian", "cosine")
NORMALIZATIONS = ("feature-space", "average")

# What each named kernel takes.
_TAKES: dict[str, tuple[str, ...]] = {
    "rbf": ("gamma",),
    "laplacian": ("gamma",),
    "poly": ("gamma", "degree", "coef0"),
}


def instance_kernel(kernel: Any, **params: float) -> InstanceKernel:
    """Return the kernel between instances.

    Parameters
    ----------
    kernel : str or callable
        A name in ``KERNELS``, or a function of two matrices that returns theirs.
    **params : float
        ``gamma``, ``degree`` and ``coef0``, for the kernels that have them.

    Returns
    -------
    callable
        Maps (n, d) and (m, d) to (n, m).
    """
    if callable(kernel):
        return kernel
    used = {name: params[name] for name in _TAKES.get(kernel, ())}
    return partial(pairwise_kernels, metric=kernel, **used)


def summed(first: Bags, second: Bags, kernel: InstanceKernel) -> Array:
    """Sum the kernel over all pairs of instances of two bags, for all pairs of bags.

    Parameters
    ----------
    first, second : Bags
        Validated bags of vectors.
    kernel : callable
        See :func:`instance_kernel`.

    Returns
    -------
    ndarray of shape (n_bags_first, n_bags_second)
        float64; blocks of pairs of instances are all that is in memory.
    """
    values, points = first.values, second.values
    out = np.empty((len(first), len(second)))
    for bags, columns in bag_blocks(second.lengths, 8192):
        near, starts = points[columns], starts_of(second.lengths[bags])

        def sums(rows: slice, near: Any = near, starts: Array = starts) -> Array:
            # float32 sums over large bags would lose digits.
            pairs = np.asarray(kernel(values[rows], near))
            return np.add.reduceat(pairs, starts, axis=1, dtype=np.float64)

        chunk = BUDGET // near.shape[0]
        out[:, bags] = reduce_rows(np.add, first.lengths, sums, chunk)
    return out


def self_kernels(bags: Bags, kernel: InstanceKernel) -> Array:
    """Sum the kernel over all pairs of instances within each bag.

    Parameters
    ----------
    bags : Bags
        Validated bags of vectors.
    kernel : callable
        See :func:`instance_kernel`.

    Returns
    -------
    ndarray of shape (n_bags,)
        float64.
    """
    # Small bags share a block, which costs less than a call each.
    values, out = bags.values, np.empty(len(bags))
    for chosen, rows in bag_blocks(bags.lengths, 256):
        block = Bags(values[rows], bags.lengths[chosen])
        out[chosen] = np.diagonal(summed(block, block, kernel))
    return out


def normalized(
    sums: Array, first: Array, second: Array, normalization: str | None
) -> Array:
    """Divide sums over pairs of instances by what the normalisation asks for.

    Parameters
    ----------
    sums : ndarray of shape (n_bags_first, n_bags_second)
        Sums of the kernel.
    first, second : ndarray of shape (n_bags_first,) and (n_bags_second,)
        Lengths of the bags for ``"average"``, their kernels with themselves for
        ``"feature-space"``.
    normalization : {"feature-space", "average"} or None
        None leaves the sums as they are.

    Returns
    -------
    ndarray of shape (n_bags_first, n_bags_second)
        The kernel between bags.
    """
    if normalization is None:
        return sums
    first, second = (x.astype(np.float64) for x in (first, second))
    if normalization == "feature-space":
        first, second = np.sqrt(np.maximum(first, 0)), np.sqrt(np.maximum(second, 0))
    # A bag with no norm has kernel zero with every other.
    first[first == 0], second[second == 0] = 1.0, 1.0
    return sums / first[:, np.newaxis] / second
