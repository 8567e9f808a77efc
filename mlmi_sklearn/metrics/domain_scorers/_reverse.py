"""Reverse validation: adapt there and back, and compare with labels that are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.metrics.domain_scorers._domains import (
    DomainRows,
    domain_rows,
    plain_labels,
)
from mlmi_sklearn.metrics.domain_scorers._fitting import fit_clone, with_marker

__all__ = ["reverse_agreement", "reverse_validation_score", "way_back"]


def reverse_validation_score(
    estimator: Any,
    X: Any,
    y: Any,
    sample_domain: Any = None,
    *,
    validation_fraction: float = 0.25,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Score an estimator by adapting to the target and back, without target labels.

    An estimator is fitted on a part of both domains. Its predictions for the target
    rows of that part become labels, the domains change roles, and a second estimator
    adapts back to the source. It is scored on source rows that neither has seen. A
    model that got lost in the target cannot teach the way back.

    Parameters
    ----------
    estimator : estimator
        A classifier or regressor; cloned, never changed. Where its ``fit`` takes no
        ``sample_domain``, target rows take no part in the first fit and source rows
        none in the second, which is the source-only baseline.
    X : array-like of shape (n_samples, ...)
        Rows of both domains.
    y : array-like of shape (n_samples,)
        Labels. Those of target rows reach nothing but the ``fit`` of the estimator,
        which ignores them unless it was told to use target labels.
    sample_domain : array-like of shape (n_samples,), int or str, default=None
        One id a row, 0 and above for source and below 0 for target. With None, rows
        with the unlabelled marker in y are the target.
    validation_fraction : float, default=0.25
        Share of either domain held out of both fits, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Draws the rows held out.

    Returns
    -------
    float
        Accuracy of a classifier, in [0, 1]; coefficient of determination of a
        regressor, at most 1. Larger is better.

    Raises
    ------
    ValueError
        If a domain has fewer than two rows (labelled ones, for the source), or
        nothing says which rows are the target.

    Notes
    -----
    Two of everything are fitted, so it costs twice a fit. If all target rows are
    given one class, the estimator of the way back is that constant.

    References
    ----------
    Zhong et al., "Cross validation framework to choose amongst models and datasets
    for transfer learning", ECML 2010. Ganin et al., "Domain-adversarial training of
    neural networks", JMLR 17, 2016, section 5.1.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mlmi_sklearn.metrics import reverse_validation_score
    >>> X = np.repeat([[0.0], [1.0], [0.1], [1.1]], 10, axis=0)
    >>> y = np.repeat([0, 1, 0, 1], 10)
    >>> sample_domain = np.repeat([0, 0, -1, -1], 10)
    >>> reverse_validation_score(
    ...     LogisticRegression(), X, y, sample_domain, random_state=0
    ... )
    1.0
    """
    if not 0 < validation_fraction < 1:
        raise ValueError(
            "validation_fraction must lie between 0 and 1, both excluded, got "
            f"{validation_fraction!r}."
        )
    rows = domain_rows(X, y, sample_domain, estimator)
    _check_enough(rows)
    rng = check_random_state(random_state)
    known, held = _split(rows, rows.labelled, rows.labels, validation_fraction, rng)
    target, _ = _split(rows, rows.target, None, validation_fraction, rng)
    there = np.sort(np.concatenate([known, target]))
    y_there = plain_labels(_safe_indexing(y, there))
    forward = fit_clone(estimator, rows.take(there), y_there, rows.ids[there])
    predict = way_back(estimator, forward, rows, known, target)
    return reverse_agreement(estimator, predict, rows, held)


def way_back(
    estimator: Any,
    forward: Any,
    rows: DomainRows,
    source: NDArray[np.intp],
    target: NDArray[np.intp],
) -> Callable[[Any], NDArray[Any]]:
    """Adapt from the target, as an estimator labels it, back to the source.

    Parameters
    ----------
    estimator : estimator
        Its clone is fitted.
    forward : estimator
        Fitted; labels the target rows.
    rows : DomainRows
        Rows of both domains.
    source, target : ndarray of int
        Positions of the rows to take part.

    Returns
    -------
    callable
        Predicts rows of the source.
    """
    told = plain_labels(forward.predict(rows.take(target)))
    if not is_regressor(estimator) and len(np.unique(told)) == 1:
        # No classifier can be fitted to one class, and none is needed.
        return lambda X: np.full(_num_samples(X), told[0])
    # In their own order, which splitters inside the estimator may rely on.
    there = np.sort(np.concatenate([source, target]))
    y = with_marker(told, np.searchsorted(there, target), len(there))
    # -1 - id turns each source into a target of its own, and the other way round.
    back = fit_clone(estimator, rows.take(there), y, -1 - rows.ids[there])
    return lambda X: plain_labels(back.predict(X))


def reverse_agreement(
    estimator: Any,
    predict: Callable[[Any], NDArray[Any]],
    rows: DomainRows,
    held: NDArray[np.intp],
) -> float:
    """Return accuracy or R2 of the way back on labelled source rows."""
    metric = r2_score if is_regressor(estimator) else accuracy_score
    return float(metric(rows.labels_of(held), predict(rows.take(held))))


def _check_enough(rows: DomainRows) -> None:
    """Refuse domains too small to be split."""
    for name, positions in (
        ("labelled source", rows.labelled),
        ("target", rows.target),
    ):
        if len(positions) < 2:
            raise ValueError(
                f"Reverse validation needs two {name} rows at least, got "
                f"{len(positions)}; targets have ids below 0, or are named by "
                "target_domains=[...]."
            )


def _split(
    rows: DomainRows,
    positions: NDArray[np.intp],
    labels: NDArray[Any] | None,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Hold out a share of rows, evenly over domains and classes where that goes."""
    ids = rows.ids[positions]
    strata = [ids]
    if labels is not None and labels.ndim == 1 and labels.dtype.kind != "f":
        codes = np.unique(labels, return_inverse=True)[1]
        strata.insert(0, np.unique(np.c_[ids, codes], axis=0, return_inverse=True)[1])
    seed = rng.randint(np.iinfo(np.int32).max)
    for stratify in [*strata, None]:
        try:
            train, held = train_test_split(
                positions, test_size=fraction, stratify=stratify, random_state=seed
            )
        except ValueError:  # a stratum is too small
            continue
        return train, held
    # A share so small or large that one side would be empty: one row then.
    shuffled = np.random.RandomState(seed).permutation(positions)
    cut = 1 if fraction < 0.5 else len(shuffled) - 1
    return shuffled[cut:], shuffled[:cut]
