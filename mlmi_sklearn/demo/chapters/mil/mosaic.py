"""Slides of which the truth is known: tissue whose cells are handwritten digits.

Each cell of the tissue is a digit of scikit-learn, stained like a section of tissue. In
a positive slide one small patch of cells, the lesion, consists of nines, which occur
nowhere else. So anybody can see where the lesion is, and it takes more than colour to
find it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

__all__ = ["CELL", "Slides", "make_slides"]

Array = NDArray[Any]

# Pixels of a cell: a digit of 8 x 8 and a gap of one.
CELL = 9
_CELLS = 10
_LESION_RADIUS = 1.5
_GLASS, _GROUND, _INK = (244, 243, 246), (240, 188, 214), (96, 46, 130)


@dataclass(frozen=True)
class Slides:
    """Images with what is known of them.

    Parameters
    ----------
    images : list of ndarray of uint8 of shape (height, width, 3)
        The slides.
    y : ndarray of int of shape (n_slides,)
        1 where there is a lesion.
    lesions : ndarray of bool of shape (n_slides, n_cells, n_cells)
        Which cells belong to it.
    """

    images: list[Array]
    y: Array
    lesions: Array

    def labels_of(self, number: int, coords: Array) -> Array:
        """Return 1 for tiles of the lesion and 0 for others.

        Parameters
        ----------
        number : int
            Which slide.
        coords : ndarray of shape (n_tiles, 2)
            x and y of the upper left pixel of tiles of one cell.

        Returns
        -------
        ndarray of int of shape (n_tiles,)
            The labels.
        """
        column, row = (np.asarray(coords) // CELL).astype(int).T
        return self.lesions[number][row, column].astype(int)


def make_slides(n: int, split: Literal["train", "test"], random_state: int) -> Slides:
    """Draw slides; every second one has a lesion.

    Parameters
    ----------
    n : int
        Number of slides.
    split : {"train", "test"}
        Which digits to use; no image of a digit is in both.
    random_state : int
        Determines the slides.

    Returns
    -------
    Slides
        Images and truth.
    """
    rng = np.random.default_rng([random_state, split == "test"])
    nines, others = _digits(split)
    y = np.arange(n) % 2
    drawn = [_cells(bool(label), rng) for label in y]
    images = [_paint(tissue, lesion, nines, others, rng) for tissue, lesion in drawn]
    return Slides(images, y, np.stack([lesion for _, lesion in drawn]))


def _digits(split: str) -> tuple[Array, Array]:
    """Return the nines and all other digits of a split, each third one for tests."""
    digits = load_digits()
    rank = np.zeros(len(digits.target), int)
    for digit in range(10):
        where = np.flatnonzero(digits.target == digit)
        rank[where] = np.arange(len(where))
    chosen = (rank % 3 == 2) == (split == "test")
    images, nine = digits.images[chosen] / 16, digits.target[chosen] == 9
    return images[nine], images[~nine]


def _cells(positive: bool, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw which cells are tissue, a disc with a ragged border, and lesion."""
    row, column = np.mgrid[:_CELLS, :_CELLS]
    centre = (_CELLS - 1) / 2
    noise = gaussian_filter(rng.normal(size=(_CELLS, _CELLS)), 2)
    radius = np.hypot(row - centre, column - centre)
    tissue = radius < _CELLS / 2 + 1.2 * noise / noise.std() - 0.5
    lesion = np.zeros_like(tissue)
    if positive:
        top, left = rng.choice(np.argwhere(tissue))
        lesion = tissue & (np.hypot(row - top, column - left) <= _LESION_RADIUS)
    return tissue, lesion


def _paint(
    tissue: Array, lesion: Array, nines: Array, others: Array, rng: np.random.Generator
) -> Array:
    """Put a digit into each cell and stain it."""
    ink = np.zeros((_CELLS * CELL, _CELLS * CELL, 1))
    for row, column in np.argwhere(tissue):
        digit = rng.choice(nines if lesion[row, column] else others)
        top, left = row * CELL, column * CELL
        ink[top : top + 8, left : left + 8, 0] = digit
    stained = (1 - ink) * np.array(_GROUND) + ink * np.array(_INK)
    inside = np.kron(tissue, np.ones((CELL, CELL)))[..., np.newaxis] > 0
    return np.where(inside, stained, np.array(_GLASS)).round().astype(np.uint8)
