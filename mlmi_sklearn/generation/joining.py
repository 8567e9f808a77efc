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
        The same values; anything else is returned as it is.
    """
    if sparse.issparse(X):
        return X.toarray()
    if not isinstance(X, pd.DataFrame):
        return X
    if not any(isinstance(t, pd.SparseDtype) for t in X.dtypes):
        return X
    kinds = [t.subtype if isinstance(t, pd.SparseDtype) else t for t in X.dtypes]
    return X.astype(dict(zip(X.columns, kinds, strict=True)))


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
    first : DataFrame or Series of pandas or polars, sparse matrix, list or array-like
        Real rows.
    second : DataFrame, Series or ndarray
        Synthetic ones.

    Returns
    -------
    same type as `first`, or ndarray
        Both. A table of pandas is numbered anew, and its columns keep their types.
    """
    if sparse.issparse(first):
        below = sparse.csr_matrix(second, dtype=first.dtype)
        return sparse.vstack([first, below], format=first.format)
    if isinstance(first, (pd.Series, pd.DataFrame)):
        return _joined_pandas(first, second)
    if isinstance(first, list):
        return copied(first) + np.asarray(second).tolist()
    if type(first).__module__.startswith("polars"):
        return _joined_polars(first, second)
    first = np.asarray(first)
    return np.concatenate([first, np.asarray(second).astype(first.dtype)])


def _joined_pandas(first: Any, second: Any) -> Any:
    if isinstance(first, pd.DataFrame) and not isinstance(second, pd.DataFrame):
        second = pd.DataFrame(second, columns=first.columns)
    # Types first: numbers between sparse and dense columns have none in common.
    second = second.astype(first.dtypes if first.ndim == 2 else first.dtype)
    return pd.concat([first, second], ignore_index=True)


def _joined_polars(first: Any, second: Any) -> Any:
    if not hasattr(first, "schema"):
        values = [*first.to_list(), *np.asarray(second).tolist()]
        return type(first)(first.name, values, dtype=first.dtype)
    columns = {name: second[name].tolist() for name in second.columns}
    return first.vstack(type(first)(columns, schema=first.schema))


def copied(values: Any) -> Any:
    """Return a copy in the same type; rows of a list are copied, too."""
    if isinstance(values, list):
        return [copied(row) if isinstance(row, list) else row for row in values]
    if hasattr(values, "clone"):
        return values.clone()
    return values.copy() if hasattr(values, "copy") else np.array(values)
