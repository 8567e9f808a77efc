"""One instance in its box: an image, or bars for the features that stand out."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ._drawing import as_picture

Array = NDArray[Any]
Box = tuple[float, float, float, float]

# Bars end at this many standard deviations; the number beside them does not.
_LONGEST = 4.0
_HIGH, _LOW = "#b2182b", "#2166ac"
_NAME_SHARE = 0.55
_LETTERS = 16


def draw_picture(
    ax: Axes, instance: Array, box: Box, cmap: Any, limits: tuple[float, float]
) -> None:
    """Show an image in a box (left, top, width, height), keeping its proportions."""
    picture = as_picture(instance)
    left, top, width, height = box
    rows, columns = picture.shape[:2]
    scale = min(width / columns, height / rows)
    across, down = columns * scale, rows * scale
    x, y = left + (width - across) / 2, top + (height - down) / 2
    ax.imshow(
        picture,
        cmap=cmap,
        norm=Normalize(*limits) if picture.ndim == 2 else None,
        extent=(x, x + across, y + down, y),
        interpolation="nearest",
    )


def draw_features(
    ax: Axes,
    instance: Array,
    box: Box,
    names: Any,
    reference: tuple[Array, Array],
    n_features: int,
) -> None:
    """Draw the features that deviate most from the mean, as horizontal bars."""
    mean, deviation = reference
    away = np.divide(
        instance.astype(float) - mean,
        deviation,
        out=np.zeros(len(mean)),
        where=deviation > 0,
    )
    left, top, width, height = box
    middle = left + width * (_NAME_SHARE + 1) / 2
    half, pitch = width * (1 - _NAME_SHARE) / 2 * 0.92, height / n_features
    chosen = np.argsort(-np.abs(away), kind="stable")[:n_features]
    for number, feature in enumerate(chosen.tolist()):
        value = float(away[feature])
        y = top + (number + 0.5) * pitch
        length = half * float(np.clip(value / _LONGEST, -1, 1))
        bar = Rectangle((middle, y - 0.3 * pitch), length, 0.6 * pitch, lw=0)
        bar.set_facecolor(_HIGH if value > 0 else _LOW)
        ax.add_patch(bar)
        name = f"feature {feature}" if names is None else str(names[feature])
        name = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
        style: dict[str, Any] = {"va": "center", "fontsize": 7.5}
        ax.text(left + 0.05, y, name, **style)
        side = -1 if value > 0 else 1
        aligned = "right" if value > 0 else "left"
        ax.text(middle + side * 0.04, y, f"{value:+.1f}", ha=aligned, **style)
    line = [top + 0.1 * pitch, top + height - 0.1 * pitch]
    ax.plot([middle, middle], line, color="0.3", lw=0.7)
