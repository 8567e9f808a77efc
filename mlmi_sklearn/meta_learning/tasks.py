"""Which rows belong to which task: ids beside X, or in a column of X."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from ..base.inputs import as_host_array
from ..base.naming import naming
from ..components import did_you_mean
from ..exceptions import TaskError

__all__ = [
    "ROUTING",
    "TaskRows",
    "as_table",
    "encode_tasks",
    "require_one_way",
    "require_task_column",
    "take_task_column",
]

Array = NDArray[Any]

ROUTING = (
    "Pass groups= to fit. Inside GridSearchCV, cross_validate or a Pipeline that takes "
    "sklearn.set_config(enable_metadata_routing=True); without it scikit-learn keeps "
    "groups to itself. Or let the tasks travel in a column of X: task='name'."
)
"""How tasks reach an estimator."""


def take_task_column(X: Any, task: Hashable | None) -> tuple[Any, Any | None]:
    """Split the column with ids of tasks from the features.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        A frame or a two-dimensional array.
    task : str, int or None
        Name of the column, or its position in an array.

    Returns
    -------
    X : array-like
        Without the column; as it was where there is none of that name.
    ids : ndarray of shape (n_samples,) or None
        What stood in the column.

    Raises
    ------
    TaskError
        If X has no columns, or none at that position.

    Examples
    --------
    >>> frame = pd.DataFrame({"site": ["a", "b"], "dose": [1.0, 2.0]})
    >>> X, ids = take_task_column(frame, "site")
    >>> list(X.columns), ids.tolist()
    (['dose'], ['a', 'b'])
    """
    if task is None:
        return X, None
    if isinstance(X, list | tuple):
        rest, ids = take_task_column(as_table(X), task)
        return np.asarray(rest.tolist()), ids
    names = _column_names(X)
    if isinstance(task, str):
        if names is None:
            raise TaskError(
                f"task={task!r} is the name of a column, but X has no column names. "
                "Pass a frame, or the position of the column as an integer."
            )
        if task not in names:
            return X, None
        place = names.index(task)
    else:
        place = _position(X, task)
    keep = [k for k in range(_n_columns(X)) if k != place]
    ids = np.asarray(_safe_indexing(X, place, axis=1)).ravel()
    return _safe_indexing(X, keep, axis=1), ids


def as_table(X: Any) -> Any:
    """Turn nested lists into an array that keeps ids and numbers as they are."""
    if not isinstance(X, list | tuple):
        return X
    table = np.asarray(X)
    return table if table.dtype.kind in "biuf" else np.asarray(X, dtype=object)


def require_one_way(groups: Any, ids: Any, task: Hashable | None) -> None:
    """Raise a TaskError if tasks are named beside X and in a column of it."""
    if groups is None or ids is None:
        return
    raise TaskError(
        f"Tasks are named twice, by groups and by the column task={task!r}. Pass one "
        "of them. Where groups are there for a splitter alone, say so by "
        "set_fit_request(groups=False) and set_score_request(groups=False)."
    )


def require_task_column(X: Any, task: Hashable | None, ids: Any) -> None:
    """Raise a TaskError if a named column is not there in training."""
    if task is None or ids is not None:
        return
    names = _column_names(X) or []
    raise TaskError(
        f"task={task!r} is not a column of X.{did_you_mean(str(task), names)} Columns "
        f"are {names[:20]}."
    )


def encode_tasks(groups: Any, n: int) -> tuple[Array, Array]:
    """Give every task a number.

    Parameters
    ----------
    groups : array-like of shape (n,)
        One id a row, of any type.
    n : int
        Number of rows.

    Returns
    -------
    names : ndarray of shape (n_tasks,)
        The ids, sorted where they can be.
    codes : ndarray of int of shape (n,)
        Position of each row's id in `names`.

    Raises
    ------
    TaskError
        If there is not one id a row, or one is missing.

    Examples
    --------
    >>> encode_tasks(["b", "a", "b"], 3)[1].tolist()
    [1, 0, 1]
    """
    with naming("groups"):
        ids = np.asarray(as_host_array(groups))
        if ids.dtype.kind == "V":
            raise TypeError("records are no ids.")
    if ids.shape != (n,):
        raise TaskError(
            f"groups has shape {ids.shape}, but X has {n} rows. Pass one id of a task "
            "for each row."
        )
    lost = int(np.asarray(pd.isna(ids)).sum())
    if lost:
        raise TaskError(f"groups has {lost} missing ids. Name a task for each row.")
    with naming("groups"):
        codes, names = pd.factorize(ids, sort=_sortable(ids))
    return np.asarray(names), codes.astype(np.int64)


@dataclass
class TaskRows:
    """Validated rows and the code of the task of each.

    Parameters
    ----------
    values : ndarray of shape (n, ...)
        The rows.
    codes : ndarray of int of shape (n,) or None
        Codes of tasks; None if no task was named.
    """

    values: Array
    codes: Array | None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> TaskRows:
        codes = None if self.codes is None else self.codes[index]
        return TaskRows(self.values[index], codes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the rows."""
        return self.values.shape

    @property
    def dtype(self) -> Any:
        """Type of the rows."""
        return self.values.dtype


def _column_names(X: Any) -> list[Any] | None:
    columns = getattr(X, "columns", None)
    return None if columns is None else list(columns)


def _n_columns(X: Any) -> int:
    names = _column_names(X)
    return len(names) if names is not None else int(np.shape(X)[1])


def _position(X: Any, task: Any) -> int:
    if _num_samples(X) and _column_names(X) is None and np.ndim(X) != 2:
        raise TaskError(
            f"task={task!r} is a column, but X has shape {np.shape(X)}. Pass rows of "
            "features, or groups= to fit."
        )
    n = _n_columns(X)
    if not -n <= int(task) < n:
        raise TaskError(f"task={task!r} is not a column of X, which has {n}.")
    return int(task) % n


def _sortable(ids: Array) -> bool:
    return ids.dtype.kind != "O" or len({type(v) for v in ids.tolist()}) == 1
