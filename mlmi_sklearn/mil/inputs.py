"""What multiple-instance estimators accept as X."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..base.inputs import as_host_array, read_array
from ..containers import Bags, check_bags

__all__ = ["holds_bags", "read_bags"]


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
    if sparse.issparse(X):
        return False
    if hasattr(X, "columns") or hasattr(X, "iloc"):
        return _one_column(X) and _first_is_bag(np.asarray(X))
    if isinstance(X, list | tuple):
        return any(_ndim(bag) >= 2 for bag in X[:1])
    if getattr(getattr(X, "dtype", None), "kind", None) == "O":
        return _first_is_bag(np.asarray(X))
    return _ndim(X) >= 3


def read_bags(estimator: Any, X: Any, *, reset: bool) -> Bags:
    """Validate X as bags of finite numbers.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : object
        See :func:`~mlmi_sklearn.check_bags`.
    reset : bool
        Whether this is training data.

    Returns
    -------
    Bags
        Of float32 or float64.

    Raises
    ------
    BagError, ValueError
        If X cannot be read as bags, holds NaN or infinity, or differs in width or
        column names from the training data.
    """
    if not holds_bags(X):
        if hasattr(X, "columns"):
            check_bags(X)  # refuses long frames
        rows = read_array(estimator, X, reset=reset)
        return Bags(rows, np.ones(len(rows), dtype=np.int64))
    bags = check_bags(X)
    # A view over permuted bags gathers its instances at each access: do it once.
    return bags.with_values(read_array(estimator, bags.values, reset=reset))


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
