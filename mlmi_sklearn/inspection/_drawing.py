"""What the displays share: axes, colours and captions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from numpy.typing import NDArray

Array = NDArray[Any]

POSITIVE, NEGATIVE = "#d55e00", "#9a9a9a"
# Maps and images need no more pixels than a screen or a page can show.
FINEST = 1000

DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"


def axes_for(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """Return the given axes, or new ones that ``plt.show()`` will show."""
    if ax is not None:
        return ax
    # Only here, so that drawing into given axes leaves pyplot as it is.
    import matplotlib.pyplot as plt

    _, made = plt.subplots(figsize=figsize, layout="constrained")
    return made


def norm_of(
    values: Array, center: float | None, vmin: float | None, vmax: float | None
) -> tuple[Normalize, str]:
    """Return the scale of colours, and at which ends of it values are cut off.

    Around a centre both halves have one scale, so that equal distance looks equal. The
    outermost 1 % may be cut off, or a single outlier would take all the contrast.
    """
    finite = values[np.isfinite(values)]
    finite = finite if len(finite) else np.zeros(1)
    if center is None:
        low, high = np.percentile(finite, [0.5, 99.5])
    else:
        reach = np.percentile(np.abs(finite - center), 99)
        low, high = center - reach, center + reach
    low, high = low if vmin is None else vmin, high if vmax is None else vmax
    if not low < high:  # nearly all alike, as attention to one instance is
        low, high = min(low, finite.min()), max(high, finite.max())
    if not low < high:
        low, high = low - 0.5, high + 0.5
    cut = bool(finite.min() < low), bool(finite.max() > high)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    if center is not None and low < center < high:
        norm: Normalize = TwoSlopeNorm(center, low, high)
    else:
        norm = Normalize(low, high)
    return norm, extend.get(cut, "both")


def caption(number: int, bag_id: Any, label: Any, prediction: str | None) -> list[str]:
    """Return the parts of a title: which bag, its label, what was predicted."""
    parts = [f"Bag {number}" if bag_id is None else f"Bag {bag_id}"]
    if label is not None:
        parts.append(f"label {label}")
    if prediction is not None:
        parts.append(prediction)
    return parts


def as_picture(instance: Array) -> Array:
    """Bring an image to (height, width) or (height, width, 3 or 4), as plots need it.

    Colours come out from 0 to 1. Images with another number of channels are averaged.
    """
    picture = np.asarray(instance)
    if picture.ndim == 3 and not (
        picture.shape[-1] in (3, 4) and picture.shape[0] not in (1, 3, 4)
    ):
        picture = np.moveaxis(picture, 0, -1)
    if picture.ndim == 3 and picture.shape[-1] not in (3, 4):
        picture = picture.mean(axis=-1)
    if picture.ndim == 2:
        return picture
    if picture.dtype.kind in "iu":
        picture = picture / np.iinfo(picture.dtype).max
    return np.clip(picture.astype(float), 0, 1)


def label_of(y: Any, position: int, n_bags: int) -> Any:
    """Return the label of a bag, or None; refuse labels of other bags."""
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.ndim == 0 or len(labels) != n_bags:
        raise ValueError(
            f"y must hold one label for each of the {n_bags} bags, got shape "
            f"{labels.shape}."
        )
    return labels[position]
