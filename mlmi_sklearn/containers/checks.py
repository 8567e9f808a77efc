"""The one door through which estimators take bags in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from mlmi_sklearn.containers._names import BAG_COLUMNS
from mlmi_sklearn.containers._store import as_numeric, as_numpy, numbers_of
from mlmi_sklearn.containers.bags import Bags
from mlmi_sklearn.exceptions import BagError

__all__ = ["check_bags"]

_NUMERIC_KINDS = {"floating", "integer", "mixed-integer-float", "boolean", "empty"}

_ACCEPTED = (
    "Pass Bags, a list of arrays of shape (n_instances, n_features), a 3-D array of "
    "equal bags, or a 2-D array whose rows are bags of one instance"
)


def check_bags(X: Any, *, name: str = "X", allow_nd: bool = True) -> Bags:
    """Turn anything that can be read as bags into :class:`Bags`.

    Whether values are finite is left to the caller, who checks the flat matrix once.

    Parameters
    ----------
    X : Bags, list, array, Series or frame
        - :class:`Bags`: returned as they are;
        - list, tuple, object array of shape (n_bags,) or (n_bags, 1), Series or
          one-column frame of arrays of shape (n_instances, n_features); the arrays
          may be numpy, CSR, torch or frames;
        - numeric 3-D array: bags of equal size;
        - numeric 2-D array, CSR matrix or frame: every row is a bag of one instance.
    name : str, default="X"
        What to call the argument in error messages.
    allow_nd : bool, default=True
        Whether instances may have several axes, as images do.

    Returns
    -------
    Bags
        At least one bag, with at least one feature.

    Raises
    ------
    BagError
        If `X` cannot be read as bags. Long frames, with one row per instance, are
        refused with a pointer to :meth:`Bags.from_frame`.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import check_bags
    >>> check_bags([np.zeros((3, 2)), np.zeros((5, 2))])
    <Bags: 2 bags, 8 instances, 2 features (sizes 3/4/5)>
    >>> check_bags(np.zeros((4, 2)))
    <Bags: 4 bags, 4 instances, 2 features (sizes 1/1/1)>
    """
    bags = X if isinstance(X, Bags) else _convert(X, name)
    shape = (len(bags), bags.n_features)
    for axis, what in enumerate(("sample(s)", "feature(s)")):
        if shape[axis] == 0:
            raise BagError(
                f"{name}: Found array with 0 {what} (shape={shape}) while a minimum of "
                "1 is required."
            )
    if not allow_nd and len(bags.instance_shape) > 1:
        raise BagError(
            f"{name}: instances of shape {bags.instance_shape} are not vectors. "
            "Flatten them: bags.with_values(bags.values.reshape(bags.n_instances, -1))."
        )
    return bags


def _convert(X: Any, name: str) -> Bags:
    """Choose the reader by the type of `X`."""
    if isinstance(X, pd.DataFrame):
        return _from_table(X, name)
    if sparse.issparse(X):
        return _singles(X.tocsr(), name)
    if getattr(X, "is_nested", False):
        return Bags.from_list(X.unbind(), name=name)
    if isinstance(X, list | tuple):
        return _from_sequence(X, name)
    if hasattr(X, "columns") and hasattr(X, "to_numpy"):
        frame = pd.DataFrame(X.to_numpy(), columns=list(X.columns), copy=False)
        return _from_table(frame.infer_objects(), name)
    if isinstance(X, str | bytes | dict | type) or not (
        hasattr(X, "__array__") or hasattr(X, "detach")
    ):
        raise BagError(f"{name} has type {type(X).__name__}. {_ACCEPTED}.")
    return _from_array(as_numpy(X), name)


def _from_array(array: np.ndarray, name: str) -> Bags:
    """Read an object array of bags, or a numeric one of two axes or more."""
    if array.dtype.kind == "O" and array.ndim in (1, 2):
        column = array.ravel()
        single = array.ndim == 1 or array.shape[1] == 1
        if single and len(column) and _is_bag(column[0]):
            return Bags.from_list(column, name=name)
    if array.ndim < 2:
        raise BagError(
            f"{name}: Expected 2D array, got {array.ndim}D array instead. Reshape your "
            f"data: {name}.reshape(-1, 1) for one feature, {name}.reshape(1, -1) for "
            f"one instance. {_ACCEPTED}; a long frame goes through Bags.from_frame."
        )
    if array.ndim == 2:
        return _singles(array, name)
    # Object arrays come here when numpy merged equal bags into one block.
    return Bags.from_padded(as_numeric(array, name))


def _singles(values: Any, name: str) -> Bags:
    """Read every row as a bag of one instance."""
    return Bags(as_numeric(values, name), np.ones(values.shape[0], dtype=np.int64))


def _from_sequence(X: Sequence[Any], name: str) -> Bags:
    """Read a list of bags, or a nested list of numbers as a 2-D array."""
    if len(X) == 0:
        raise BagError(f"{name} is an empty {type(X).__name__}. {_ACCEPTED}.")
    if not all(_is_flat(row) for row in X):
        return Bags.from_list(X, name=name)
    widths = {np.size(row) for row in X}
    if len(widths) > 1:
        raise BagError(
            f"{name} is a list of lists of different length: a bag needs two axes, "
            f"such as [[1.0, 2.0], [3.0, 4.0]]. {_ACCEPTED}."
        )
    return _from_array(as_numpy(X), name)


def _is_bag(cell: Any) -> bool:
    """Tell whether a cell of an object array holds an array rather than a number."""
    return not isinstance(cell, str | dict) and hasattr(cell, "__len__")


def _is_flat(row: Any) -> bool:
    """Tell whether a list element is a number, text, or a plain list of these."""
    if isinstance(row, list | tuple):
        return all(np.isscalar(cell) or cell is None for cell in row)
    return np.isscalar(row) or row is None


def _from_table(df: pd.DataFrame, name: str) -> Bags:
    """Read a column of bags, or numeric rows as bags of one; refuse long frames."""
    if isinstance(df.index, pd.MultiIndex):
        raise _long_frame(name, f"has a MultiIndex {list(df.index.names)}")
    if str(df.index.name).lower() in BAG_COLUMNS:
        raise _long_frame(name, f"has the index {df.index.name!r}")
    if df.shape[1] == 1 and len(df) and _is_bag(df.iat[0, 0]):
        return Bags.from_list(df.iloc[:, 0], name=name)
    for position, column in enumerate(df.columns):
        if str(column).lower() in BAG_COLUMNS:
            raise _long_frame(name, f"has a column {column!r}")
        kind = _kind(df.iloc[:, position])
        if kind not in _NUMERIC_KINDS:
            raise _long_frame(name, f"has the column {column!r} of type {kind}")
    return _singles(numbers_of(df), name)


def _kind(column: pd.Series) -> str:
    """Return what a column holds; objects may be numbers after all."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "floating"
    return pd.api.types.infer_dtype(column, skipna=True)


def _long_frame(name: str, reason: str) -> BagError:
    """Explain how to convert a frame with one row per instance."""
    return BagError(
        f"{name} {reason}, so it looks like a long frame with one row per instance. "
        f"Convert it with bags, y = Bags.from_frame({name}, bag=..., y=...), or drop "
        "the columns that are not features."
    )
