"""Which rows are source, which are target, and which labels may be read.

Every scorer sees its rows through :class:`DomainRows`. It holds labels of source rows
only, so a scorer cannot read a label of the target even by mistake;
:func:`labelled_target` is the single way to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import is_regressor
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

__all__ = [
    "DomainRows",
    "domain_ids",
    "domain_rows",
    "labelled_target",
    "plain_labels",
    "unlabelled",
]


@dataclass(frozen=True)
class DomainRows:
    """Rows of both domains.

    Attributes
    ----------
    X : array-like of shape (n, ...)
        As given to the scorer.
    ids : ndarray of shape (n,), int64
        Domain of each row, ``>= 0`` source and ``< 0`` target.
    source, target : ndarray of int
        Positions of the rows of either domain.
    labelled : ndarray of int
        Positions of source rows whose label is known.
    y_labelled : ndarray
        Labels of those rows; None where y was not given.
    """

    X: Any
    ids: NDArray[np.int64]
    source: NDArray[np.intp]
    target: NDArray[np.intp]
    labelled: NDArray[np.intp]
    y_labelled: NDArray[Any] | None

    @property
    def labels(self) -> NDArray[Any]:
        """Labels of the rows in `labelled`."""
        if self.y_labelled is None:
            raise ValueError("y is None; labels of the source rows are needed here.")
        return self.y_labelled

    def labels_of(self, positions: NDArray[np.intp]) -> NDArray[Any]:
        """Return labels of labelled source rows by position."""
        return self.labels[np.searchsorted(self.labelled, positions)]

    def take(self, positions: NDArray[np.intp]) -> Any:
        """Return rows of X by position, of the type X has."""
        return _safe_indexing(self.X, positions)


def domain_rows(
    X: Any,
    y: Any,
    sample_domain: Any,
    estimator: Any = None,
    *,
    target_domains: Any = None,
) -> DomainRows:
    """Split rows by domain.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows of both domains, stacked.
    y : array-like of shape (n,) or None
        Labels; rows with the unlabelled marker are the target where `sample_domain`
        is None.
    sample_domain : array-like of shape (n,), int, str or None
        One id a row; see :func:`domain_ids`.
    estimator : estimator, default=None
        Asked for its classes and, with None below, for its ``target_domains``.
    target_domains : list or None, default=None
        Ids of the target where they are names.

    Returns
    -------
    DomainRows

    Raises
    ------
    ValueError
        If lengths differ, or nothing says which rows are the target.
    TypeError
        If X is a tuple of domains.
    """
    if isinstance(X, tuple):
        raise TypeError(
            "X is a tuple; stack the rows of all domains in one array (pack_domains "
            "does that) and say in sample_domain which domain each row is from."
        )
    n_rows = _num_samples(X)
    if y is not None and (n_labels := _num_samples(y)) != n_rows:
        raise ValueError(
            f"X has {n_rows} rows and y has {n_labels}; give one label a row."
        )
    if sample_domain is None:
        ids = _ids_of_markers(y, n_rows, estimator)
    else:
        named = target_domains or _target_domains(estimator)
        ids = domain_ids(sample_domain, n_rows, named)
    source = np.flatnonzero(ids >= 0)
    labelled, labels = source, None
    if y is not None:
        labels = plain_labels(_safe_indexing(y, source))
        there = ~unlabelled(labels, estimator)
        labelled, labels = source[there], plain_labels(labels[there])
    return DomainRows(X, ids, source, np.flatnonzero(ids < 0), labelled, labels)


def domain_ids(
    sample_domain: Any, n_rows: int, target_domains: Any = None
) -> NDArray[np.int64]:
    """Return one id a row, ``>= 0`` for source and ``< 0`` for target.

    Parameters
    ----------
    sample_domain : array-like of shape (n_rows,), int or str
        Whole numbers, or names where `target_domains` is given; a scalar counts for
        every row.
    n_rows : int
        Number of rows.
    target_domains : list, default=None
        Domains that are the target; None tells them by the sign.

    Returns
    -------
    ndarray of shape (n_rows,), int64

    Raises
    ------
    ValueError
        If the length differs from `n_rows`, or ids are neither whole numbers nor
        names of which some are known to be targets.
    """
    ids = np.asarray(sample_domain)
    ids = np.full(n_rows, ids.item()) if ids.ndim == 0 else ids
    if ids.shape != (n_rows,):
        raise ValueError(
            f"sample_domain must hold one id for each of the {n_rows} rows of X, got "
            f"shape {ids.shape}."
        )
    if target_domains is not None:
        names, codes = np.unique(ids.astype(str), return_inverse=True)
        is_target = np.isin(names, np.asarray(list(target_domains)).astype(str))
        return np.where(is_target, -1 - np.arange(len(names)), np.arange(len(names)))[
            codes
        ].astype(np.int64)
    try:
        numbers = ids.astype(float)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.all(np.isfinite(numbers)) or np.any(numbers != np.round(numbers)):
        raise ValueError(
            "sample_domain must hold whole numbers, 0 and above for source and below 0 "
            "for target; names of domains need target_domains=[...], of the estimator "
            "or of the scorer, to say which are the target."
        )
    return ids.astype(np.int64)


def unlabelled(y: NDArray[Any], estimator: Any = None) -> NDArray[np.bool_]:
    """Return which labels are the unlabelled marker.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, n_outputs)
        Labels.
    estimator : estimator, default=None
        Whole numbers are values to a regressor, never markers. To a classifier that
        is fitted, -1 is the marker unless it is one of ``classes_``; to others, where
        two further values at least are there.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    if y.dtype.kind == "f":
        missing = np.isnan(y)
        return missing if missing.ndim == 1 else missing.any(axis=1)
    if y.ndim != 1:
        return np.zeros(len(y), dtype=bool)
    if y.dtype.kind == "O":
        return np.array([_is_missing(value) for value in y], dtype=bool)
    if y.dtype.kind != "i" or (estimator is not None and is_regressor(estimator)):
        return np.zeros(len(y), dtype=bool)
    classes = _classes(estimator)
    if classes is not None:
        is_marker = -1 not in classes.tolist()
    else:
        is_marker = len(np.setdiff1d(y, [-1])) >= 2
    return (y == -1) & is_marker


def labelled_target(
    rows: DomainRows, y: Any, estimator: Any
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return positions and labels of target rows whose label is known."""
    labels = plain_labels(_safe_indexing(y, rows.target))
    there = ~unlabelled(labels, estimator)
    return rows.target[there], plain_labels(labels[there])


def _ids_of_markers(y: Any, n_rows: int, estimator: Any) -> NDArray[np.int64]:
    """Return -1 for rows whose label is the marker, else 0."""
    marked = np.zeros(n_rows, dtype=bool)
    if y is not None:
        marked = unlabelled(plain_labels(y), estimator)
    if not marked.any():
        hint = (
            "pass sample_domain"
            if get_config()["enable_metadata_routing"]
            else "enable metadata routing "
            "(sklearn.set_config(enable_metadata_routing=True)) and pass sample_domain"
        )
        raise ValueError(
            "This scorer was not told which rows are the target: "
            f"{hint}, or mark the target rows in y (-1 for whole numbers, NaN for "
            "floats, None for objects)."
        )
    return np.where(marked, -1, 0).astype(np.int64)


def plain_labels(y: Any) -> NDArray[Any]:
    """Return labels as an array, objects as numbers or strings where all are."""
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "O" and labels.ndim == 1:
        values = labels.tolist()
        kinds = {type(value) for value in values}
        if len(kinds) == 1 and kinds <= {int, float, bool, str}:
            return np.array(values)
    return labels


def _is_missing(value: Any) -> bool:
    """Return whether an object stands for no label: None, NaN or pandas.NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _classes(estimator: Any) -> NDArray[Any] | None:
    """Return the classes of a fitted classifier; None where it has none."""
    classes = getattr(estimator, "classes_", None)
    return None if classes is None or isinstance(classes, list) else np.asarray(classes)


def _target_domains(estimator: Any) -> Any:
    """Return ``target_domains`` of an estimator or of what it holds; None without."""
    if not hasattr(estimator, "get_params"):
        return None
    named = [
        value
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] == "target_domains" and value is not None
    ]
    return named[0] if named else None
