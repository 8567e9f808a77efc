"""Scores of how well a model finds the instances that make a bag positive.

Bag labels train the model; instance labels, where somebody drew them, test it. All
functions take the instance labels and scores either flat, one entry per instance in
bag order, or ragged, a list with one array per bag. Instances labelled -1 are unknown
and left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import numpy as np
from scipy.stats import hypergeom
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.utils import check_scalar

from mlmi_sklearn.metrics._instance_input import flatten, per_bag, required

__all__ = ["hit_rate_at_k", "instance_average_precision", "instance_roc_auc"]


def instance_roc_auc(
    y_instances: Any,
    scores: Any,
    *,
    bags: Any = None,
    within_positive: bool = False,
    average: Literal["pooled", "bag"] = "pooled",
) -> float:
    """Area under the ROC curve of instance scores.

    Parameters
    ----------
    y_instances : array-like of shape (n_instances,), or list of such per bag
        1 for positive, 0 for negative, -1 for unknown instances.
    scores : array-like of shape (n_instances,), or list of such per bag
        Instance scores, larger for positive, such as those of ``instance_scores``.
    bags : Bags or array-like of int of shape (n_bags,), default=None
        The bags, or their lengths; needed for flat input where bags matter.
    within_positive : bool, default=False
        Whether to use only bags that hold a positive instance. Then telling positive
        from negative bags earns nothing, which is what localisation means.
    average : {"pooled", "bag"}, default="pooled"
        One curve over all instances, or the mean over the bags that hold both positive
        and negative instances.

    Returns
    -------
    float
        Between 0 and 1, 0.5 for guessing; NaN, with a warning, if positive or negative
        instances are missing.

    Raises
    ------
    ValueError
        If shapes or labels are wrong, or bags are needed and unknown.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import instance_roc_auc
    >>> labels, scores = [[0, 1], [0, 0, 1]], [[0.1, 0.9], [0.6, 0.2, 0.3]]
    >>> instance_roc_auc(labels, scores, average="bag")
    0.75
    """
    return _score(roc_auc_score, y_instances, scores, bags, within_positive, average)


def instance_average_precision(
    y_instances: Any,
    scores: Any,
    *,
    bags: Any = None,
    within_positive: bool = False,
    average: Literal["pooled", "bag"] = "pooled",
) -> float:
    """Average precision of instance scores.

    To be preferred to :func:`instance_roc_auc` where positive instances are rare.

    Parameters
    ----------
    y_instances : array-like of shape (n_instances,), or list of such per bag
        1 for positive, 0 for negative, -1 for unknown instances.
    scores : array-like of shape (n_instances,), or list of such per bag
        Instance scores, larger for positive.
    bags : Bags or array-like of int of shape (n_bags,), default=None
        The bags, or their lengths; needed for flat input where bags matter.
    within_positive : bool, default=False
        Whether to use only bags that hold a positive instance.
    average : {"pooled", "bag"}, default="pooled"
        One curve over all instances, or the mean over the bags that hold both positive
        and negative instances.

    Returns
    -------
    float
        Between 0 and 1; guessing gives the share of positive instances. NaN, with a
        warning, if positive or negative instances are missing.

    Raises
    ------
    ValueError
        If shapes or labels are wrong, or bags are needed and unknown.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import instance_average_precision
    >>> instance_average_precision([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8])
    1.0
    """
    return _score(
        average_precision_score, y_instances, scores, bags, within_positive, average
    )


def hit_rate_at_k(
    y_instances: Any, scores: Any, k: int = 1, *, bags: Any = None
) -> float:
    """Share of positive bags with a positive instance among the k best scored.

    Equal scores count as if ordered at random: the exact chance of a hit is used, so
    the result does not depend on the order of the instances, and a constant score
    earns what guessing would.

    Parameters
    ----------
    y_instances : array-like of shape (n_instances,), or list of such per bag
        1 for positive, 0 for negative, -1 for unknown instances.
    scores : array-like of shape (n_instances,), or list of such per bag
        Instance scores, larger for positive.
    k : int, default=1
        Number of instances looked at in each bag, at least 1.
    bags : Bags or array-like of int of shape (n_bags,), default=None
        The bags, or their lengths; needed for flat input.

    Returns
    -------
    float
        Between 0 and 1; NaN, with a warning, if no bag holds a positive instance.

    Raises
    ------
    ValueError
        If shapes, labels or `k` are wrong, or bags are needed and unknown.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import hit_rate_at_k
    >>> labels, scores = [[0, 1], [0, 0, 1]], [[0.1, 0.9], [0.6, 0.2, 0.3]]
    >>> hit_rate_at_k(labels, scores), hit_rate_at_k(labels, scores, k=2)
    (0.5, 1.0)
    """
    check_scalar(k, "k", Integral, min_val=1)
    labels, values, owner = flatten(y_instances, scores, bags)
    hits = [
        _chance_of_hit(label, value, int(k))
        for label, value in per_bag(labels, values, required(owner))
        if label.any()
    ]
    return float(np.mean(hits)) if hits else _undefined("no bag holds a positive one")


def _score(
    metric: Callable[..., float],
    y_instances: Any,
    scores: Any,
    bags: Any,
    within_positive: bool,
    average: str,
) -> float:
    """Apply a ranking metric to all instances at once or bag by bag."""
    if average not in ("pooled", "bag"):
        raise ValueError(f"average must be 'pooled' or 'bag', got {average!r}.")
    labels, values, owner = flatten(y_instances, scores, bags)
    if average == "bag":
        found = [
            metric(label, value)
            for label, value in per_bag(labels, values, required(owner))
            if _has_both(label)
        ]
        return float(np.mean(found)) if found else _undefined("no bag holds both kinds")
    if within_positive:
        positive = np.isin(required(owner), required(owner)[labels == 1])
        labels, values = labels[positive], values[positive]
    if not _has_both(labels):
        return _undefined("only one kind is present")
    return float(metric(labels, values))


def _has_both(labels: np.ndarray) -> bool:
    """Tell whether there are positive and negative instances."""
    return bool((labels == 0).any() and (labels == 1).any())


def _chance_of_hit(labels: np.ndarray, values: np.ndarray, k: int) -> float:
    """Return how likely a positive is among the k best, equal ones shuffled."""
    if k >= len(labels):
        return 1.0
    threshold = np.partition(values, -k)[-k]
    above, tied = values > threshold, values == threshold
    if labels[above].any():
        return 1.0
    drawn = k - int(above.sum())
    missed = hypergeom.pmf(0, int(tied.sum()), int(labels[tied].sum()), drawn)
    return float(1.0 - missed)


def _undefined(reason: str) -> float:
    """Warn as scikit-learn does and return NaN."""
    warnings.warn(
        f"The instance score is not defined, because among the labelled instances "
        f"{reason}; returning NaN.",
        UndefinedMetricWarning,
        stacklevel=4,
    )
    return float("nan")
