"""Which tiles are neighbours: the nearest places of each place, ties included.

A result that must not depend on the order of the tiles cannot take "the k nearest" of
tiles that are equally far: on a grid, which of them is it? So all places count that are
no farther than the k-th nearest. And tiles that lie at one place would be neighbours of
each other in numbers that grow with their square; a place with several tiles is
therefore one neighbour, the mean of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from mlmi_sklearn.nn.segments import Segments

__all__ = ["Neighbourhood", "nearest_places", "neighbourhood"]

# Asked for beyond k, so that most ties are found at once.
_SPARE = 4
# Distances that differ less are equal but for rounding.
_TIE = 1 + 1e-9


@dataclass(frozen=True)
class Neighbourhood:
    """Places of tiles, and which of them each tile sees.

    Parameters
    ----------
    edges : Tensor of shape (2, n_edges), int64
        Place, and tile that sees it; its own place is among them.
    place_of : Tensor of shape (n_tiles,), int64
        Place of each tile.
    sizes : Tensor of shape (n_places,), int64
        Tiles at each place.
    """

    edges: Tensor
    place_of: Tensor
    sizes: Tensor

    def at_places(self, values: Tensor) -> Tensor:
        """Average the tiles at each place: (n_tiles, D) to (n_places, D)."""
        total = values.new_zeros(len(self.sizes), values.shape[1])
        total = total.index_add(0, self.place_of, values)
        return total / self.sizes.to(values.dtype).unsqueeze(1)


def neighbourhood(coords: Tensor, segments: Segments, k: int) -> Neighbourhood:
    """Find the nearest places of each tile in its bag.

    Parameters
    ----------
    coords : Tensor of shape (n_tiles, n_axes)
        Where the tiles are.
    segments : Segments
        The bags.
    k : int
        Places other than its own that a tile sees; more where several are equally far,
        fewer in bags of fewer.

    Returns
    -------
    Neighbourhood
        On the device of `coords`.

    Examples
    --------
    >>> line = torch.tensor([[0.0], [1.0], [2.0], [0.0]])
    >>> found = neighbourhood(line, Segments([3, 1]), k=1)
    >>> sorted(found.edges.T.tolist())  # a place, and the tile that sees it
    [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 1], [2, 2], [3, 3]]
    """
    points = coords.detach().cpu().numpy().astype(np.float64)
    bags = segments.index.cpu().numpy()
    keys = np.column_stack([bags, points])
    places, place_of, sizes = np.unique(
        keys, axis=0, return_inverse=True, return_counts=True
    )
    place_of = place_of.reshape(-1)
    starts, near = nearest_places(places[:, 1:], places[:, 0], k)
    counts = np.diff(starts)[place_of]
    tiles = np.repeat(np.arange(len(points)), counts)
    # Edge j of a tile is neighbour j of its place.
    ends = np.cumsum(counts)
    shift = np.repeat(starts[:-1][place_of] - (ends - counts), counts)
    seen = near[np.arange(len(tiles)) + shift]
    edges = torch.from_numpy(np.stack([seen, tiles]))
    moved = (t.to(coords.device) for t in map(torch.from_numpy, (place_of, sizes)))
    return Neighbourhood(edges.to(coords.device), *moved)


def nearest_places(
    places: NDArray[np.float64], bags: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the places no farther than the k-th nearest, in the same bag.

    Parameters
    ----------
    places : ndarray of shape (n_places, n_axes)
        No two of a bag are the same.
    bags : ndarray of shape (n_places,)
        Their bags.
    k : int
        Neighbours of a place, apart from itself.

    Returns
    -------
    starts : ndarray of shape (n_places + 1,)
        Where the neighbours of each place begin.
    neighbours : ndarray of int64
        Those of all places, itself first.
    """
    n = len(places)
    tree = cKDTree(_apart(places, bags))
    rows, m = np.arange(n), min(n, k + 1 + _SPARE)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    while len(rows):
        distance, near = tree.query(tree.data[rows], k=np.arange(1, m + 1))
        distance[bags[near] != bags[rows, None]] = np.inf
        # The k-th apart from itself; infinite where the bag has fewer.
        limit = distance[:, min(k, m - 1), None] * _TIE
        inside = np.isfinite(distance) & (distance <= limit)
        done = ~inside[:, -1] if m < n else np.ones(len(rows), dtype=bool)
        row, column = np.nonzero(inside & done[:, None])
        found.append((rows[row], near[row, column]))
        rows, m = rows[~done], min(n, 2 * m)
    of, neighbours = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(of, kind="stable")
    starts = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(of, minlength=n), out=starts[1:])
    return starts, neighbours[order].astype(np.int64)


def _apart(
    places: NDArray[np.float64], bags: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move bags so far apart, along an axis of their own, that one tree serves all."""
    low, high = places.min(axis=0), places.max(axis=0)
    gap = 2 * np.linalg.norm(high - low) + 1
    return np.column_stack([places - low, bags * gap])
