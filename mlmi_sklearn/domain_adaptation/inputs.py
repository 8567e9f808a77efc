"""From what a user passes to one stack of rows with their domains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _num_samples, validate_data

from ..base.host import on_host
from ..base.inputs import as_host_array, plain_numbers, require_no_dates
from ..base.naming import naming
from ..base.partial import PartialTargets
from ..base.warn import warn_user
from ..containers.domains import Domains, resolve_domains
from ..containers.unlabelled import unlabelled
from ..exceptions import DomainWarning
from .apart import count_rows, join

__all__ = [
    "DomainRows",
    "Stacked",
    "StackedTargets",
    "read_rows",
    "read_targets_of",
    "require_classes",
    "stack",
    "warn_of_a_label_that_is_none",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Stacked:
    """What stands for X in a fit: rows of all domains, and their domains."""

    X: Any
    domains: Domains


@dataclass(frozen=True)
class StackedTargets:
    """What stands for y in a fit: targets, of which some must not be read.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
        Targets as given, with any values where they are hidden.
    hidden : ndarray of bool of shape (n,)
        Rows whose target is not known, or not to be used.
    """

    y: Any
    hidden: Array


@dataclass(frozen=True)
class DomainRows:
    """Validated rows and their domains, indexed together.

    Parameters
    ----------
    values : ndarray or CSR matrix of shape (n, ...)
        The rows.
    domains : Domains or None
        Their domains; None where all are one source.
    """

    values: Any
    domains: Domains | None
    is_target: Array = field(init=False)

    def __post_init__(self) -> None:
        n = self.values.shape[0]
        none = np.zeros(n, dtype=bool)
        is_target = none if self.domains is None else self.domains.is_target
        object.__setattr__(self, "is_target", is_target)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __getitem__(self, rows: Any) -> DomainRows:
        domains = None if self.domains is None else self.domains[rows]
        return DomainRows(self.values[rows], domains)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the rows."""
        return tuple(self.values.shape)

    @property
    def dtype(self) -> Any:
        """Type of the numbers."""
        return self.values.dtype


def stack(
    X: Any,
    y: Any,
    sample_domain: Any = None,
    X_target: Any = None,
    y_target: Any = None,
    *,
    target_domains: Any = None,
    use_target_labels: bool = False,
    integers: bool = True,
) -> tuple[Any, Any]:
    """Bring the three ways of passing source and target into one.

    Parameters
    ----------
    X, y : array-like
        Rows of all domains, or of the source alone with ``X_target``.
    sample_domain : array-like of shape (n,), scalar or None
        Ids of domains.
    X_target, y_target : array-like or None
        Rows of the target, and what is known of their targets.
    target_domains : collection of ids or None
        Ids that are targets.
    use_target_labels : bool, default=False
        Whether targets of target rows may be read.
    integers : bool, default=True
        Whether -1 is the marker of integers.

    Returns
    -------
    X : array-like or Stacked
        As given if there is one domain only and nobody spoke of another.
    y : array-like or StackedTargets
        As given, or with the rows whose targets are hidden.

    Raises
    ------
    ValueError
        If two ways are mixed, or lengths differ.
    """
    domains: Domains | None
    with naming("X"):
        X = as_host_array(X)
    X = X.tocsr() if sparse.issparse(X) else X  # most formats have no rows
    if np.ma.is_masked(y) and y.dtype.kind in "biu":  # whole numbers have no NaN
        y = y.astype(object)
    y, sample_domain = on_host(y), on_host(sample_domain)
    if X_target is not None:
        X, y, domains, known = join(X, y, sample_domain, X_target, y_target, integers)
    else:
        if y_target is not None:
            raise ValueError("y_target needs X_target: the rows that it belongs to.")
        n = count_rows(X, "X")
        if isinstance(sample_domain, str) and sample_domain in getattr(
            X, "columns", ()
        ):
            raise ValueError(
                f"sample_domain={sample_domain!r} would be one id for all rows, not a "
                f"column of X. Pass sample_domain=X[{sample_domain!r}], and X without "
                "that column."
            )
        domains = resolve_domains(
            sample_domain, n, y=y, target_domains=target_domains, integers=integers
        )
        known = None
    if domains is None or y is None or count_rows(y, "y") != len(domains):
        return (X if domains is None else Stacked(X, domains)), y
    hidden = domains.is_target.copy()
    if use_target_labels:
        missing = unlabelled(y, integers=integers) if known is None else ~known
        lost = np.zeros(len(domains), bool) if missing is None else missing
        hidden &= lost.reshape(len(hidden), -1).all(axis=1)
    return Stacked(X, domains), StackedTargets(y, hidden)


def read_targets_of(y: StackedTargets, read: Any) -> PartialTargets:
    """Validate the targets that may be read; the others are not looked at."""
    with naming("y"):
        values = np.asarray(as_host_array(y.y))
    seen = ~y.hidden
    if not seen.any():
        raise ValueError(
            "No row has a target in y that may be used: there are only rows of target "
            "domains. Pass labelled rows of a source (sample_domain >= 0). In a "
            "cross-validation, use mlmi_sklearn.model_selection.DomainStratifiedKFold."
        )
    part = values[seen]
    known = read(part.tolist() if part.dtype == object else part)
    inner = known if isinstance(known, PartialTargets) else None
    found = known.values if inner is not None else known
    whole = np.empty((len(values), *found.shape[1:]), dtype=found.dtype)
    whole[seen], whole[~seen] = found, found[0]
    missing = np.zeros(whole.shape, dtype=bool)
    missing[~seen] = True
    if inner is not None:
        missing[seen] = inner.missing
    return PartialTargets(whole, missing)


def read_rows(estimator: Any, X: Any, *, reset: bool, n: int | None = None) -> Any:
    """Validate rows in their own type, for a method that hands them on.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : array-like or CSR matrix of shape (n_samples, n_features)
        The rows.
    reset : bool
        Whether this is training data.
    n : int or None, default=None
        Number of targets; None if there are none.

    Returns
    -------
    ndarray or CSR matrix
        Of finite numbers.

    Raises
    ------
    ValueError, TypeError
        If they are not, or there is not one target a row.
    """
    with naming("X"):
        X = as_host_array(X)
        require_no_dates(X, "X")
        X = validate_data(estimator, X, accept_sparse="csr", reset=reset)
    X = plain_numbers(X, "X")
    if n not in (None, X.shape[0]):
        raise ValueError(
            f"X has {X.shape[0]} rows, but y has {n}. Pass one target for each row."
        )
    return X


def require_classes(classes: Any, y: Any) -> None:
    """Refuse ids of domains where classes are expected, third as in ``fit``.

    Parameters
    ----------
    classes : array-like or None
        What ``partial_fit`` was given.
    y : array-like of shape (n,)
        Targets.

    Raises
    ------
    ValueError
        If there is one a row, and they are not the labels.
    """
    if classes is None or np.ndim(classes) != 1 or len(classes) != _num_samples(y):
        return
    given, labels = (set(np.asarray(as_host_array(a)).tolist()) for a in (classes, y))
    if len(given) < len(classes) and given != labels:
        raise ValueError(
            f"classes has {len(classes)} entries, one a row, but should list each "
            "class once. Ids of domains are passed by name: partial_fit(X, y, "
            "sample_domain=...)."
        )


def warn_of_a_label_that_is_none(y: StackedTargets, is_target: Array) -> None:
    """Warn of a word such as "unlabelled", which would be learnt as a class.

    Parameters
    ----------
    y : StackedTargets
        Targets, some of which are labels of target rows.
    is_target : ndarray of bool of shape (n,)
        Rows of the target.
    """
    values = np.asarray(as_host_array(y.y))
    if values.ndim != 1 or values.dtype.kind not in "UO":
        return
    labels = pd.Series(values[is_target & ~y.hidden]).value_counts()
    if labels.empty or 2 * labels.iloc[0] <= labels.sum():
        return
    word = labels.index[0]
    if not (values[~is_target] == word).any():
        warn_user(
            f"{labels.iloc[0]} of {labels.sum()} labelled rows of the target have the "
            f"label {word!r}, which no row of a source has, and which is learnt as a "
            "class. If it says that the label is unknown, put None in y.",
            DomainWarning,
        )
