"""Which rows a score counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..base.inputs import as_host_array
from ..base.warn import warn_user
from ..containers.domains import resolve_domains
from ..exceptions import DomainWarning

__all__ = ["scored_rows"]

Array = NDArray[Any]


def scored_rows(
    estimator: Any, X: Any, y: Any, sample_domain: Any = None
) -> Array | None:
    """Return the rows that count in a score: labelled, and of a target if there is one.

    Parameters
    ----------
    estimator : estimator
        Fitted. Of a classifier ``classes_`` is read, since -1 is no marker where it is
        a class; also ``target_domains``.
    X, y : array-like
        Rows and their targets.
    sample_domain : array-like, scalar or None
        Ids of domains.

    Returns
    -------
    ndarray of int or None
        Row numbers; None for all.

    Raises
    ------
    ValueError
        If no row has a label.

    Warns
    -----
    DomainWarning
        If there is a target, but no label of it, so that the source counts.
    """
    known = _known(y, getattr(estimator, "classes_", None))
    n = len(known)
    domains = resolve_domains(
        sample_domain, n, target_domains=getattr(estimator, "target_domains", None)
    )
    if domains is not None and (known & domains.is_target).any():
        known = known & domains.is_target
    elif domains is not None and domains.is_target.any() and known.any():
        warn_user(
            "No row of the target has a label in y, so the score counts rows of the "
            "source. Pass the labels of the target, or take a score that needs none: "
            "mlmi_sklearn.metrics.make_domain_scorer.",
            DomainWarning,
        )
    if not known.any():
        raise ValueError(
            "y holds no label to score: every entry is the marker for no label (-1 "
            "for integers, NaN for floats, None for objects)."
        )
    return None if known.all() else np.flatnonzero(known)


def _known(y: Any, classes: Array | None) -> Array:
    """Return which rows have a label."""
    values = np.asarray(as_host_array(y))
    if values.ndim == 0:
        raise ValueError("y should be a 1d array, got a scalar. Pass one target a row.")
    known = ~pd.isna(values)
    is_integer = values.dtype.kind == "i" and classes is not None
    if is_integer and values.ndim == 1 and -1 not in np.asarray(classes):
        known &= values != -1
    return np.asarray(known.reshape(len(values), -1).all(axis=1))
