"""Fit a clone of any estimator with ``sample_domain``, wherever that has to go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from mlmi_sklearn.metrics.domain_scorers._domains import plain_labels

__all__ = ["best_of", "domain_fit_params", "fit_clone", "with_marker"]

NAME = "sample_domain"


def best_of(estimator: Any) -> Any:
    """Return what a fitted search chose; any other estimator as it is."""
    return getattr(estimator, "best_estimator_", estimator)


def domain_fit_params(estimator: Any, ids: NDArray[np.int64]) -> dict[str, Any]:
    """Return keywords that carry domain ids to all parts whose ``fit`` takes them.

    Parameters
    ----------
    estimator : estimator
        A pipeline, a search and the like count as what they hold.
    ids : ndarray of shape (n,), int64
        One id a row.

    Returns
    -------
    dict
        Keywords of ``estimator.fit``; empty where nothing takes domains.
    """
    if has_fit_parameter(estimator, NAME):
        return {NAME: ids}
    if get_config()["enable_metadata_routing"]:
        routing = get_routing_for_object(estimator)
        return {NAME: ids} if routing.consumes("fit", [NAME]) else {}
    if isinstance(estimator, Pipeline):
        return {
            f"{name}__{key}": value
            for name, step in estimator.steps
            if hasattr(step, "fit")
            for key, value in domain_fit_params(step, ids).items()
        }
    held = getattr(estimator, "estimator", None)
    return domain_fit_params(held, ids) if hasattr(held, "fit") else {}


def fit_clone(estimator: Any, X: Any, y: NDArray[Any], ids: NDArray[np.int64]) -> Any:
    """Fit a clone on both domains, or on the source alone where domains mean nothing.

    Parameters
    ----------
    estimator : estimator
        Left as it is.
    X : array-like of shape (n, ...)
        Rows of both domains.
    y : ndarray of shape (n,)
        Labels; what target rows hold is the business of the estimator.
    ids : ndarray of shape (n,), int64
        One id a row.

    Returns
    -------
    estimator
        Fitted.
    """
    model = clone(estimator)
    if hasattr(model, "get_params"):
        # Ids are numbers here, whatever the names of the domains were.
        model.set_params(
            **{
                name: None
                for name, value in model.get_params().items()
                if name.split("__")[-1] == "target_domains" and value is not None
            }
        )
    params = domain_fit_params(model, ids)
    if params:
        return model.fit(X, y, **params)
    source = np.flatnonzero(ids >= 0)
    return model.fit(_safe_indexing(X, source), plain_labels(y[source]))


def with_marker(
    labels: NDArray[Any], positions: NDArray[np.intp], n_rows: int
) -> NDArray[Any]:
    """Return labels of all rows: those known in their places, the marker elsewhere.

    Parameters
    ----------
    labels : ndarray of shape (k,) or (k, n_outputs)
        Labels that are known.
    positions : ndarray of shape (k,), int
        Rows they belong to.
    n_rows : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_outputs)
        NaN marks rows among floats and -1 among whole numbers. None does among
        anything else, and where -1 could be mistaken for a class.
    """
    marker: Any = None
    dtype: Any = object
    if labels.dtype.kind == "f":
        marker, dtype = np.nan, labels.dtype
    elif labels.dtype.kind in "iu":
        values = np.unique(labels)
        if len(values) >= 2 and values[0] >= 0:
            marker, dtype = -1, np.int64
    out = np.full((n_rows, *labels.shape[1:]), marker, dtype=dtype)
    out[positions] = labels
    return out
