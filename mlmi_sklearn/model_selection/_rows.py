"""The domains of rows, as splitters and selection need them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.containers.domains import Domains, resolve_domains
from mlmi_sklearn.containers.unlabelled import unlabelled

__all__ = [
    "class_codes",
    "named_targets",
    "needed_domains",
    "numbered",
    "unknown_labels",
    "without_names",
]


def needed_domains(
    who: str,
    X: Any,
    y: Any,
    sample_domain: Any,
    target_domains: Any = None,
    *,
    routing_hint: bool = False,
) -> Domains:
    """Return the domains of rows, or say how to pass them.

    Parameters
    ----------
    who : str
        Name of the caller, for messages.
    X, y : array-like
        Rows, and labels or None.
    sample_domain : array-like, scalar or None
        Ids; with None, rows that carry the unlabelled marker in y are the target.
    target_domains : collection of ids or None
        Ids that are targets.
    routing_hint : bool, default=False
        Whether the caller is called by scikit-learn, which passes ids on only if told.

    Returns
    -------
    Domains

    Raises
    ------
    ValueError
        If nothing says which rows are the target, or y has another length than X.
    """
    n = _num_samples(X)
    if y is not None and _num_samples(y) != n:
        raise ValueError(f"X has {n} rows, but y has {_num_samples(y)} labels.")
    domains = resolve_domains(
        sample_domain, n, y=y, target_domains=target_domains, integers=_may_mark(y)
    )
    if domains is None:
        hint = (
            " (in a search or cross_validate this needs "
            "sklearn.set_config(enable_metadata_routing=True))"
            if routing_hint
            else ""
        )
        raise ValueError(
            f"{who} has to know which rows are the target: pass sample_domain{hint}, "
            "or mark the labels of target rows in y as unknown with -1 for integers, "
            "NaN for floats or None for objects."
        )
    return domains


def _may_mark(y: Any) -> bool:
    """Tell whether -1 can stand for an unknown label: not in several columns."""
    return y is not None and np.ndim(y) == 1


def unknown_labels(y: Any) -> np.ndarray:
    """Return which rows of y carry the unlabelled marker throughout.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
        Labels.

    Returns
    -------
    ndarray of bool of shape (n,)
    """
    n = _num_samples(y)
    missing = unlabelled(y, integers=_may_mark(y))
    if missing is None:
        return np.zeros(n, dtype=bool)
    return np.asarray(np.asarray(missing).reshape(n, -1).all(axis=1))


def class_codes(y: Any, known: np.ndarray) -> np.ndarray:
    """Return a number for the class of each row, to stratify by.

    Parameters
    ----------
    y : array-like or None
        Labels.
    known : ndarray of bool of shape (n,)
        Rows whose class may be looked at.

    Returns
    -------
    ndarray of int of shape (n,)
        From 1 for classes; 0 for rows that are not known, and for all rows where y
        holds no classes but measurements or several columns.
    """
    codes = np.zeros(len(known), dtype=np.int64)
    if y is None or not known.any():
        return codes
    labels = np.asarray(y)[known]
    if labels.dtype.kind == "O":
        labels = labels.astype(str)
    if type_of_target(labels) in ("binary", "multiclass"):
        codes[known] = np.unique(labels.ravel(), return_inverse=True)[1].ravel() + 1
    return codes


def named_targets(estimator: Any) -> Any:
    """Return ``target_domains`` of an estimator or of what it holds; None without."""
    found = [
        value
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] == "target_domains" and value is not None
    ]
    return found[0] if found else None


def numbered(estimator: Any, domains: Domains) -> tuple[Any, np.ndarray]:
    """Put numbers in place of the names of domains.

    Parameters
    ----------
    estimator : estimator
        Left as it is.
    domains : Domains
        Domains of rows.

    Returns
    -------
    estimator : estimator
        A clone that tells targets by their sign.
    ids : ndarray of int of shape (n,)
        0, 1, ... for sources and -1, -2, ... for targets.
    """
    codes = domains.codes(domains.names)
    ids = np.where(domains.is_target, domains.n_sources - 1 - codes, codes)
    return without_names(estimator), ids


def without_names(estimator: Any) -> Any:
    """Return a clone that tells targets by the sign of their ids."""
    names = [
        name
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] == "target_domains" and value is not None
    ]
    return clone(estimator).set_params(**dict.fromkeys(names))
