"""Keys that select bags, read as numpy reads them on an (n_bags, 1) column."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np


def bag_key(key: Any, n_bags: int) -> int | slice | np.ndarray:
    """Reduce any supported key to an int, a slice or an array of valid positions.

    Raises
    ------
    IndexError
        When the key is out of range, a mask of the wrong length, or of another type.
    """
    if isinstance(key, tuple):
        key = _drop_column(key)
    if key is Ellipsis:
        return slice(None)
    if isinstance(key, slice):
        return key
    if isinstance(key, Integral) and not isinstance(key, bool):
        return _position(int(key), n_bags)
    return _positions(_as_array(key), n_bags)


def _drop_column(key: tuple[Any, ...]) -> Any:
    """Strip the column part of (key, ...), (key, :) and (key, 0)."""
    if len(key) == 1:
        return key[0]
    if len(key) == 2 and (key[1] is Ellipsis or _selects_column(key[1])):
        return key[0]
    raise IndexError(
        "Bags are one column of bags: index bags with X[key], and features with "
        f"X.with_values(X.values[:, columns]). Got X[{key!r}]."
    )


def _selects_column(key: Any) -> bool:
    """Tell whether `key` selects exactly the one column there is."""
    try:
        return np.arange(1)[key].size == 1
    except (IndexError, TypeError):
        return False


def _as_array(key: Any) -> np.ndarray:
    """Return a key made of integers or booleans as an array."""
    array = np.asarray(key)
    if array.size == 0 and array.ndim == 1 and array.dtype.kind != "b":
        return array.astype(np.intp)
    if array.dtype.kind not in "biu" or (array.ndim == 0 and array.dtype.kind == "b"):
        raise IndexError(
            "Bags are selected by an int, a slice, an array of ints or a mask of "
            f"booleans, got {key!r}. To select by name compare with X.bag_ids."
        )
    if array.ndim > 1:
        raise IndexError(
            f"Bags are selected by a one-dimensional array, got shape {array.shape}."
        )
    return array


def _positions(array: np.ndarray, n_bags: int) -> int | np.ndarray:
    """Turn a mask or signed positions into positions from 0 to n_bags - 1."""
    if array.dtype.kind == "b":
        if len(array) != n_bags:
            raise IndexError(
                f"The mask has {len(array)} entries, but there are {n_bags} bags."
            )
        return np.flatnonzero(array)
    if array.ndim == 0:
        return _position(int(array), n_bags)
    if array.size:
        for extreme in (int(array.min()), int(array.max())):
            _position(extreme, n_bags)
    signed = array.astype(np.intp)
    return np.where(signed < 0, signed + n_bags, signed)


def _position(index: int, n_bags: int) -> int:
    """Return a non-negative position, or refuse one that is out of range."""
    if not -n_bags <= index < n_bags:
        raise IndexError(f"Bag {index} is out of range: there are {n_bags} bags.")
    return index + n_bags if index < 0 else index
