"""What multiple-instance estimators accept as X."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from ..base.inputs import as_host_array, read_array
from ..base.naming import naming
from ..containers import Bags, check_bags
from ..exceptions import BagError
from .streaming import read_head, streams

__all__ = ["holds_bags", "named_instances", "read_bags", "require_table"]


def holds_bags(X: Any) -> bool:
    """Tell whether X holds bags rather than rows that are bags of one instance.

    Parameters
    ----------
    X : object
        What the user passed.

    Returns
    -------
    bool
        False for anything that scikit-learn would read as a table.

    Examples
    --------
    >>> holds_bags([[[1.0], [2.0]], [[3.0]]]), holds_bags([[1.0], [2.0]])
    (True, False)
    """
    if isinstance(X, Bags):
        return True
    if sparse.issparse(X) or isinstance(X, type):
        return False
    if hasattr(X, "columns") or hasattr(X, "iloc"):
        return _one_column(X) and _first_is_bag(np.asarray(X))
    if isinstance(X, list | tuple):
        return any(_ndim(bag) >= 2 for bag in X[:1])
    if getattr(getattr(X, "dtype", None), "kind", None) == "O":
        return _first_is_bag(np.asarray(X))
    return _ndim(X) >= 3


def read_bags(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    accept_sparse: bool = False,
    stream: bool = False,
) -> Bags:
    """Validate X as bags of finite numbers.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : object
        See :func:`~mlmi_sklearn.check_bags`.
    reset : bool
        Whether this is training data.
    accept_sparse : bool, default=False
        Whether instances may be sparse.
    stream : bool, default=False
        Whether bags that :func:`~.streaming.streams` may stay where they are; their
        numbers are then checked when they are read.

    Returns
    -------
    Bags
        Of float32 or float64, if not streamed.

    Raises
    ------
    BagError, ValueError
        If X cannot be read as bags, holds NaN or infinity, or differs in width or
        column names from the training data.
    """
    if not holds_bags(X):
        require_table(X)
        rows = read_array(estimator, X, reset=reset, accept_sparse=accept_sparse)
        return Bags(rows, np.ones(rows.shape[0], dtype=np.int64))
    with naming("X"):
        bags = check_bags(X)
    if bags.is_sparse and not accept_sparse:
        raise TypeError(
            f"X holds sparse instances, but {type(estimator).__name__} needs dense "
            "ones: pass X.with_values(X.values.toarray()), or reduce them first with "
            "InstanceWise(TruncatedSVD(100))."
        )
    if stream and streams(bags):
        head = bags[0][:1]
        named = head if bags.feature_names is None else _frame(head, bags)
        return read_head(estimator, bags, named, reset=reset)
    try:
        values = read_array(
            estimator, named_instances(bags), reset=reset, accept_sparse=accept_sparse
        )
    except ValueError as error:
        _blame_a_bag(bags, error)
        raise
    # A view over permuted bags gathers its instances at each access: do it once.
    return bags.with_values(values)


def named_instances(bags: Bags) -> Any:
    """Return the instances of all bags, with the names of their features if any.

    Parameters
    ----------
    bags : Bags
        The bags.

    Returns
    -------
    ndarray, CSR matrix or DataFrame
        scikit-learn reads names of features off frames. None is copied.
    """
    if bags.feature_names is None or bags.is_sparse:
        return bags.values
    return _frame(bags.values, bags)


def _frame(values: Any, bags: Bags) -> pd.DataFrame:
    return pd.DataFrame(values, columns=list(bags.feature_names or ()), copy=False)


def require_table(X: Any) -> None:
    """Raise a BagError if what holds no bags cannot be a table of rows either.

    Parameters
    ----------
    X : object
        Something for which :func:`holds_bags` is False.
    """
    table = hasattr(X, "dtype") or hasattr(X, "__array__")
    if isinstance(X, list | tuple):
        try:
            table = np.ndim(as_host_array(X)) != 1 or not len(X)
        except ValueError:  # rows of different length
            table = False
    if hasattr(X, "columns") or not table:
        check_bags(X)  # names what is wrong; refuses long frames


def _blame_a_bag(bags: Bags, error: ValueError) -> None:
    """Say which bag holds NaN or infinity, where that was the error."""
    values = bags.values
    if sparse.issparse(values):
        rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
        bad = np.unique(rows[~np.isfinite(values.data)])
    else:
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        bad = np.flatnonzero(~finite)
    if not len(bad):
        return
    bag = int(np.searchsorted(bags.offsets, bad[0], side="right")) - 1
    instance = bad[0] - bags.offsets[bag]
    first = values[bad[:1]]
    if np.isnan(first.data if sparse.issparse(first) else first).any():
        what, remedy = "NaN", "Fill it in with InstanceWise(SimpleImputer()), or"
    else:
        what, remedy = "infinity", "Clip the values, or"
    raise BagError(
        f"Input X contains {what}: bag {bag} does, in instance {instance}. {remedy} "
        "drop such instances."
    ) from error


def _first_is_bag(column: NDArray[Any]) -> bool:
    return any(_ndim(cell) >= 2 for cell in column.reshape(-1)[:1])


def _one_column(X: Any) -> bool:
    return len(X.shape) == 1 or bool(X.shape[1] == 1)


def _ndim(value: Any) -> int:
    if hasattr(value, "ndim"):
        return int(value.ndim)
    try:
        return np.ndim(as_host_array(value))
    except ValueError:  # nested lists of different length
        return 2
