"""Distances between instances, reduced to bags without ever holding all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.extmath import row_norms

from ._blocks import BUDGET, bag_blocks, by_length, reduce_rows, row_chunks, starts_of

__all__ = ["nearest_squared", "nearest_to_bags", "smallest_of_bags"]

Array = NDArray[Any]

# Rounding of |x|^2 + |y|^2 - 2xy, in units of eps (|x|^2 + |y|^2).
_ROUNDING = 16 * np.finfo(np.float64).eps


def nearest_squared(values: Any, lengths: Array, points: Any) -> Array:
    """Squared distance of each point to the nearest instance of each bag.

    Parameters
    ----------
    values : ndarray or CSR matrix of shape (n_instances, n_features)
        Instances, one bag after another.
    lengths : ndarray of int of shape (n_bags,)
        Instances in each bag.
    points : ndarray or CSR matrix of shape (n_points, n_features)
        The points.

    Returns
    -------
    ndarray of shape (n_bags, n_points)
        Squared Euclidean distances.
    """
    norms = squared_norms(points)

    def distances(rows: slice) -> Array:
        return squared_distances(values[rows], points, norms)

    return reduce_rows(np.minimum, lengths, distances, BUDGET // points.shape[0])


def nearest_to_bags(values: Any, points: Any, lengths: Array) -> Array:
    """Squared distance of each instance to the nearest instance of each bag.

    Parameters
    ----------
    values : ndarray or CSR matrix of shape (n_instances, n_features)
        The instances.
    points : ndarray or CSR matrix of shape (n_points, n_features)
        Instances of the bags, one bag after another.
    lengths : ndarray of int of shape (n_bags,)
        Instances in each of these bags.

    Returns
    -------
    ndarray of shape (n_instances, n_bags)
        Squared Euclidean distances, float64 so that the type of the instances cannot
        break a tie.
    """
    norms = squared_norms(points)
    out = np.empty((values.shape[0], len(lengths)))
    for bags, columns in bag_blocks(lengths, 8192):
        near = points[columns].astype(np.float64, copy=False)
        starts, chunk = starts_of(lengths[bags]), max(1, BUDGET // near.shape[0])
        for rows in row_chunks(values.shape[0], chunk):
            mine = values[rows].astype(np.float64, copy=False)
            squared = squared_distances(mine, near, norms[columns])
            out[rows, bags] = np.minimum.reduceat(squared, starts, axis=1)
    return out


def smallest_of_bags(values: Array, lengths: Array, rank: int) -> Array:
    """Return the smallest number of each bag and column, or a later one in rank.

    Parameters
    ----------
    values : ndarray of shape (n_instances, n_columns)
        Numbers.
    lengths : ndarray of int of shape (n_bags,)
        Rows of each bag.
    rank : int
        1 for the smallest, 2 for the second; the largest where a bag has fewer rows.

    Returns
    -------
    ndarray of shape (n_bags, n_columns)
        One row a bag.
    """
    if rank == 1:
        return np.minimum.reduceat(values, starts_of(lengths), axis=0)
    out = np.empty((len(lengths), values.shape[1]), dtype=values.dtype)
    for bags, rows in by_length(lengths):
        place = min(rank, rows.shape[1]) - 1
        out[bags] = np.partition(values[rows], place, axis=1)[:, place]
    return out


def squared_norms(points: Any) -> Array:
    """Return squared norms of rows, in float64."""
    return np.concatenate(
        [
            row_norms(points[rows].astype(np.float64), squared=True)
            for rows in row_chunks(points.shape[0], max(1, BUDGET // points.shape[1]))
        ]
    )


def squared_distances(values: Any, points: Any, norms: Array) -> Array:
    """Return squared distances; exactly zero between equal rows.

    The quick formula leaves a rounding error there, on which ties would be broken.
    """
    mine = squared_norms(values)
    squared = euclidean_distances(
        values, points, squared=True, X_norm_squared=mine, Y_norm_squared=norms
    )
    squared[squared <= _ROUNDING * (mine[:, np.newaxis] + norms)] = 0.0
    return squared
