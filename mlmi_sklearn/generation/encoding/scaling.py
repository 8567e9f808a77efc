"""Scales on which a generator works best, and back.

Numbers of different units are standardised; those with heavy tails through an inverse
hyperbolic sine before, as otherwise a few rows set the scale; pixels share one scale
from 0 to 1 and end in a sigmoid, as one scale each would blow up those that hardly
ever change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kurtosis

from .detection import CATEGORY_LIKE

__all__ = ["Affine", "Arsinh", "Scale", "fit_scale", "shared_range"]

Array = NDArray[Any]

# Excess kurtosis of a tail that is heavy.
_HEAVY = 10.0
# A range of more standard deviations than this would leave wild values.
_WIDEST = 12.0
_FEWEST_PIXELS, _GREY_LEVELS = 8, 257
_END_SHARE, _STILL = 0.1, 0.2
# The hyperbolic sine of more overflows.
_LARGEST = 300.0


class Scale(ABC):
    """Values of a column on a scale for the net."""

    #: Kind of the block of model space.
    block: str

    @abstractmethod
    def encode(self, values: Array) -> Array:
        """Return values on the scale."""

    @abstractmethod
    def decode(self, scaled: Array) -> Array:
        """Return values of what lies on the scale."""


@dataclass
class Affine(Scale):
    """A linear scale.

    Parameters
    ----------
    centre, width : float
        Values that become 0, and their distance from those that become 1.
    block : {"linear", "sigmoid"}, default="linear"
        Kind of the block of model space.

    Examples
    --------
    >>> Affine(10.0, 5.0).encode(np.array([10.0, 20.0]))
    array([0., 2.])
    """

    centre: float
    width: float
    block: str = "linear"

    def encode(self, values: Array) -> Array:
        """Return values less the centre, in widths."""
        return (values - self.centre) / self.width

    def decode(self, scaled: Array) -> Array:
        """Return values."""
        return scaled * self.width + self.centre


@dataclass
class Arsinh(Scale):
    """A scale that is linear in the middle and logarithmic in both tails.

    Parameters
    ----------
    centre, width : float
        Median, and width of the linear part.
    after : Affine
        Scale of the result.

    Examples
    --------
    >>> scale = Arsinh(0.0, 1.0, Affine(0.0, 1.0))
    >>> scale.encode(np.array([0.0, 0.1, 1e6])).round(1)
    array([ 0. ,  0.1, 14.5])
    """

    centre: float
    width: float
    after: Affine
    block: str = "linear"

    def encode(self, values: Array) -> Array:
        """Return values on the scale."""
        return self.after.encode(np.arcsinh((values - self.centre) / self.width))

    def decode(self, scaled: Array) -> Array:
        """Return values."""
        inner = np.clip(self.after.decode(scaled), -_LARGEST, _LARGEST)
        with np.errstate(over="ignore"):  # the grid cuts infinity off
            return np.sinh(inner) * self.width + self.centre


def fit_scale(
    values: Array, preprocess: str = "auto", shared: tuple[float, float] | None = None
) -> Scale:
    """Return the scale for values.

    Parameters
    ----------
    values : ndarray of shape (n,)
        At least two different numbers.
    preprocess : {"auto", "standard", "minmax", "none"}, default="auto"
        Zero mean and unit variance, 0 to 1, or as it is; ``"auto"`` standardises, and
        bends heavy tails.
    shared : tuple of (low, high), default=None
        Range of all columns if they share one.

    Examples
    --------
    >>> fit_scale(np.array([1.0, 2.0, 3.0]), "minmax")
    Affine(centre=1.0, width=2.0, block='sigmoid')
    """
    if preprocess == "none":
        return Affine(0.0, 1.0)
    if shared is not None or preprocess == "minmax":
        low, high = shared or (float(values.min()), float(values.max()))
        return Affine(low, _usable(high - low), "sigmoid")
    if preprocess == "auto" and kurtosis(_unit(values)) > _HEAVY:
        return _arsinh(values)
    return _standard(values)


def _standard(values: Array) -> Affine:
    extent = np.ptp(values)
    deviation = _unit(values).std() * extent
    return Affine(float(values.mean()), _usable(max(deviation, extent / _WIDEST)))


def _arsinh(values: Array) -> Arsinh:
    low, centre, high = np.percentile(values, [25, 50, 75]).tolist()
    spread = _unit(values).std() * np.ptp(values)
    # Half of the values may be one number.
    width = _usable(max(high - low, 1e-3 * spread))
    bent = np.arcsinh((values - centre) / width)
    return Arsinh(centre, width, _standard(bent))


def _unit(values: Array) -> Array:
    """Return values between 0 and 1: squares of them neither over- nor underflow."""
    return (values - values.min()) / _usable(float(np.ptp(values)))


def _usable(width: float) -> float:
    """Return a width that can be divided by."""
    return float(width) if width > np.finfo(np.float64).tiny else 1.0


def shared_range(columns: Sequence[tuple[Array, Array]]) -> tuple[float, float] | None:
    """Return the range that columns share, None if each has a scale of its own.

    Columns are taken for pixels, which share one, if there are at least eight that
    vary, most of them over most of the range; if they hold between 11 and 257
    different numbers, or most begin at the same one; and if some hardly vary beside
    the others, or a tenth of all cells lies at an end of the range: then scales of
    their own would do harm.

    Parameters
    ----------
    columns : sequence of (numbers, counts)
        Numbers of each column in ascending order, and how often they occur.

    Examples
    --------
    >>> grey = np.arange(17.0)
    >>> shared_range([(grey, np.full(17, 10))] * 8 + [(grey[:2], np.array([169, 1]))])
    (0.0, 16.0)
    >>> shared_range([(grey, np.full(17, 10)), (100 * grey, np.full(17, 10))])
    """
    varying = [(u, c) for u, c in columns if len(u) > 1]
    if len(varying) < _FEWEST_PIXELS:
        return None
    lows = np.array([float(u[0]) for u, _ in varying])
    highs = np.array([float(u[-1]) for u, _ in varying])
    low, high = float(lows.min()), float(highs.max())
    if np.median(highs - lows) < 0.5 * (high - low):
        return None
    n_levels = len(np.unique(np.concatenate([u for u, _ in varying])))
    grey = CATEGORY_LIKE < n_levels <= _GREY_LEVELS
    alike = n_levels > _GREY_LEVELS and np.mean(lows == low) >= 0.5
    if not (grey or alike):
        return None
    deviations = np.array([_deviation(u, c) for u, c in varying])
    still = deviations.min() < _STILL * np.median(deviations)
    ends = sum(int(c[(u == low) | (u == high)].sum()) for u, c in varying)
    crowded = ends >= _END_SHARE * sum(int(c.sum()) for _, c in varying)
    return (low, high) if still or crowded else None


def _deviation(numbers: Array, counts: Array) -> float:
    values = numbers.astype(np.float64)
    mean = np.average(values, weights=counts)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
