"""From scores of instances back to an image."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["scores_to_map"]

Array = NDArray[Any]
Floats = NDArray[np.float64]

# A Gaussian is cut off here, in standard deviations: further away it says little.
_REACH = 2.0


def scores_to_map(
    scores: Any,
    coords: Any,
    shape: tuple[int, ...],
    tile_size: int | tuple[int, int] | None = None,
    *,
    radius: float | None = None,
    kernel: Literal["disc", "gaussian"] = "disc",
    reduce: Literal["mean", "max"] = "mean",
    step: int = 1,
) -> Floats:
    """Draw scores of tiles, or of points, into a map of the image.

    Parameters
    ----------
    scores : array-like of shape (n_instances,)
        Scores of the instances of one image.
    coords : array-like of shape (n_instances, 2)
        Places x and y, that is column and row, in pixels: of the upper left corner of
        tiles, as :class:`~mlmi_sklearn.TileGrid` gives them; of the centre of points.
    shape : tuple of int
        Height and width of the image in pixels; more axes are ignored.
    tile_size : int or (int, int), default=None
        Height and width of tiles in pixels. None: instances are points.
    radius : float, default=None
        For points, radius of the disc or standard deviation of the Gaussian, in pixels.
    kernel : {"disc", "gaussian"}, default="disc"
        Shape of points. Scores are averaged with the kernel as weight; a Gaussian ends
        at two standard deviations.
    reduce : {"mean", "max"}, default="mean"
        What to do with scores that overlap. A maximum needs tiles or discs.
    step : int, default=1
        Pixels of the image, along each axis, that are one pixel of the map.

    Returns
    -------
    ndarray of float64 of shape (ceil(height / step), ceil(width / step))
        NaN where no instance is.

    Raises
    ------
    ValueError
        If scores and coords differ in length, an instance lies outside the image, or
        not exactly one of `tile_size` and `radius` is given.

    Examples
    --------
    >>> from mlmi_sklearn.inspection import scores_to_map
    >>> scores_to_map([1.0, 3.0], [[0, 0], [1, 0]], shape=(1, 4), tile_size=(1, 2))
    array([[ 1.,  2.,  3., nan]])
    """
    values, xy = _read(scores, coords)
    _check_options(tile_size, radius, kernel, reduce, step)
    height, width = int(shape[0]), int(shape[1])
    _check_inside(xy, height, width)
    if tile_size is None:
        assert radius is not None
        patches = _points(xy / step, float(radius) / step, kernel)
    else:
        patches = _tiles(xy, tile_size, step)
    size = -(-height // step), -(-width // step)
    return _draw(values, patches, size, reduce)


def _draw(values: Floats, patches: Any, size: tuple[int, int], reduce: str) -> Floats:
    """Lay weighted patches on top of each other."""
    weights = np.zeros(size)
    total = np.full(size, -np.inf if reduce == "max" else 0.0)
    for value, (top, left, patch) in zip(values, patches, strict=True):
        cut = patch[max(-top, 0) :, max(-left, 0) :]
        at = np.s_[
            max(top, 0) : max(top, 0) + cut.shape[0],
            max(left, 0) : max(left, 0) + cut.shape[1],
        ]
        cut = cut[: weights[at].shape[0], : weights[at].shape[1]]
        weights[at] += cut
        if reduce == "max":
            total[at] = np.maximum(total[at], np.where(cut > 0, value, -np.inf))
        else:
            total[at] += value * cut
    divisor = 1.0 if reduce == "max" else weights
    return np.divide(total, divisor, out=np.full(size, np.nan), where=weights > 0)


def _tiles(xy: Floats, tile_size: Any, step: int) -> Any:
    """Yield first row and column on the map, and the weights, of each tile."""
    height, width = (tile_size, tile_size) if np.isscalar(tile_size) else tile_size
    first = np.floor(xy / step).astype(int)
    last = np.ceil((xy + np.array([width, height])) / step).astype(int)
    for (left, top), (right, bottom) in zip(first.tolist(), last.tolist(), strict=True):
        yield top, left, np.ones((bottom - top, right - left))


def _points(xy: Floats, radius: float, kernel: str) -> Any:
    """Yield the same of each point."""
    reach = radius if kernel == "disc" else _REACH * radius
    for x, y in xy.tolist():
        left, top = int(np.ceil(x - reach)), int(np.ceil(y - reach))
        right, bottom = int(np.floor(x + reach)), int(np.floor(y + reach))
        if right < left or bottom < top:  # smaller than a pixel: the nearest one
            yield round(y), round(x), np.ones((1, 1))
            continue
        across, down = np.arange(left, right + 1) - x, np.arange(top, bottom + 1) - y
        squared = np.add.outer(down**2, across**2)
        inside = squared <= reach**2
        if kernel == "gaussian":
            yield top, left, np.exp(-squared / (2 * radius**2)) * inside
        else:
            yield top, left, inside.astype(float)


def _read(scores: Any, coords: Any) -> tuple[Floats, Floats]:
    values, xy = np.asarray(scores, dtype=float), np.asarray(coords, dtype=float)
    if values.ndim != 1:
        raise ValueError(
            f"scores has shape {values.shape}; pass one score for each instance of one "
            "image, and one column where there are several classes."
        )
    if xy.shape != (len(values), 2):
        raise ValueError(
            f"coords has shape {xy.shape}, but {len(values)} scores need shape "
            f"({len(values)}, 2): x and y of each instance."
        )
    if not np.isfinite(xy).all():
        raise ValueError("coords holds NaN or infinity.")
    return values, xy


def _check_options(
    tile_size: Any, radius: float | None, kernel: str, reduce: str, step: int
) -> None:
    if (tile_size is None) == (radius is None):
        raise ValueError(
            "Pass either tile_size=, for tiles, or radius=, for points, and not both."
        )
    if radius is not None and not radius > 0:
        raise ValueError(f"radius={radius!r} must be a positive number of pixels.")
    if tile_size is not None and (np.size(tile_size) > 2 or np.min(tile_size) < 1):
        raise ValueError(
            f"tile_size={tile_size!r} must be one or two positive numbers."
        )
    if kernel not in ("disc", "gaussian"):
        raise ValueError(f"kernel={kernel!r} must be 'disc' or 'gaussian'.")
    if reduce not in ("mean", "max"):
        raise ValueError(f"reduce={reduce!r} must be 'mean' or 'max'.")
    if reduce == "max" and kernel == "gaussian":
        raise ValueError("reduce='max' does not go with kernel='gaussian': use 'disc'.")
    if not isinstance(step, Integral) or step < 1:
        raise ValueError(f"step={step!r} must be a whole number of at least 1.")


def _check_inside(xy: Floats, height: int, width: int) -> None:
    """Refuse coordinates that belong to another image, or are in another order."""
    outside = (xy < 0).any(axis=1) | (xy >= (width, height)).any(axis=1)
    if outside.any():
        x, y = xy[outside][0]
        raise ValueError(
            f"coords: ({x:g}, {y:g}) lies outside the image of height {height} and "
            f"width {width}. Coordinates are (x, y), that is (column, row), in pixels "
            "of the full image."
        )
