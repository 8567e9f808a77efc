"""What is translated into what: inputs and targets, read and brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from ..base.inputs import (
    as_host_array,
    plain_numbers,
    require_moderate,
    require_no_dates,
)
from ..base.naming import naming
from .encoding import ImageCodec

__all__ = [
    "PassedPairs",
    "RowCodec",
    "Side",
    "TranslationInputs",
    "read_target",
    "side_of",
]

Array = NDArray[Any]


class PassedPairs(NamedTuple):
    """Arguments of ``fit`` on their way through its stages."""

    X: Any
    y: Any
    X_target: Any


@dataclass
class Side:
    """One of the two kinds of images or rows.

    Parameters
    ----------
    codec : ImageCodec or RowCodec
        To and from the scale of the nets.
    shape : tuple of int
        Of one sample as passed.
    names : list of str or None
        Of the columns.
    flat : bool
        Whether there was one number a sample, without an axis for it.
    """

    codec: Any
    shape: tuple[int, ...]
    names: list[str] | None = None
    flat: bool = False

    @property
    def is_grid(self) -> bool:
        """Whether these are images or volumes."""
        return len(self.shape) > 1

    @property
    def net_shape(self) -> tuple[int, ...]:
        """Shape of one sample for the nets."""
        return tuple(self.codec.shape_)


@dataclass
class TranslationInputs:
    """Rows of a fit on the scale of the nets.

    Parameters
    ----------
    values, target : ndarray of shape (n, ...)
        What is translated, and into what; row by row if paired.
    paired : bool
        Whether rows belong together.
    attributes : dict
        Fitted attributes.
    """

    values: Array
    target: Array
    paired: bool
    attributes: dict[str, Any] = field(default_factory=dict)
    strata: None = None

    def __len__(self) -> int:
        return len(self.values)


class RowCodec:
    """Rows of numbers with mean 0 and deviation 1, and back.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,)
        Of the training rows.
    shape_ : tuple of int
        (n_features,).

    Examples
    --------
    >>> codec = RowCodec().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> codec.encode(np.array([[3.0, 5.0]]))
    array([[1., 0.]], dtype=float32)
    >>> codec.decode(np.array([[1.0, 0.0]]))
    array([[3., 5.]])
    """

    def fit(self, X: Array) -> RowCodec:
        """Measure the columns."""
        mean = X.mean(0, dtype=np.float64)
        scale = X.std(0, dtype=np.float64)
        # A constant column has a deviation of rounding errors only.
        negligible = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        self.mean_, self.scale_ = mean, np.where(negligible, 1.0, scale)
        self.shape_ = X.shape[1:]
        return self

    def encode(self, X: Array) -> Array:
        """Return standardised rows, float32."""
        return ((X - self.mean_) / self.scale_).astype(np.float32)

    def decode(self, Z: Array) -> Array:
        """Return rows in their units, float64."""
        return Z * self.scale_ + self.mean_


def read_target(values: Any, name: str, axes: int) -> Array:
    """Validate what X is to be translated into.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, ...)
        Rows or images.
    name : str
        What to call them in an error message.
    axes : int
        Dimensions of X: rows are translated into rows, images into images.

    Returns
    -------
    ndarray
        The values.

    Raises
    ------
    ValueError
        If they are not finite numbers, or of another kind than X.
    """
    with naming(name):
        values = as_host_array(values)
        require_no_dates(values, name)
        array = check_array(
            values, dtype="numeric", allow_nd=True, ensure_2d=False, input_name=name
        )
    array = plain_numbers(array, name)
    require_moderate(array, name)
    if array.ndim == 0:
        raise ValueError(f"{name} should be an array, got a scalar.")
    if (axes > 2) != (array.ndim > 2):
        kinds = {True: "images", False: "rows"}
        raise ValueError(
            f"X holds {kinds[axes > 2]}, but {name} of shape {array.shape} holds "
            f"{kinds[array.ndim > 2]}. Translate images into images and rows into "
            "rows; NetRegressor predicts numbers from images."
        )
    return array


def side_of(values: Array, preprocess: Any, names: Any = None) -> Side:
    """Fit the scale of one side.

    Parameters
    ----------
    values : ndarray of shape (n,) or (n, ...)
        Validated training samples.
    preprocess : str or tuple of (low, high)
        As for :class:`~.encoding.ImageCodec`; rows take "auto" alone.
    names : sequence of str, optional
        Names of columns.

    Returns
    -------
    Side
        Shape and scale.

    Raises
    ------
    ValueError
        If ``preprocess`` is not for rows.
    """
    if values.ndim > 2:
        return Side(ImageCodec(preprocess).fit(values), values.shape[1:])
    if not (isinstance(preprocess, str) and preprocess == "auto"):
        raise ValueError(
            f"preprocess={preprocess!r} is for images; rows are standardised: leave "
            "it at 'auto', and scale them in a Pipeline."
        )
    rows = values.reshape(len(values), -1)
    names = None if names is None else [str(name) for name in names]
    return Side(RowCodec().fit(rows), rows.shape[1:], names, values.ndim == 1)
