"""Work on single members of an ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, resample
from sklearn.utils.validation import _check_method_params, _num_samples

from ..base.naming import check_classes

__all__ = ["bootstrap_rows", "finite_log", "probabilities_of", "train_member"]

Array = NDArray[Any]


def train_member(
    member: Any, X: Any, y: Any, rows: Array | None, params: dict[str, Any]
) -> Any:
    """Fit one member on some rows, None for all; maybe in a process of its own."""
    if rows is None:
        return member.fit(X, y, **params)
    params = _check_method_params(X, params, indices=rows)
    return member.fit(_safe_indexing(X, rows), _safe_indexing(y, rows), **params)


def bootstrap_rows(y: Any, sample_weight: Any, rng: np.random.RandomState) -> Array:
    """Draw rows with replacement, as many of each class as there are.

    So no member misses a class. Rows of weight zero are not there.
    """
    check_classes(y)
    rows = np.arange(_num_samples(y))
    if sample_weight is not None:
        rows = rows[np.asarray(sample_weight) != 0]
    return resample(rows, stratify=_safe_indexing(y, rows), random_state=rng)


def probabilities_of(member: Any, X: Any) -> Array:
    """Return the probabilities of a member as one array."""
    proba = member.predict_proba(X)
    if isinstance(proba, list):
        raise TypeError(
            f"{type(member).__name__}.predict_proba returns one array for each "
            "target; an ensemble needs one array with a column for each label."
        )
    return np.asarray(proba)


def finite_log(p: Array) -> Array:
    """Return the logarithm, finite at zero."""
    return np.log(np.maximum(p, np.finfo(np.float64).tiny))
