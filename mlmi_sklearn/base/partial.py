"""Targets of which a part is unknown, marked as in ``containers.unlabelled``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..containers.unlabelled import unlabelled
from .targets import Encoded

__all__ = ["PartialTargets", "encode_partly", "read_partly"]

Array = NDArray[Any]


class PartialTargets:
    """Targets with a mask of what is missing.

    Parameters
    ----------
    values : ndarray of shape (n,) or (n, n_outputs)
        Validated targets, with fillers where missing.
    missing : ndarray of bool, of the shape of ``values``
        What is unknown.
    """

    def __init__(self, values: Array, missing: Array) -> None:
        self.values = values
        self.missing = missing

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> PartialTargets:
        return PartialTargets(self.values[rows], self.missing[rows])

    @property
    def known(self) -> Array:
        """Rows of which something is known."""
        return np.asarray(~self.missing.reshape(len(self), -1).all(axis=1))


def read_partly(
    read: Callable[[Any], Array], y: Any, *, integers: bool = True
) -> Array | PartialTargets:
    """Validate targets, aside from those that are unknown.

    Parameters
    ----------
    read : callable
        Validates complete targets.
    y : array-like of shape (n,) or (n, n_outputs)
        Targets.
    integers : bool, default=True
        Whether -1 marks what is unlabelled.

    Returns
    -------
    ndarray or PartialTargets
        The latter only if something is unknown.

    Raises
    ------
    ValueError
        If nothing is known, or the known part is not valid.
    """
    missing = unlabelled(y, integers=integers)
    if missing is None or missing.ndim not in (1, 2):
        return read(y)
    if missing.all():
        raise ValueError(
            "y holds no label: every entry is the marker for no label (-1 for "
            "integers, NaN for floats, None for objects). Label some rows of each "
            "class."
        )
    array = np.asarray(y)
    if array.ndim == 2:
        # Any known entry of the column is a filler that keeps its kind of values.
        filler = array[~missing][0]
        return PartialTargets(read(np.where(missing, filler, array)), missing)
    known = read(array[~missing].tolist() if array.dtype == object else array[~missing])
    values = np.empty(len(array), dtype=known.dtype)
    values[~missing], values[missing] = known, known[0]
    return PartialTargets(values, missing)


def encode_partly(
    encode: Callable[[Array, Array | None], Encoded], y: Any, weight: Array | None
) -> Encoded:
    """Encode what is known; mark the rest by -1 (codes) or NaN (numbers).

    Parameters
    ----------
    encode : callable
        Encodes complete targets.
    y : ndarray or PartialTargets
        Targets.
    weight : ndarray of shape (n,) or None
        Weights of rows.

    Returns
    -------
    Encoded
        One row for each of ``y``.

    Raises
    ------
    ValueError
        If what is known has no weight.
    """
    if not isinstance(y, PartialTargets):
        return encode(y, weight)
    known = y.known
    if weight is not None and not (weight[known] > 0).any():
        raise ValueError(
            "sample_weight is 0 in each row whose target in y is known. Give some of "
            "them a weight above 0."
        )
    inner = encode(y.values[known], None if weight is None else weight[known])
    unknown = -1 if inner.y.dtype.kind == "i" else np.nan
    codes = _spread(inner.y, known, unknown)
    if codes.ndim == 2 and y.missing.shape == codes.shape:
        codes[y.missing] = np.nan
    weights = inner.weight
    if weights is not None:
        weights = _spread(weights, known, 1.0)
        weights[~known] = 1.0 if weight is None else weight[~known]
    strata = None if inner.strata is None else _spread(inner.strata, known, -1)
    return replace(inner, y=codes, weight=weights, strata=strata)


def _spread(part: Array, rows: Array, filler: float) -> Array:
    """Put rows in their places among others that hold a filler."""
    whole = np.full((len(rows), *part.shape[1:]), filler, dtype=part.dtype)
    whole[rows] = part
    return whole
