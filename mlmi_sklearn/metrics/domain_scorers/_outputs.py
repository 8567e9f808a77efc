"""What an estimator makes of rows: class probabilities, and features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.pipeline import Pipeline

__all__ = ["features", "probabilities"]


def probabilities(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Return probabilities of the classes.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    X : array-like of shape (n, ...)
        Rows.

    Returns
    -------
    ndarray of shape (n, n_classes)
        From ``predict_proba``, else the logistic function or softmax of
        ``decision_function``.

    Raises
    ------
    TypeError
        If the estimator has neither, or predicts several labels a row.
    """
    if hasattr(estimator, "predict_proba"):
        out = np.asarray(estimator.predict_proba(X), dtype=float)
    elif hasattr(estimator, "decision_function"):
        values = np.asarray(estimator.decision_function(X), dtype=float)
        if values.ndim == 1:
            positive = expit(values)
            return np.column_stack([1 - positive, positive])
        out = softmax(values, axis=1)
    else:
        raise TypeError(
            "This scorer needs a classifier with predict_proba or decision_function; "
            f"{type(estimator).__name__} has neither."
        )
    n_classes = len(getattr(estimator, "classes_", out.T))
    if out.ndim != 2 or out.shape[1] != n_classes:
        raise TypeError(
            "This scorer needs one probability for each class and row; "
            f"{type(estimator).__name__} gives an array of shape {out.shape} for "
            f"{n_classes} classes."
        )
    return out


def features(estimator: Any, X: Any) -> Any:
    """Return what an estimator decides by, as one row of numbers for each row of X.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like of shape (n, ...)
        Rows.

    Returns
    -------
    ndarray or csr_matrix of shape (n, n_features)
        From ``transform``, else ``decision_function``, else ``predict_proba``; without
        any, what enters the last step of a pipeline, else X itself.
    """
    for method in ("transform", "decision_function", "predict_proba"):
        if hasattr(estimator, method):
            out = getattr(estimator, method)(X)
            break
    else:
        out = X
        if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
            out = estimator[:-1].transform(X)
    if sparse.issparse(out):
        return out.tocsr()
    out = np.asarray(out)
    return out.reshape(len(out), -1)
