"""Labels of real and synthetic rows: classes, numbers or several columns of either."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

from mlmi_sklearn.metrics.synthetic._tables import Array, row_count

__all__ = ["TASKS", "check_labels", "is_continuous", "label_columns", "strata"]

TASKS = ("auto", "classification", "regression")
# More different values than these are too many to be classes, if few rows share one.
_FEW = 20
_BINS = 5


def label_columns(
    X: Any, y: Any, X_synthetic: Any, y_synthetic: Any
) -> list[tuple[Array, Array]]:
    """Return pairs of label columns, real and synthetic, of one type each.

    Raises
    ------
    ValueError
        If labels are missing, or their number is not that of the rows.
    """
    real = check_labels(y, X, "y", "X")
    made = check_labels(y_synthetic, X_synthetic, "y_synthetic", "X_synthetic")
    if real.shape[1] != made.shape[1]:
        raise ValueError(
            f"y and y_synthetic must have the same columns, got {real.shape[1]} and "
            f"{made.shape[1]}."
        )
    return [
        (_typed(real.iloc[:, i]), _typed(made.iloc[:, i])) for i in range(real.shape[1])
    ]


def check_labels(y: Any, X: Any, name: str, data: str) -> pd.DataFrame:
    """Return labels as a frame of as many rows as the data."""
    if y is None:
        raise ValueError(f"{name} must be given: this metric needs labels, got None.")
    if hasattr(y, "detach") and hasattr(y, "cpu"):
        y = y.detach().cpu().numpy()
    if hasattr(y, "to_list") and not hasattr(y, "iloc"):  # a polars column
        y = y.to_list()
    one = not hasattr(y, "iloc") and np.ndim(y) != 2
    frame = pd.DataFrame(column_or_1d(y) if one else y)
    if len(frame) != row_count(X):
        raise ValueError(
            f"{name} must have as many rows as {data}, got {len(frame)} and "
            f"{row_count(X)}."
        )
    if frame.isna().to_numpy().any():
        raise ValueError(f"{name} contains missing labels; drop these rows before.")
    return frame


def is_continuous(y: Array, task: str = "auto") -> bool:
    """Tell whether labels are measurements rather than classes.

    Floats are, unless they are 20 or fewer whole numbers; integers are if there
    are more than 20, for fewer than five rows each.
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {TASKS}, got {task!r}.")
    if task != "auto":
        return task == "regression"
    if y.dtype.kind in "OUSb":
        return False
    n_values = len(np.unique(y))
    if y.dtype.kind in "iu":
        return n_values > _FEW and n_values > 0.2 * len(y)
    return bool(n_values > _FEW or np.any(y != np.round(y)))


def strata(
    X: Any, y: Any, X_synthetic: Any, y_synthetic: Any
) -> tuple[Array, Array, list[Any]]:
    """Return codes of the groups within which rows are compared, and their names.

    Classes are groups; numbers are cut at the quintiles of the real ones; without
    labels, all rows are one group. Of several columns, combinations are.

    Returns
    -------
    real, made : ndarray of int
        A code of -1 stands for a group that is not among the real ones.
    names : list
    """
    if y is None or y_synthetic is None:
        zeros = [np.zeros(row_count(part), dtype=int) for part in (X, X_synthetic)]
        return zeros[0], zeros[1], [None]
    pairs = [_grouped(*pair) for pair in label_columns(X, y, X_synthetic, y_synthetic)]
    if len(pairs) == 1:
        real, made = pairs[0]
    else:
        real, made = (_tuples([pair[i] for pair in pairs]) for i in (0, 1))
    codes, names = pd.factorize(pd.Series(list(real), dtype=object))
    found = pd.Index(names, tupleize_cols=False).get_indexer(
        pd.Index(list(made), dtype=object, tupleize_cols=False)
    )
    return codes, found, list(names)


def _tuples(columns: list[Array]) -> Array:
    """Return one object for each row, the tuple of its labels."""
    rows = np.empty(len(columns[0]), dtype=object)
    rows[:] = list(zip(*(column.tolist() for column in columns), strict=True))
    return rows


def _grouped(real: Array, made: Array) -> tuple[Array, Array]:
    """Return classes as they are, and numbers as the fifth that they fall into."""
    if not is_continuous(real):
        return real, made
    edges = np.unique(np.quantile(real, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.digitize(real, edges), np.digitize(made.astype(np.float64), edges)


def _typed(column: pd.Series[Any]) -> Array:
    """Return numbers as such, everything else as objects."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    if numeric and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy()
    values = column.infer_objects().to_numpy()
    return values if values.dtype.kind in "biuf" else values.astype(object)
