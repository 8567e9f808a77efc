"""Where numbers of a column may lie, and how to get back there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "Levels", "Range", "Steps", "decimals_of"]

Array = NDArray[Any]

# With more decimals than this, agreement with a rounded number is an accident.
_MOST_DECIMALS = 8


class Grid(ABC):
    """Numbers of a column as floats, and floats as numbers the column may hold."""

    def values(self, cells: Array) -> Array:
        """Return float64 values of cells."""
        return cells.astype(np.float64)

    @abstractmethod
    def cells(self, values: Array) -> Array:
        """Return the nearest cells that the column may hold."""


@dataclass
class Levels(Grid):
    """A few numbers, evenly spaced or not.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        In ascending order.

    Examples
    --------
    >>> Levels(np.array([0.0, 1.0, 4.0])).cells(np.array([-3.0, 1.2, 2.6, 9.0]))
    array([0., 1., 4., 4.])
    """

    levels: Array

    def cells(self, values: Array) -> Array:
        """Return the nearest levels."""
        return self.levels[self.index(values)]

    def index(self, values: Array) -> Array:
        """Return the numbers of the nearest levels, counted from 0."""
        levels = self.levels.astype(np.float64)
        step = (levels[-1] - levels[0]) / max(len(levels) - 1, 1)
        even = levels[0] + step * np.arange(len(levels))
        if step > 0 and np.abs(even - levels).max() < 1e-6 * step:  # ten times quicker
            nearest = np.rint((values - levels[0]) / step)
            return np.clip(nearest, 0, len(levels) - 1).astype(np.intp)
        return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


@dataclass
class Steps(Grid):
    """Whole multiples of a step, such as ages, counts and dates.

    Parameters
    ----------
    origin : int
        Smallest number.
    step : int
        Distance of neighbours, at least 1.
    count : int
        Steps from the smallest to the largest number.

    Examples
    --------
    >>> Steps(10, 5, 3).cells(np.array([-2.0, 1.4, 9.0]))
    array([10, 15, 25])
    """

    origin: int
    step: int
    count: int

    def values(self, cells: Array) -> Array:
        """Return steps from the smallest number."""
        # Integers are subtracted as such: float64 has no room for nanoseconds.
        return (cells - self.origin) / self.step

    def cells(self, values: Array) -> Array:
        """Return the nearest multiples within the range."""
        steps = np.clip(np.rint(values), 0, self.count).astype(np.int64)
        # Once more, as integers: a long count is no float.
        return self.origin + np.minimum(steps, self.count) * self.step


@dataclass
class Range(Grid):
    """All numbers between two, or those of them with few decimals.

    Parameters
    ----------
    low, high : float
        Smallest and largest number.
    decimals : int, default=None
        Digits after the point.

    Examples
    --------
    >>> Range(0.0, 1.0, decimals=1).cells(np.array([-1.0, 0.26, 3.0]))
    array([0. , 0.3, 1. ])
    """

    low: float
    high: float
    decimals: int | None = None

    def cells(self, values: Array) -> Array:
        """Return numbers within the range."""
        if self.decimals is not None:
            values = np.round(values, self.decimals)
        return np.clip(values, self.low, self.high)


def decimals_of(cells: Array, dtype: Any = np.float64) -> int | None:
    """Return how many decimals all numbers have, None if they are not rounded.

    Parameters
    ----------
    cells : ndarray of float64 of shape (n,)
        Numbers.
    dtype : dtype, default=float64
        Type they were kept in, to the precision of which they are compared.

    Examples
    --------
    >>> decimals_of(np.array([1.5, 2.25])), decimals_of(np.array([1 / 3, 0.5]))
    (2, None)
    """
    kept = cells.astype(dtype)
    # A few cells settle most cases.
    few = kept[:100]
    for decimals in range(_MOST_DECIMALS + 1):
        same = np.round(cells[:100], decimals).astype(dtype) == few
        if same.all() and (np.round(cells, decimals).astype(dtype) == kept).all():
            return decimals
    return None
