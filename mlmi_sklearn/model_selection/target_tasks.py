"""Each hospital in turn as the one that has no labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.containers.domains import resolve_domains
from mlmi_sklearn.model_selection._rows import class_codes, unknown_labels

__all__ = ["TargetTask", "iter_target_domains"]


class TargetTask(NamedTuple):
    """One domain as target, all others as sources.

    Begins with what ``fit`` takes, so ``model.fit(*task[:3])`` works.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        The rows as given.
    y : ndarray of shape (n,)
        Labels, with the unlabelled marker in place of those of the target.
    sample_domain : ndarray of int of shape (n,)
        0, 1, ... for the other domains in the order of their first rows, -1 for the
        target.
    test : ndarray of int
        Rows of the target whose labels were hidden and are known: those to score on.
    y_test : ndarray
        Their labels.
    name : object
        Id of the target, as given.

    Examples
    --------
    >>> from mlmi_sklearn.model_selection import TargetTask, iter_target_domains
    >>> X, y, site = [[0], [1], [2], [3]], [0, 1, 0, 1], ["Ulm", "Ulm", "Bonn", "Bonn"]
    >>> task = next(iter_target_domains(X, y, site, targets=["Bonn"]))
    >>> isinstance(task, TargetTask), task.name, task.sample_domain, task.y_test
    (True, 'Bonn', array([ 0,  0, -1, -1]), array([0, 1]))
    """

    X: Any
    y: np.ndarray
    sample_domain: np.ndarray
    test: np.ndarray
    y_test: np.ndarray
    name: Any


def iter_target_domains(
    X: Any,
    y: Any,
    domain: Any,
    *,
    targets: Collection[Any] | None = None,
    n_labelled: int = 0,
    random_state: Any = None,
) -> Iterator[TargetTask]:
    """Make each domain in turn the target without labels, and all others sources.

    It answers what a new hospital can expect whose records, but not diagnoses, are at
    hand. A splitter for ``cv=`` cannot, since which ids are targets changes from fold
    to fold, and labels of the target must not be within reach of ``fit``.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows of all domains; passed on as they are.
    y : array-like of shape (n,)
        Labels; some may carry the unlabelled marker.
    domain : array-like of shape (n,)
        Domain of each row: numbers or names, of whatever sign.
    targets : collection of ids or None, default=None
        Domains to make the target, in this order; None for all, in the order of their
        first rows.
    n_labelled : int, default=0
        Labels of the target to keep for semi-supervised adaptation: that many of each
        class (of all rows, where y holds measurements), drawn at random.
    random_state : int, RandomState instance or None, default=None
        Determines which; the same for a domain whatever `targets` is.

    Yields
    ------
    TargetTask
        ``X, y, sample_domain, test, y_test, name``.

    Raises
    ------
    ValueError
        If there are fewer than two domains, `targets` names one that is not there, or
        lengths differ.

    Notes
    -----
    The marker is NaN among floats, -1 among whole numbers, and None among anything
    else and where -1 could be taken for a class.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mlmi_sklearn.datasets import load_heart_multisite
    >>> from mlmi_sklearn.model_selection import iter_target_domains
    >>> heart = load_heart_multisite()
    >>> age_and_sex = heart.data[:, :2]
    >>> for task in iter_target_domains(age_and_sex, heart.target, heart.site):
    ...     source = task.sample_domain >= 0
    ...     model = LogisticRegression().fit(task.X[source], task.y[source])
    ...     score = model.score(task.X[task.test], task.y_test)
    ...     print(f"{task.name:12} {score:.2f}")
    cleveland    0.61
    hungarian    0.62
    switzerland  0.71
    va           0.77
    """
    check_scalar(n_labelled, "n_labelled", Integral, min_val=0)
    n = _num_samples(X)
    if _num_samples(y) != n:
        raise ValueError(f"X has {n} rows, but y has {_num_samples(y)} labels.")
    names, codes = _named(domain, n)
    wanted = names if targets is None else list(targets)
    if missing := [name for name in wanted if name not in names]:
        raise ValueError(
            f"targets names {missing[0]!r}, which is not among the domains {names}."
        )
    return _tasks(X, np.asarray(y), names, codes, wanted, n_labelled, random_state)


def _named(domain: Any, n: int) -> tuple[list[Any], np.ndarray]:
    """Return the domains in the order of their first rows, and their number by row."""
    domains = resolve_domains(domain, n, target_domains=[])
    if domains is None or len(domains.names) < 2:
        raise ValueError(
            "domain must hold two different ids at least, one for each row of X, got "
            f"{domain!r}."
        )
    return domains.names.tolist(), domains.codes(domains.names)


def _tasks(
    X: Any,
    y: np.ndarray,
    names: list[Any],
    codes: np.ndarray,
    wanted: Collection[Any],
    n_labelled: int,
    random_state: Any,
) -> Iterator[TargetTask]:
    rng = check_random_state(random_state)
    # Drawn for all domains at once, so that the order of targets does not matter.
    ranks = rng.permutation(len(codes))
    known = ~unknown_labels(y)
    for name in wanted:
        number = names.index(name)
        is_target = codes == number
        kept = _first_of_each_class(y, ranks, is_target & known, n_labelled)
        test = np.flatnonzero(is_target & known & ~kept)
        sample_domain = np.where(is_target, -1, codes - (codes > number))
        labels = _hide(y, ~known | (is_target & ~kept))
        yield TargetTask(X, labels, sample_domain, test, y[test], name)


def _first_of_each_class(
    y: np.ndarray, ranks: np.ndarray, among: np.ndarray, n: int
) -> np.ndarray:
    """Mark the n rows of lowest rank of each class."""
    frame = pd.DataFrame({"code": class_codes(y, among), "rank": ranks})[among]
    order = frame.groupby("code")["rank"].rank(method="first")
    kept = np.zeros(len(y), dtype=bool)
    kept[np.flatnonzero(among)] = (order <= n).to_numpy()
    return kept


def _hide(y: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return a copy of labels with the marker for those to be hidden."""
    kind, shown = y.dtype.kind, y[~hidden]
    if kind == "f":
        marker: Any = np.nan
    elif kind == "i" and y.ndim == 1 and len(np.unique(shown)) >= 2 and min(shown) >= 0:
        marker = -1
    else:
        y, marker = y.astype(object), None
    y = y.copy()
    y[hidden] = marker
    return y
