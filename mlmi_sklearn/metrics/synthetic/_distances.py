"""Distances of rows, a block at a time, in which equal rows are exactly 0 apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.utils import gen_batches

from mlmi_sklearn.metrics.synthetic._tables import Array

__all__ = ["TIES", "distance_blocks", "nearest", "neighbours"]

# Factor by which distances must differ to count as different.
TIES = 1.0 + 1e-9
# Entries held at a time.
_BLOCK = 2**22
# Up to so many columns differences are as fast as products, and exact.
_NARROW = 16


def distance_blocks(A: Array, B: Array) -> Iterator[tuple[slice, Array]]:
    """Yield rows of A and their distances to all rows of B.

    Parameters
    ----------
    A, B : ndarray of shape (n, d) and (m, d)
        Finite rows.

    Yields
    ------
    rows : slice
    distances : ndarray of shape (length of rows, m)
        Rows nearer than a millionth of their norm count as equal, since products of
        wide rows do not tell them apart; equal rows are 0 apart.
    """
    centre = B.mean(axis=0)
    A, B = A - centre, B - centre
    norms = np.einsum("ij,ij->i", B, B)
    for rows in gen_batches(len(A), max(1, _BLOCK // len(B))):
        block = A[rows]
        if A.shape[1] <= _NARROW:
            yield rows, cdist(block, B)
            continue
        own = np.einsum("ij,ij->i", block, block)[:, None]
        squares = own + norms - 2.0 * (block @ B.T)
        squares[squares <= 1e-12 * (own + norms)] = 0.0
        yield rows, np.sqrt(squares)


def nearest(A: Array, B: Array) -> Array:
    """Return the distance from each row of A to the nearest row of B."""
    return np.concatenate([block.min(axis=1) for _, block in distance_blocks(A, B)])


def neighbours(A: Array, B: Array, k: int, *, same: bool = False) -> Array:
    """Return distances to the k nearest rows of B, the nearest first.

    Parameters
    ----------
    A, B : ndarray of shape (n, d) and (m, d)
        Rows to start from, and rows to look for.
    k : int
        Number of neighbours.
    same : bool, default=False
        Whether A is B, and no row is a neighbour of itself.

    Returns
    -------
    ndarray of shape (n, k)
    """
    found = []
    for rows, block in distance_blocks(A, B):
        if same:
            block[
                np.arange(len(block)), np.arange(rows.start, rows.start + len(block))
            ] = np.inf
        found.append(np.sort(np.partition(block, k - 1, axis=1)[:, :k], axis=1))
    return np.concatenate(found)
