"""Where the tiles of an image lie, and how much of each is tissue."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Positions = NDArray[np.int64]


def tile_size_of(tile_size: Any) -> tuple[int, int]:
    """Return height and width of a tile, given as a number or a pair."""
    if isinstance(tile_size, Integral):
        return int(tile_size), int(tile_size)
    valid = len(tile_size) == 2 and all(
        isinstance(size, Integral) and int(size) >= 1 for size in tile_size
    )
    if not valid:
        raise ValueError(
            f"tile_size={tile_size!r} must be a number of pixels or a pair (height, "
            "width) of such."
        )
    return int(tile_size[0]), int(tile_size[1])


def strides_of(size: tuple[int, int], overlap: float) -> tuple[int, int]:
    """Return the steps from tile to tile down and to the right."""
    whole = isinstance(overlap, Integral)
    strides = [s - int(overlap if whole else round(overlap * s)) for s in size]
    if min(strides) < 1:
        raise ValueError(
            f"overlap={overlap!r} leaves no step between tiles of {size[0]} x {size[1]}"
            " pixels. Pass fewer pixels than the tile has, or a share below 1."
        )
    return strides[0], strides[1]


def tile_positions(
    shape: tuple[int, ...], size: tuple[int, int], strides: tuple[int, int], edge: str
) -> Positions:
    """Return first rows and columns of tiles, row by row; shape (n_tiles, 2).

    Raises a ValueError where the image is smaller than a tile that must fit in.
    """
    if edge != "pad" and (shape[0] < size[0] or shape[1] < size[1]):
        raise ValueError(
            f"has {shape[0]} x {shape[1]} pixels and is smaller than a tile of "
            f"{size[0]} x {size[1]}. Use a smaller tile_size, or edge='pad'."
        )
    rows, cols = (_starts(shape[a], size[a], strides[a], edge) for a in (0, 1))
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)


def _starts(length: int, tile: int, stride: int, edge: str) -> Positions:
    """Return where tiles start along one axis."""
    if edge == "pad":
        return np.arange(-(-max(length - tile, 0) // stride) + 1) * stride
    starts = np.arange(0, length - tile + 1, stride)
    if edge == "shift" and starts[-1] != length - tile:
        starts = np.append(starts, length - tile)
    return starts


def tissue_shares(
    mask: NDArray[np.bool_], step: int, positions: Positions, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the share of each tile that is tissue; what is outside is not.

    The mask belongs to the image reduced by ``step``.
    """
    # Sums over rectangles are differences of sums from the corner of the image.
    corner = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), dtype=np.int64)
    corner[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    first = positions // step
    last = -(-(positions + size) // step)
    area = np.prod(last - first, axis=1)
    top, left = first.T
    bottom, right = np.minimum(last, mask.shape).T
    inside = (
        corner[bottom, right]
        - corner[top, right]
        - corner[bottom, left]
        + corner[top, left]
    )
    return inside / area


def overview_step(size: tuple[int, int]) -> int:
    """Return by how much an image is reduced to look for tissue: 8 pixels a tile."""
    return max(1, min(size) // 8)
