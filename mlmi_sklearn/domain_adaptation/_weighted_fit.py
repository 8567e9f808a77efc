"""Weights for any classifier, wherever in a pipeline or a search they belong."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

from numpy.typing import NDArray
from sklearn import config_context
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

__all__ = ["fit_weighted"]

Array = NDArray[Any]


def fit_weighted(model: Any, X: Any, y: Array, weight: Array | None) -> Any:
    """Fit a classifier, with weights if there are any.

    Parameters
    ----------
    model : estimator
        Is fitted in place. Of a pipeline the last step gets the weights.
    X : ndarray or CSR matrix of shape (n, n_features)
        Rows.
    y : ndarray of shape (n,)
        Labels.
    weight : ndarray of shape (n,) or None
        Weights of at least 0.

    Returns
    -------
    estimator
        The same.

    Raises
    ------
    TypeError
        If there are weights and the classifier takes none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = np.zeros((3, 1)), np.array([0, 0, 1])
    >>> fit_weighted(DummyClassifier(), X, y, np.array([1, 1, 3])).predict(X)
    array([1, 1, 1])
    """
    # How weights reach the parts is settled here, not by requests of the user.
    with config_context(enable_metadata_routing=False):
        if weight is None:
            return model.fit(X, y)
        last = model.steps[-1][1] if isinstance(model, Pipeline) else model
        if not _takes_weight(last):
            raise TypeError(
                f"estimator={model} takes no sample_weight in fit, which is how rows "
                "are weighted. Use a classifier that does, such as LogisticRegression."
            )
        prefix = f"{model.steps[-1][0]}__" if isinstance(model, Pipeline) else ""
        return model.fit(X, y, **{f"{prefix}sample_weight": weight})


def _takes_weight(estimator: Any) -> bool:
    """Tell whether fit takes weights, by name or among others, as searches do."""
    parameters = signature(estimator.fit).parameters.values()
    others = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
    return bool(has_fit_parameter(estimator, "sample_weight")) or others
