"""X-rays as rows of pixels, of the size that there is time for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets import load_pneumonia_xray

__all__ = ["Pictures", "load_pictures", "pooled"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Pictures:
    """Pictures as rows of pixels in [0, 1], and classes, to train and to judge by."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array
    names: tuple[str, ...]

    @property
    def side(self) -> int:
        """Pixels a side."""
        return round(float(np.sqrt(self.X.shape[1])))


def load_pictures(shrink: int) -> Pictures:
    """Load X-rays, the split as published.

    Parameters
    ----------
    shrink : int
        1, 2 or 4: how many pixels are averaged to one, along each side.

    Returns
    -------
    Pictures
        600 to train on and 300 to judge by.
    """
    train, test = (load_pneumonia_xray(subset=part) for part in ("train", "test"))
    return Pictures(
        pooled(train.data, 28 // shrink),
        train.target,
        pooled(test.data, 28 // shrink),
        test.target,
        tuple(train.target_names),
    )


def pooled(rows: Array, side: int) -> Array:
    """Average square pictures down to a smaller size.

    Parameters
    ----------
    rows : ndarray of shape (n, k * k)
        Pictures as rows of pixels.
    side : int
        Pixels a side to come, a divisor of k; k itself if it is smaller.

    Returns
    -------
    ndarray of shape (n, side * side)
        Smaller pictures.

    Examples
    --------
    >>> pooled(np.arange(16.0)[None], 2).tolist()
    [[2.5, 4.5, 10.5, 12.5]]
    """
    old = round(float(np.sqrt(rows.shape[1])))
    side = min(side, old)
    k = old // side
    blocks = rows.reshape(len(rows), side, k, side, k)
    return blocks.mean((2, 4)).reshape(len(rows), -1)
