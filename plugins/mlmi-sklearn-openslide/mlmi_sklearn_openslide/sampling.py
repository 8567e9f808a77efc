"""Rectangles of a level, and pixels made of them at another resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Window", "resample"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Window:
    """Which pixels of a level are read, and which part of them is wanted.

    Parameters
    ----------
    left, top, width, height : int
        Pixels that are read, inside the level.
    box : tuple of float
        Left, upper, right and lower border of what is wanted, from the first pixel
        read; beyond it lies what an average near the border takes in.
    """

    left: int
    top: int
    width: int
    height: int
    box: tuple[float, float, float, float]

    @classmethod
    def around(
        cls,
        factor: tuple[float, ...],
        row: int,
        col: int,
        size: tuple[int, int],
        level: tuple[int, int],
    ) -> Self:
        """Find what has to be read of a level.

        Parameters
        ----------
        factor : (float, float)
            Pixels of the level for one of the result, x and y.
        row, col : int
            First row and column of the result.
        size : (int, int)
            Height and width of the result.
        level : (int, int)
            Width and height of the level.

        Returns
        -------
        Window
            With a margin, so that neighbouring results meet without a seam.

        Examples
        --------
        >>> window = Window.around((2.0, 2.0), 1, 0, (3, 4), (100, 100))
        >>> window.left, window.top, window.box
        (0, 0, (0.0, 2.0, 8.0, 8.0))
        """
        fx, fy = factor
        left, width, x0, x1 = _span(col * fx, (col + size[1]) * fx, fx, level[0])
        top, height, y0, y1 = _span(row * fy, (row + size[0]) * fy, fy, level[1])
        return cls(left, top, width, height, (x0, y0, x1, y1))

    @property
    def is_exact(self) -> bool:
        """Whether the borders of what is wanted are borders of pixels."""
        return all(abs(edge - round(edge)) < 1e-6 for edge in self.box)


def _span(
    start: float, stop: float, factor: float, n: int
) -> tuple[int, int, float, float]:
    """Return first pixel, number of pixels, and borders in them, along one axis."""
    margin = 0 if factor == 1 else math.ceil(factor) + 1
    first = min(max(0, math.floor(start + 1e-9) - margin), n - 1)
    last = max(min(n, math.ceil(stop - 1e-9) + margin), first + 1)
    return first, last - first, start - first, stop - first


def resample(pixels: Array, window: Window, size: tuple[int, int]) -> Array:
    """Average pixels of a level to the size that is wanted.

    Parameters
    ----------
    pixels : ndarray of uint8 of shape (height, width, 3)
        What was read of `window`.
    window : Window
        What was to be read.
    size : (int, int)
        Height and width of the result.

    Returns
    -------
    ndarray of uint8 of shape (*size, 3)
        Pixels beyond the level repeat its border.
    """
    x0, y0, x1, y1 = window.box
    right = max(0, math.ceil(x1 - 1e-9) - pixels.shape[1])
    below = max(0, math.ceil(y1 - 1e-9) - pixels.shape[0])
    if right or below:
        pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
    whole = round(y1 - y0), round(x1 - x0)
    if whole == size and window.is_exact:
        row, col = round(y0), round(x0)
        return pixels[row : row + size[0], col : col + size[1]]
    # Rounding must not push the box over the border, which Pillow refuses.
    box = (x0, y0, min(x1, pixels.shape[1]), min(y1, pixels.shape[0]))
    image = Image.fromarray(pixels)
    small = image.resize(size[::-1], Image.Resampling.BILINEAR, box=box)
    return np.asarray(small)
