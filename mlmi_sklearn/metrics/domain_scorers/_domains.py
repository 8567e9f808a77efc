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

from mlmi_sklearn.containers.domains import resolve_domains
from mlmi_sklearn.containers.unlabelled import unlabelled

__all__ = [
    "DomainRows",
    "domain_ids",
    "domain_rows",
    "labelled_target",
    "plain_labels",
    "without_label",
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
        there = ~without_label(labels, estimator).any(axis=1)
        labelled, labels = source[there], plain_labels(labels[there])
    return DomainRows(X, ids, source, np.flatnonzero(ids < 0), labelled, labels)


def domain_ids(
    sample_domain: Any, n_rows: int, target_domains: Any = None
) -> NDArray[np.int64]:
    """Return numbers of domains, one a row.

    Parameters
    ----------
    sample_domain : array-like of shape (n_rows,), int or str
        Ids; below 0 for target, or among `target_domains`. A scalar counts for every
        row.
    n_rows : int
        Number of rows.
    target_domains : list, default=None
        Ids of the target; None tells them by the sign.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        0, 1, ... for sources and -1, -2, ... for targets.

    Raises
    ------
    ValueError
        If ids are not one a row, or do not say which rows are the target.
    """
    domains = resolve_domains(sample_domain, n_rows, target_domains=target_domains)
    assert domains is not None  # ids were given
    codes = domains.codes(domains.names)
    return np.where(domains.is_target, domains.n_sources - 1 - codes, codes)


def without_label(y: NDArray[Any], estimator: Any = None) -> NDArray[np.bool_]:
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
    ndarray of shape (n, n_outputs), bool
        With one column where y has one dimension.
    """
    regression = estimator is not None and is_regressor(estimator)
    classes = _classes(estimator)
    if y.ndim == 1 and y.dtype.kind == "i" and classes is not None and not regression:
        is_marker = -1 not in classes.tolist()
        missing: Any = (y == -1) & is_marker
    else:
        missing = unlabelled(y, integers=y.ndim == 1 and not regression)
    if missing is None:
        missing = np.zeros(y.shape, dtype=bool)
    return missing if missing.ndim == 2 else missing[:, None]


def labelled_target(
    rows: DomainRows, y: Any, estimator: Any
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return positions and labels of target rows whose label is known."""
    labels = plain_labels(_safe_indexing(y, rows.target))
    there = ~without_label(labels, estimator).any(axis=1)
    return rows.target[there], plain_labels(labels[there])


def _ids_of_markers(y: Any, n_rows: int, estimator: Any) -> NDArray[np.int64]:
    """Return -1 for rows whose label is the marker, else 0."""
    marked: Any = np.zeros(n_rows, dtype=bool)
    if y is not None:
        marked = without_label(plain_labels(y), estimator).all(axis=1)
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
        if len(kinds) == 1 and issubclass(kinds.pop(), int | float | str | np.generic):
            return np.array(values)
    return labels


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
