"""Real and synthetic rows, one after the other, in the type in which they came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from .sampling import pick_rows

__all__ = ["copied", "densified", "joined", "rows_like"]

Array = NDArray[Any]


def densified(X: Any) -> Any:
    """Return samples without sparse parts.

    Parameters
    ----------
    X : sparse matrix, DataFrame or array-like
        The samples; a DataFrame may have sparse columns.

    Returns
    -------
    DataFrame or array-like
        ``X`` itself if there is nothing sparse about it.
    """
    if sparse.issparse(X):
        return X.toarray()
    if not isinstance(X, pd.DataFrame):
        return X
    dense = [
        c.sparse.to_dense() if isinstance(c.dtype, pd.SparseDtype) else c
        for _, c in X.items()
    ]
    if all(c is own for c, (_, own) in zip(dense, X.items(), strict=True)):
        return X
    return pd.concat(dense, axis=1)


def rows_like(y: Any, rows: Array) -> Any:
    """Return targets of rows, in the form of ``y``."""
    if sparse.issparse(y):
        return y.tocsr()[rows]
    if isinstance(y, (pd.Series, pd.DataFrame)):
        return pick_rows(y, rows)
    return np.asarray(y)[rows]


def joined(first: Any, second: Any) -> Any:
    """Put two sets of rows one after the other, in the type of the first.

    Parameters
    ----------
    first : DataFrame, Series, polars table, sparse matrix, list or array-like
        Real rows.
    second : DataFrame, Series or ndarray
        Synthetic ones.

    Returns
    -------
    same type as `first`, or ndarray
        Both. A DataFrame is numbered anew, and its columns keep their types.
    """
    if sparse.issparse(first):
        below = sparse.csr_matrix(second, dtype=first.dtype)
        return sparse.vstack([first, below], format=first.format)
    if isinstance(first, (pd.Series, pd.DataFrame)):
        return _joined_pandas(first, second)
    if isinstance(first, list):
        return copied(first) + np.asarray(second).tolist()
    if hasattr(first, "schema") and isinstance(second, pd.DataFrame):
        columns = {name: second[name].tolist() for name in second.columns}
        return first.vstack(type(first)(columns, schema=first.schema))
    first = np.asarray(first)
    return np.concatenate([first, np.asarray(second).astype(first.dtype)])


def _joined_pandas(first: Any, second: Any) -> Any:
    if isinstance(first, pd.DataFrame) and not isinstance(second, pd.DataFrame):
        second = pd.DataFrame(second, columns=first.columns)
    # Types first: numbers between sparse and dense columns have none in common.
    second = second.astype(first.dtypes if first.ndim == 2 else first.dtype)
    return pd.concat([first, second], ignore_index=True)


def copied(values: Any) -> Any:
    """Return a copy in the same type; rows of a list are copied, too."""
    if isinstance(values, list):
        return [copied(row) if isinstance(row, list) else row for row in values]
    if hasattr(values, "clone"):
        return values.clone()
    return values.copy() if hasattr(values, "copy") else np.array(values)
