"""Weights of rows, real and synthetic, wherever an estimator takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

__all__ = ["rows_with_weight", "scaled_weights"]

Array = NDArray[Any]

_NAME = "sample_weight"


def rows_with_weight(params: Mapping[str, Any], n: int) -> Array:
    """Return rows that count: a row of weight 0 is as good as absent.

    Parameters
    ----------
    params : mapping
        Parameters of ``fit``.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of int
        Rows whose weights are all above 0.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> rows_with_weight({"sample_weight": [1, 0, 2]}, 3)
    array([0, 2])
    """
    counts = np.ones(n, dtype=bool)
    for name in _names_in(params):
        weight = np.asarray(params[name])
        if weight.shape == (n,):
            counts &= weight > 0
    if not counts.any():
        raise ValueError("sample_weight is 0 for all rows. Give some a weight above 0.")
    return np.flatnonzero(counts)


def scaled_weights(
    estimator: Any, params: Mapping[str, Any], scale: Array
) -> dict[str, Any]:
    """Multiply the weights among parameters of ``fit``; set them if there are none.

    Parameters
    ----------
    estimator : estimator
        Whose parameters they are.
    params : mapping
        Parameters of ``fit``.
    scale : ndarray of shape (n_samples,)
        Factors.

    Returns
    -------
    dict
        Parameters with other weights.

    Raises
    ------
    TypeError
        If the estimator takes no weights.
    """
    names = _names_in(params) or [_name_for(estimator)]
    return {**params, **{n: np.asarray(params.get(n, 1.0)) * scale for n in names}}


def _names_in(params: Mapping[str, Any]) -> list[str]:
    return [n for n in params if n == _NAME or n.endswith(f"__{_NAME}")]


def _name_for(estimator: Any) -> str:
    """Return the name under which weights reach the one that is trained."""
    if has_fit_parameter(estimator, _NAME):
        return _NAME
    if isinstance(estimator, Pipeline) and estimator.steps:
        step, last = estimator.steps[-1]
        if has_fit_parameter(last, _NAME):
            # With routing, the steps themselves say that they want it.
            routing = get_config()["enable_metadata_routing"]
            return _NAME if routing else f"{step}__{_NAME}"
    raise TypeError(
        f"estimator={estimator!r} takes no sample_weight in fit, which is how "
        "synthetic rows get another weight. Use synthetic_weight=1, and fewer rows by "
        "ratio=."
    )
