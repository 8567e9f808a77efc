"""Cross-validation of domain adaptation without its pitfalls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import check_cv, cross_validate
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object

from mlmi_sklearn.metrics import make_domain_scorer, target_scorer
from mlmi_sklearn.metrics.domain_scorers._fitting import domain_fit_params
from mlmi_sklearn.model_selection._rows import (
    named_targets,
    needed_domains,
    numbered,
    unknown_labels,
    without_names,
)
from mlmi_sklearn.model_selection.splitters import (
    DomainStratifiedKFold,
    LeaveOneDomainOut,
)
from mlmi_sklearn.model_selection.target_tasks import TargetTask, iter_target_domains

__all__ = ["safe_cv"]

EACH = "each-target"
NAME = "sample_domain"


def safe_cv(
    estimator: Any,
    X: Any,
    y: Any,
    sample_domain: Any = None,
    *,
    cv: Any = 5,
    scoring: Any = None,
    random_state: Any = None,
    **options: Any,
) -> dict[str, np.ndarray]:
    """Cross-validate on rows of several domains, and score on the target.

    :func:`sklearn.model_selection.cross_validate`, with what is easily forgotten:
    metadata routing is switched on meanwhile, folds hold every domain, scores count
    labelled target rows alone, and an estimator that knows nothing of domains is
    trained on the source only, which makes it the baseline.

    Parameters
    ----------
    estimator : estimator
        Any classifier or regressor.
    X : array-like of shape (n, ...)
        Rows of all domains.
    y : array-like of shape (n,)
        Labels. Those of target rows are for scoring; whether training may use them is
        up to the estimator.
    sample_domain : array-like of shape (n,), scalar or None, default=None
        Ids: at least 0 for sources, below 0 for targets, or names if the estimator has
        ``target_domains``. With None, rows with the unlabelled marker in y are the
        target.
    cv : int, splitter, iterable or "each-target", default=5
        Number of folds of :class:`DomainStratifiedKFold`, or what scikit-learn takes.
        With "each-target" each domain in turn is the target without labels and all
        others are sources, whatever their ids were; see :func:`iter_target_domains`.
        Any names will do then.
    scoring : str, callable, list, dict or None, default=None
        Scores of labelled target rows by names of scikit-learn's, such as "roc_auc";
        scores that need no label there by names that
        :func:`~mlmi_sklearn.metrics.make_domain_scorer` knows, such as "im"; or a
        scorer. None is accuracy, or the coefficient of determination in regression.
        Where no test set holds rows of the target, rows of the source count instead.
    random_state : int, RandomState instance or None, default=None
        Determines the folds when `cv` is a number.
    **options : dict
        Further arguments of ``cross_validate``, such as ``n_jobs``.

    Returns
    -------
    dict
        What ``cross_validate`` returns; with "each-target" one entry a domain, whose
        name is in ``"domain"``.

    Raises
    ------
    ValueError
        If nothing says which rows are the target, or folds cannot be made.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mlmi_sklearn.datasets import make_rotated_moons
    >>> from mlmi_sklearn.model_selection import safe_cv
    >>> X, y, sample_domain = make_rotated_moons(angle=60, random_state=0)
    >>> found = safe_cv(
    ...     LogisticRegression(), X, y, sample_domain, cv=3, random_state=0,
    ...     scoring=["accuracy", "source"],
    ... )
    >>> found["test_source"].mean() - found["test_accuracy"].mean() > 0.1
    np.True_
    """
    with config_context(enable_metadata_routing=True):
        if isinstance(cv, str):
            if cv != EACH:
                raise ValueError(
                    f"cv must be a number, a splitter or {EACH!r}: {cv!r}."
                )
            tasks = list(iter_target_domains(X, y, sample_domain))
            _check_scored(tasks)
            return _joined([_one(estimator, t, scoring, options) for t in tasks])
        named = named_targets(estimator) or getattr(cv, "target_domains", None)
        domains = needed_domains("safe_cv", X, y, sample_domain, named)
        model, ids = numbered(estimator, domains)
        if cv is None or isinstance(cv, Integral):
            n_splits = 5 if cv is None else int(cv)
            cv = DomainStratifiedKFold(n_splits, random_state=random_state)
            folds = list(cv.split(X, y, ids))
        elif isinstance(cv, DomainStratifiedKFold | LeaveOneDomainOut):
            folds = list(clone_with(cv, target_domains=None).split(X, y, ids))
        else:
            splitter = check_cv(cv, y, classifier=is_classifier(estimator))
            folds = list(splitter.split(X, y))
        return _validate(model, X, y, ids, folds, scoring, options)


def clone_with(splitter: Any, **changes: Any) -> Any:
    """Return a splitter with other attributes.

    Parameters
    ----------
    splitter : splitter
        Left as it is.
    **changes : dict
        Attributes.

    Returns
    -------
    splitter
    """
    other = clone(splitter, safe=False)
    vars(other).update(changes)
    return other


def _validate(
    model: Any,
    X: Any,
    y: Any,
    ids: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    scoring: Any,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Call cross_validate with routing on, which is the caller's to switch."""
    if not domain_fit_params(model, ids):
        usable = (ids >= 0) & ~unknown_labels(y)
        folds = [(train[usable[train]], test) for train, test in folds]
    on_source = all((ids[test] >= 0).all() for _, test in folds)
    params = {**(options.get("params") or {}), NAME: ids}
    found: dict[str, Any] = cross_validate(
        model,
        X,
        y,
        cv=folds,
        scoring=_scorers(scoring, on_source),
        **{**options, "params": params},
    )
    return found


def _check_scored(tasks: Sequence[TargetTask]) -> None:
    """Refuse domains without labels before anything is fitted."""
    for task in tasks:
        if not len(task.test):
            raise ValueError(
                f"Domain {task.name!r} has no label to score with. Leave it to a loop "
                "over iter_target_domains(..., targets=[...]) to name those that have."
            )


def _one(
    estimator: Any, task: TargetTask, scoring: Any, options: dict[str, Any]
) -> dict[str, Any]:
    """Score on one domain that has no labels in training."""
    n = len(task.y)
    # Rows of the target twice: without labels to adapt to, with labels to score on.
    rows = np.append(np.arange(n), task.test)
    y = np.append(task.y, task.y_test)
    if task.y.dtype.kind == "O":
        y = np.array([*task.y, *task.y_test.tolist()], dtype=object)
    ids = task.sample_domain[rows]
    fold = (np.arange(n), np.arange(n, len(rows)))
    X = _safe_indexing(task.X, rows)
    model = without_names(estimator)
    found = _validate(model, X, y, ids, [fold], scoring, options)
    if "indices" in found:
        found["indices"] = {"train": [np.arange(n)], "test": [task.test]}
    return {**found, "domain": np.array([task.name])}


def _joined(parts: Sequence[Any]) -> Any:
    """Join the results for all domains, whatever they are."""
    if isinstance(parts[0], dict):
        return {key: _joined([part[key] for part in parts]) for key in parts[0]}
    if isinstance(parts[0], list | tuple):
        return [item for part in parts for item in part]
    return np.concatenate(parts)


def _scorers(scoring: Any, on_source: bool) -> Any:
    """Return scorers for cross_validate that look at the right rows."""
    if isinstance(scoring, Mapping):
        return {name: _scorer(item, on_source) for name, item in scoring.items()}
    if isinstance(scoring, list | tuple | set):
        return {str(item): _scorer(item, on_source) for item in scoring}
    return _scorer(scoring, on_source)


def _scorer(item: Any, on_source: bool) -> Any:
    """Return one scorer."""
    if isinstance(item, str) and item not in get_scorer_names():
        try:
            return make_domain_scorer(item)
        except ValueError as error:
            raise ValueError(
                f"scoring={item!r} is neither a score of scikit-learn nor one that "
                f"does without labels of the target: {error}"
            ) from None
    if callable(item):
        request = get_routing_for_object(item)
        if NAME in request.consumes("score", [NAME]):
            return item
    if on_source:
        return make_domain_scorer("source", scoring=item)
    return target_scorer(item)
