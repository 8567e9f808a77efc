"""The table around the columns: a DataFrame or a 2-D array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...base.inputs import as_host_array

__all__ = ["Container", "read_table"]

Array = NDArray[Any]


@dataclass
class Container:
    """What a table was, apart from its cells.

    Parameters
    ----------
    n_columns : int
        Number of columns.
    dtype : str, default=None
        Type of an array; None for a DataFrame.
    labels : list, default=()
        Names of the columns of a DataFrame.
    label_type : str, default="object"
        Their type.
    label_names : list, default=(None,)
        Names of the levels of the column index.
    """

    n_columns: int
    dtype: str | None = None
    labels: list[Any] = field(default_factory=list)
    label_type: str = "object"
    label_names: list[Any] = field(default_factory=lambda: [None])

    @classmethod
    def of(cls, X: Any) -> Container:
        """Return that of a table as ``read_table`` returns it."""
        if not isinstance(X, pd.DataFrame):
            return cls(X.shape[1], _text(X.dtype))
        return cls(
            X.shape[1],
            labels=list(X.columns),
            label_type=str(X.columns.dtype),
            label_names=list(X.columns.names),
        )

    @property
    def is_frame(self) -> bool:
        """Whether it is a DataFrame."""
        return self.dtype is None

    @property
    def names(self) -> list[Any] | None:
        """Names of the columns, None for an array."""
        return self.labels if self.is_frame else None

    def columns(self, X: Any) -> list[Any]:
        """Return the columns of a table.

        Raises
        ------
        ValueError
            If their number, or in DataFrames their names or order, differ from those
            in training.
        """
        if X.shape[1] != self.n_columns:
            raise ValueError(
                f"X has {X.shape[1]} features, but {self.n_columns} were expected, as "
                "in training."
            )
        if not isinstance(X, pd.DataFrame):
            return [X[:, j] for j in range(self.n_columns)]
        if self.is_frame and list(X.columns) != self.labels:
            missing = [name for name in self.labels if name not in set(X.columns)]
            what = f"lacks {missing[:3]}" if missing else "are in another order"
            raise ValueError(
                f"X: columns {what}; training had {self.labels[:10]}"
                f"{' ...' if self.n_columns > 10 else ''} in this order."
            )
        return [X.iloc[:, j] for j in range(self.n_columns)]

    def assemble(self, columns: list[Any], n: int) -> Any:
        """Return a table of columns of n rows."""
        if not self.is_frame:
            table = np.empty((n, self.n_columns), dtype=self.dtype)
            for j, column in enumerate(columns):
                table[:, j] = column
            return table
        frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(n))
        frame.columns = self._index()
        return frame

    def _index(self) -> pd.Index:
        if len(self.label_names) > 1:
            return pd.MultiIndex.from_tuples(self.labels, names=self.label_names)
        return pd.Index(self.labels, dtype=self.label_type, name=self.label_names[0])


def read_table(X: Any) -> Any:
    """Return a DataFrame as it is, and anything else as a 2-D array.

    Parameters
    ----------
    X : DataFrame, array-like or Tensor of shape (n, n_columns)
        A table.

    Raises
    ------
    TypeError
        If it is a sparse matrix.
    ValueError
        If it is no table or has no rows or columns.
    """
    if hasattr(X, "toarray"):
        raise TypeError("X is sparse, but must be dense. Pass X.toarray().")
    if not isinstance(X, pd.DataFrame):
        X = np.asarray(as_host_array(X))
    if X.ndim != 2:
        hint = " Reshape one column with X.reshape(-1, 1)." if X.ndim == 1 else ""
        raise ValueError(
            f"X must be a table of shape (n_samples, n_features), got {X.ndim} "
            f"dimensions.{hint}"
        )
    for count, what in zip(X.shape, ("sample", "feature"), strict=True):
        if not count:
            raise ValueError(
                f"X has 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required."
            )
    return X


def _text(dtype: np.dtype[Any]) -> str:
    return dtype.str if dtype.kind in "USMm" else str(dtype)
