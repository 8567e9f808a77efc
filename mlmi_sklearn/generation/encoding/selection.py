"""Which columns a user calls categorical."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...components.naming import did_you_mean

__all__ = ["categorical_positions"]


def categorical_positions(
    categorical_features: Any, X: Any, names: list[Any] | None, n_columns: int
) -> set[int]:
    """Return the positions of the columns that are named, counted from 0.

    Parameters
    ----------
    categorical_features : "from_dtype", None, sequence or callable
        Names (of a DataFrame), positions or a mask of columns, or a function of X that
        returns such; "from_dtype" and None name none.
    X : DataFrame or ndarray of shape (n, n_columns)
        What a callable is called with.
    names : list or None
        Names of the columns, if they have any.
    n_columns : int
        Number of columns.

    Raises
    ------
    ValueError
        If there is no such column, or a mask has a wrong length.

    Examples
    --------
    >>> sorted(categorical_positions([True, False, True], None, None, 3))
    [0, 2]
    >>> sorted(categorical_positions(["b"], None, ["a", "b"], 2))
    [1]
    """
    if callable(categorical_features):
        categorical_features = categorical_features(X)
    if categorical_features is None:
        return set()
    if isinstance(categorical_features, str):
        if categorical_features == "from_dtype":
            return set()
        raise ValueError(
            "categorical_features must be 'from_dtype', None, a list of columns, a "
            f"mask or a callable, got {categorical_features!r}. For one column, pass "
            f"[{categorical_features!r}]."
        )
    given = np.asarray(list(categorical_features), dtype=object)
    if all(isinstance(item, bool | np.bool_) for item in given) and len(given):
        if len(given) != n_columns:
            raise ValueError(
                f"categorical_features is a mask of {len(given)} columns, but X has "
                f"{n_columns}."
            )
        return set(np.flatnonzero(given.astype(bool)).tolist())
    return {_position(item, names, n_columns) for item in given.tolist()}


def _position(item: Any, names: list[Any] | None, n_columns: int) -> int:
    """Return the position of one column."""
    if isinstance(item, int | np.integer) and not isinstance(item, bool):
        if -n_columns <= item < n_columns:
            return int(item) % n_columns
        raise ValueError(
            f"categorical_features holds {item}, but X has {n_columns} columns, "
            "counted from 0."
        )
    if names is None:
        raise ValueError(
            f"categorical_features holds {item!r}, but X has no column names. Pass a "
            "DataFrame or positions."
        )
    if item not in names:
        hint = did_you_mean(item, [n for n in names if isinstance(n, str)])
        raise ValueError(
            f"categorical_features holds {item!r}, which is no column of X.{hint}"
        )
    return names.index(item)
