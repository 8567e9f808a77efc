"""One side of a picture of samples: a mosaic of images, or points of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mlmi_sklearn.inspection._domain_panels import _CLASSES

__all__ = [
    "coordinates_of",
    "draw_mosaic",
    "draw_points",
    "range_of",
    "resolve_columns",
]

Array = NDArray[Any]

# Share of an image that is left white beside it, a pixel at least.
_GAP = 0.08
_JITTER = 0.25
_PLAIN = "#4c6f91"


def range_of(images: Array) -> tuple[float, float]:
    """Return darkest and brightest value to show, without the outermost 0.5 %."""
    finite = images[np.isfinite(images)].astype(float)
    low, high = np.percentile(finite, [0.5, 99.5]) if finite.size else (0.0, 1.0)
    if not low < high:
        low, high = float(finite.min(initial=low)), float(finite.max(initial=high))
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def draw_mosaic(
    ax: Axes,
    images: Array,
    groups: Array,
    n_columns: int,
    limits: tuple[float, float],
    cmap: str,
) -> list[float]:
    """Draw images, a row for each group; return the heights of the rows' middles.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to.
    images : ndarray of shape (n, H, W), (n, C, H, W) or (n, C, D, H, W)
        Three channels are colours; others are averaged. Of volumes the middle slice is
        shown.
    groups : ndarray of shape (n,)
        Row of each image. All of one group wrap into several rows.
    n_columns : int
        Images in a row.
    limits : (float, float)
        Values that are black and white.
    cmap : str
        Colours of images with one channel.
    """
    pictures = _pictures(images, limits)
    height, width = pictures.shape[1:3]
    gap = max(1, round(_GAP * max(height, width)))
    places = _places(groups, n_columns)
    rows = int(places[:, 0].max()) + 1
    size = (rows * (height + gap) - gap, n_columns * (width + gap) - gap)
    canvas = np.full((*size, *pictures.shape[3:]), np.nan)
    for picture, (row, column) in zip(pictures, places, strict=True):
        top, left = row * (height + gap), column * (width + gap)
        canvas[top : top + height, left : left + width] = picture
    if canvas.ndim == 3:
        ax.imshow(np.nan_to_num(canvas, nan=1.0), interpolation="nearest")
    else:
        ax.imshow(canvas, cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return [row * (height + gap) + (height - 1) / 2 for row in range(rows)]


def _pictures(images: Array, limits: tuple[float, float]) -> Array:
    """Return (n, H, W) or, for colours, (n, H, W, 3), from 0 to 1."""
    values = images[:, None] if images.ndim == 3 else images
    if values.ndim == 5:
        values = values[:, :, values.shape[2] // 2]
    scaled = (values.astype(float) - limits[0]) / (limits[1] - limits[0])
    colours = scaled.shape[1] == 3
    shown = np.moveaxis(scaled, 1, -1) if colours else scaled.mean(axis=1)
    return np.asarray(np.clip(shown, 0, 1))


def _places(groups: Array, n_columns: int) -> Array:
    """Return row and column of each image."""
    if (groups == groups[0]).all():
        return np.stack(np.divmod(np.arange(len(groups)), n_columns), axis=1)
    seen = np.zeros(int(groups.max()) + 1, dtype=int)
    places = np.empty((len(groups), 2), dtype=int)
    for number, group in enumerate(groups):
        places[number] = group, seen[group]
        seen[group] += 1
    return places


# -- tables ---------------------------------------------------------------------------


def resolve_columns(X: Any, columns: Any) -> list[Any]:
    """Return positions of one column or two; by default the first two."""
    width = X.shape[1]
    if columns is None:
        return list(range(min(width, 2)))
    alone = isinstance(columns, str) or np.ndim(columns) == 0
    wanted = [columns] if alone else list(columns)
    if len(wanted) not in (1, 2):
        raise ValueError(f"columns must name one column or two, got {columns!r}.")
    return [_position(X, column) for column in wanted]


def _position(X: Any, column: Any) -> int:
    names = list(X.columns) if hasattr(X, "columns") else []
    if column in names:
        return names.index(column)
    number = isinstance(column, (int, np.integer)) and not isinstance(column, bool)
    if number and 0 <= column < X.shape[1]:
        return int(column)
    known = names or f"0 to {X.shape[1] - 1}"
    raise ValueError(f"columns: {column!r} is not a column of X. There are {known}.")


def coordinates_of(
    tables: Sequence[Any], position: int
) -> tuple[list[Array], str, list[str]]:
    """Return one column of tables as numbers, its name, and what 0, 1, ... stand for.

    Categories become their number among those of all tables, with jitter.
    """
    frames = [X if hasattr(X, "iloc") else pd.DataFrame(X) for X in tables]
    values = [frame.iloc[:, position] for frame in frames]
    name = str(frames[0].columns[position])
    name = name if hasattr(tables[0], "iloc") else f"column {name}"
    if all(pd.api.types.is_numeric_dtype(v) and v.dtype != bool for v in values):
        return [v.to_numpy(dtype=float, na_value=np.nan) for v in values], name, []
    both = np.concatenate([v.astype(object).to_numpy() for v in values])
    codes, seen = pd.factorize(both)
    order = np.argsort([str(v) for v in seen], kind="stable")
    rank = np.append(np.argsort(order).astype(float), np.nan)
    ends = np.cumsum([len(v) for v in values])[:-1]
    words = [str(seen[i]) for i in order]
    return [_spread(part) for part in np.split(rank[codes], ends)], name, words


def _spread(codes: Array) -> Array:
    """Move points a little aside, so that equal ones do not hide each other."""
    return np.asarray(
        codes + np.random.default_rng(0).uniform(-1, 1, len(codes)) * _JITTER
    )


def draw_points(ax: Axes, x: Array, y: Array, groups: Array, names: list[str]) -> None:
    """Draw points, coloured by group where colours suffice."""
    style: dict[str, Any] = {"s": 12, "alpha": 0.6, "linewidths": 0}
    if len(names) == 1 or len(names) > len(_CLASSES):
        ax.scatter(x, y, color=_PLAIN, **style)
        return
    for group, name in enumerate(names):
        mine = groups == group
        ax.scatter(x[mine], y[mine], color=_CLASSES[group], label=name, **style)
