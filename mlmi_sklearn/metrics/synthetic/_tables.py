"""Real and synthetic data as arrays or frames with the same columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Array", "Table", "aligned_tables", "is_category", "row_count", "take_rows"]

Array = NDArray[Any]
Table = Any
"""A float64 array of shape (n, ...) or a pandas DataFrame."""


def aligned_tables(named: dict[str, Any]) -> list[Table]:
    """Return all tables in the form of the first, which is the real one.

    Parameters
    ----------
    named : dict of str to array-like or DataFrame
        Tables by the names that errors call them; the real one first.

    Returns
    -------
    list of ndarray of float64, or list of DataFrame
        With equal shapes apart from the number of rows, columns in the order of the
        first table. NaN and missing values are left in.

    Raises
    ------
    ValueError
        If a table is empty, one-dimensional, infinite, or its columns differ.
    TypeError
        If a table is sparse or cannot be read as one.
    """
    tables = [_read(X, name) for name, X in named.items()]
    names = list(named)
    if any(isinstance(X, pd.DataFrame) or X.dtype == object for X in tables):
        tables = _as_frames(tables, names)
    first = tables[0]
    for name, X in zip(names[1:], tables[1:], strict=True):
        if X.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"{name} must have the same features as {names[0]}, got shape "
                f"{X.shape} beside {first.shape}."
            )
    return tables


def is_category(column: pd.Series[Any]) -> bool:
    """Tell whether a column of a frame holds categories: no numbers, no dates."""
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        return True
    return not (
        pd.api.types.is_numeric_dtype(kind)
        or pd.api.types.is_datetime64_any_dtype(kind)
        or pd.api.types.is_timedelta64_dtype(kind)
    )


def row_count(X: Any) -> int:
    """Return the number of rows of an array, frame, tensor or list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def take_rows(X: Any, rows: Array) -> Any:
    """Return rows of an array or frame; None stays None."""
    if X is None:
        return None
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    return X[rows]


def _read(X: Any, name: str) -> Table:
    """Return one table, checked on its own."""
    if sparse.issparse(X):
        raise TypeError(f"{name} is sparse; pass a dense array: X.toarray().")
    if hasattr(X, "get_column"):  # polars
        X = pd.DataFrame({c: X.get_column(c).to_list() for c in X.columns})
    if isinstance(X, pd.Series):
        X = X.to_frame()
    table = _checked_frame(X, name) if isinstance(X, pd.DataFrame) else _array(X, name)
    if not len(table) or 0 in table.shape[1:]:
        raise ValueError(
            f"{name} must have at least one row and one feature, got shape "
            f"{table.shape}."
        )
    return table


def _array(X: Any, name: str) -> Table:
    """Return an array of numbers, or of objects where there are others among them."""
    if hasattr(X, "detach") and hasattr(X, "cpu"):  # a tensor
        X = X.detach().cpu()
        X = X.float() if str(X.dtype) == "torch.bfloat16" else X
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X.astype(np.float64), np.nan)
    array = np.asarray(X)
    if array.ndim < 2:
        raise ValueError(
            f"{name} must have rows and features, got shape {array.shape}. Reshape a "
            "single feature with X.reshape(-1, 1)."
        )
    if array.dtype.kind in "OUS" and array.ndim == 2:
        frame = pd.DataFrame(array.astype(object)).infer_objects()
        if any(is_category(frame[c]) for c in frame):
            return array.astype(object)
        array = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold real numbers, or be a DataFrame where it holds "
            f"categories, got dtype {array.dtype}."
        )
    array = array.astype(np.float64)
    if np.isinf(array).any():
        raise ValueError(f"{name} contains infinity; only NaN may stand for numbers.")
    if array.ndim > 2 and np.isnan(array).any():
        raise ValueError(
            f"{name} holds images with NaN; fill them before, for example with the "
            "background."
        )
    return array


def _checked_frame(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a frame whose columns are float64 or objects."""
    if not frame.columns.is_unique:
        doubles = frame.columns[frame.columns.duplicated()].tolist()
        raise ValueError(f"Columns of {name} must have different names, got {doubles}.")
    columns = {
        c: (_objects if is_category(frame[c]) else _numbers)(frame[c]) for c in frame
    }
    read = pd.DataFrame(columns, index=range(len(frame)), columns=frame.columns)
    for c in read:
        if not is_category(read[c]) and np.isinf(read[c]).any():
            raise ValueError(f"Column {c!r} of {name} contains infinity.")
    return read


def _objects(column: pd.Series[Any]) -> Array:
    """Return categories as Python objects, None where missing."""
    values = np.array(column.astype(object), dtype=object)
    values[column.isna().to_numpy()] = None
    return values


def _numbers(column: pd.Series[Any]) -> Array:
    """Return numbers and dates as floats, NaN where missing."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        column = column - pd.Timestamp(0, tz=column.dt.tz)
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        column = column.dt.total_seconds() / 86400.0
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _as_frames(tables: list[Table], names: list[str]) -> list[pd.DataFrame]:
    """Return frames with the columns and kinds of the first frame among the tables."""
    known = [X for X in tables if isinstance(X, pd.DataFrame)]
    model = known[0] if known else pd.DataFrame(tables[0])
    frames: list[pd.DataFrame] = []
    for name, X in zip(names, tables, strict=True):
        frame = X
        if not isinstance(X, pd.DataFrame):
            if X.shape[1:] != (model.shape[1],):
                raise ValueError(
                    f"{name} has shape {X.shape} beside a DataFrame of "
                    f"{model.shape[1]} columns; the numbers of columns must agree."
                )
            frame = pd.DataFrame(X, columns=model.columns).infer_objects()
            frame = _checked_frame(frame, name)
        frames.append(_in_order(frame, frames[0] if frames else model, name))
    pairs = zip(names, frames, strict=True)
    return [_same_kinds(frame, frames[0], name) for name, frame in pairs]


def _in_order(frame: pd.DataFrame, model: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the columns of `model`, or say which ones differ."""
    missing = [c for c in model.columns if c not in frame.columns]
    further = [c for c in frame.columns if c not in model.columns]
    if missing or further:
        raise ValueError(
            f"{name} must have the columns of the other data: missing are {missing}, "
            f"not known are {further}."
        )
    return frame[list(model.columns)]


def _same_kinds(frame: pd.DataFrame, real: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the columns as categories or numbers, whichever the real ones are."""
    frame = frame.copy()
    for c in real:
        if is_category(real[c]) and not is_category(frame[c]):
            frame[c] = frame[c].astype(object).where(frame[c].notna(), None)
        elif is_category(frame[c]) and not is_category(real[c]):
            frame[c] = _parsed(frame[c], name)
    return frame


def _parsed(column: pd.Series[Any], name: str) -> Any:
    """Return a column of objects as numbers."""
    try:
        return pd.to_numeric(column).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {column.name!r} of {name} must hold numbers as the real one does: "
            f"{error}"
        ) from error
