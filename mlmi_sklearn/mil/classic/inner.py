"""The ordinary classifier inside: how it is scaled, fitted and asked for scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from ...base.naming import naming
from .scaling import InstanceScaler

__all__ = ["accepts_weight", "fit_inner", "fit_scaler", "inner_scores", "scaled"]

Array = NDArray[Any]

# Probabilities of 0 and 1, as forests give them, are not taken for certain.
_CLOSEST_TO_CERTAIN = 1e-6


def accepts_weight(estimator: Any) -> bool:
    """Tell whether the fit of an estimator takes weights.

    Parameters
    ----------
    estimator : estimator
        A classifier, or a pipeline that ends in one.

    Returns
    -------
    bool
        Whether ``fit_inner`` may be given unequal weights.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> accepts_weight(LogisticRegression()), accepts_weight(KNeighborsClassifier())
    (True, False)
    """
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return bool(has_fit_parameter(last, "sample_weight"))


def fit_inner(estimator: Any, X: Any, y: Array, weight: Array) -> Any:
    """Fit a copy of a classifier on weighted instances.

    Parameters
    ----------
    estimator : estimator
        Left as it is.
    X : ndarray or CSR matrix of shape (n_instances, n_features)
        Instances.
    y : ndarray of int of shape (n_instances,)
        Their labels.
    weight : ndarray of shape (n_instances,)
        Positive weights.

    Returns
    -------
    estimator
        Fitted; in a pipeline every step that takes weights has got them.

    Raises
    ------
    TypeError
        If weights differ and the classifier takes none.
    ValueError
        If all weights are too small for the type of the instances.
    """
    model = clone(estimator)
    # scikit-learn takes weights to the type of X, and 1.8 fits on nothing in silence.
    if X.dtype.kind == "f" and not weight.astype(X.dtype).any():
        raise ValueError(
            f"sample_weight is 0 in {X.dtype}, the type of X: the largest is "
            f"{weight.max():.3g}. Scale the weights, for example to a mean of 1."
        )
    names = ("X", "y", "sample_weight")
    # How weights reach the parts is settled here, not by requests of the user.
    with config_context(enable_metadata_routing=False), naming(*names):
        if not accepts_weight(model):
            if (weight != weight[0]).any():
                raise TypeError(
                    f"{model} takes no sample_weight in fit, but weights of bags "
                    "differ (sample_weight, class_weight or balance_bags). Use a "
                    "classifier that takes weights, or leave them out."
                )
            return model.fit(X, y)
        if not isinstance(model, Pipeline):
            return model.fit(X, y, sample_weight=weight)
        parameters = {
            f"{name}__sample_weight": weight
            for name, step in model.steps
            if has_fit_parameter(step, "sample_weight")
        }
        return model.fit(X, y, **parameters)


def inner_scores(model: Any, X: Any) -> Array:
    """Compute scores of instances.

    Parameters
    ----------
    model : estimator
        A fitted classifier.
    X : ndarray or CSR matrix of shape (n_instances, n_features)
        Instances.

    Returns
    -------
    ndarray of shape (n_instances, 1) or (n_instances, n_classes)
        One column for two classes. What ``decision_function`` returns, in float64;
        log-odds of probabilities if there is none.

    Raises
    ------
    TypeError
        If the classifier has neither.
    ValueError
        If there are not as many columns as classes.
    """
    n_classes = len(model.classes_)
    if hasattr(model, "decision_function"):
        scores = np.asarray(model.decision_function(X), dtype=np.float64)
    elif hasattr(model, "predict_proba"):
        p = np.asarray(model.predict_proba(X), dtype=np.float64)
        scores = logit(np.clip(p, _CLOSEST_TO_CERTAIN, 1 - _CLOSEST_TO_CERTAIN))
        scores = scores[:, 1] if n_classes == 2 else scores
    else:
        raise TypeError(
            f"estimator={model} has neither decision_function nor predict_proba, so "
            "its instances have no scores to pool. Use a classifier that has one."
        )
    scores = scores.reshape(len(scores), -1)
    if scores.shape[1] != (1 if n_classes == 2 else n_classes):
        raise ValueError(
            f"estimator={model} has {scores.shape[1]} scores for {n_classes} classes; "
            "one a class is needed (decision_function_shape='ovr' in SVC)."
        )
    return scores


def fit_scaler(values: Any, weight: Array) -> InstanceScaler:
    """Fit what brings features to one scale.

    Parameters
    ----------
    values : ndarray or CSR matrix of shape (n_instances, n_features)
        Instances.
    weight : ndarray of shape (n_instances,)
        Positive weights.

    Returns
    -------
    InstanceScaler
        Fitted.
    """
    return InstanceScaler().fit(values, sample_weight=weight)


def scaled(scaler: Any, values: Any) -> Any:
    """Apply a scaler, if there is one.

    Parameters
    ----------
    scaler : transformer or None
        From :func:`fit_scaler`.
    values : ndarray or CSR matrix of shape (n_instances, n_features)
        Instances.

    Returns
    -------
    ndarray or CSR matrix
        Of the same shape.
    """
    return values if scaler is None else scaler.transform(values)
