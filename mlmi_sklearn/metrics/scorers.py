"""Localisation as ``scoring=`` of searches and cross-validation.

A scorer is called with an estimator, the bags of a test fold and their labels. The
labels of instances have no argument of their own there, so they travel inside the
bags: give them to :class:`~mlmi_sklearn.Bags` as ``y_instances``, and every splitter
keeps them with their bags.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlmi_sklearn.containers import Bags
from mlmi_sklearn.metrics._instance_outputs import instance_outputs
from mlmi_sklearn.metrics.localisation import (
    hit_rate_at_k,
    instance_average_precision,
    instance_roc_auc,
)

__all__ = [
    "InstanceScorer",
    "hit_rate_scorer",
    "instance_average_precision_scorer",
    "instance_roc_auc_scorer",
    "make_instance_scorer",
]


class InstanceScorer:
    """A callable ``scorer(estimator, X, y)`` that compares scores of instances.

    Made by :func:`make_instance_scorer`, which explains the parameters.

    Parameters
    ----------
    metric : callable
        ``metric(y_instances, scores, bags=..., **kwargs)``, larger is better.
    class_label : object
        The class whose instances are to be found; None with two classes.
    method : str
        Method of the estimator to score with.
    kwargs : dict
        Further arguments of the metric.
    """

    def __init__(
        self,
        metric: Callable[..., float],
        class_label: Any,
        method: str,
        kwargs: dict[str, Any],
    ) -> None:
        self.metric = metric
        self.class_label = class_label
        self.method = method
        self.kwargs = kwargs

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score how well an estimator finds instances.

        Parameters
        ----------
        estimator : estimator
            Fitted; a pipeline or a search counts as what it holds.
        X : Bags
            With ``y_instances``.
        y : object, default=None
            Not used; scikit-learn passes the labels of the bags.

        Returns
        -------
        float
            What the metric returns; larger is better.

        Raises
        ------
        ValueError
            If X holds no labels of instances, or a class is needed and not given.
        TypeError
            If the estimator says nothing about instances.
        """
        labels = _labels_of(X)
        scores = instance_outputs(estimator, X, self.method, flat=True)
        labels, scores = self._one_class(estimator, labels, np.asarray(scores))
        return float(self.metric(labels, scores, bags=X, **self.kwargs))

    def _one_class(
        self, estimator: Any, labels: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return labels 1, 0 and -1 and scores of the class to be found."""
        if scores.ndim == 2 and scores.shape[1] == 1:
            scores = scores[:, 0]
        if self.class_label is None:
            if scores.ndim == 1:
                return labels, scores
            if scores.shape[1] == 2 and labels.ndim == 1:  # probabilities
                return labels, scores[:, 1]
            raise ValueError(
                f"The estimator scores instances for {scores.shape[1]} classes; choose "
                "the one to be found with make_instance_scorer(..., class_label=...)."
            )
        classes = np.asarray(getattr(estimator, "classes_", ()))
        position = _position(classes, self.class_label)
        if scores.ndim == 1:
            scores = scores if position == 1 else -scores
        else:
            scores = scores[:, position]
        if labels.ndim == 2:
            return labels[:, position], scores
        code = classes[position] if classes.dtype.kind in "biuf" else position
        return np.where(labels == -1, -1, labels == code), scores

    def __repr__(self) -> str:
        parts = [getattr(self.metric, "__name__", repr(self.metric))]
        if self.class_label is not None:
            parts.append(f"class_label={self.class_label!r}")
        if self.method != "instance_scores":
            parts.append(f"method={self.method!r}")
        parts += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"make_instance_scorer({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InstanceScorer) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((InstanceScorer, self.metric, self.method))


def make_instance_scorer(
    metric: Callable[..., float],
    *,
    class_label: Any = None,
    method: str = "instance_scores",
    **kwargs: Any,
) -> InstanceScorer:
    """Make a scorer of instances for ``scoring=`` of scikit-learn's tools.

    Parameters
    ----------
    metric : callable
        :func:`instance_roc_auc`, :func:`instance_average_precision`,
        :func:`hit_rate_at_k`, or another
        ``metric(y_instances, scores, bags=..., **kwargs)``; larger is better.
    class_label : object, default=None
        The class whose instances are to be found, an element of ``classes_``. Needed
        with more than two classes and with several labels. ``X.y_instances`` then
        holds classes (their position in ``classes_`` where classes are not numbers),
        or one column of 0 and 1 for each label. With None, ``y_instances`` holds 1
        for instances that speak for ``classes_[1]``, else 0. Always -1 for unknown.
    method : str, default="instance_scores"
        Method of the estimator to score with, such as ``"attention"``. It must take
        ``flat=True``.
    **kwargs : dict
        Further arguments of the metric.

    Returns
    -------
    InstanceScorer
        Callable as ``scorer(estimator, X, y)``, picklable. Pipelines and searches
        count as the estimator they hold; see :func:`instance_outputs`.

    Raises
    ------
    TypeError
        If the metric cannot be called.

    Notes
    -----
    Ready-made are ``instance_roc_auc_scorer``, ``instance_average_precision_scorer``
    and ``hit_rate_scorer`` (for ``k=1``). In a fold without positive instances a score
    is not defined: it is NaN, with an ``UndefinedMetricWarning``, and a search ranks
    such a candidate last; stratified folds avoid that. Telling positive from negative
    bags earns part of the pooled scores; pass ``within_positive=True`` for
    localisation proper.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from mlmi_sklearn import MILClassifier
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> from mlmi_sklearn.metrics import instance_roc_auc, make_instance_scorer
    >>> bags, y = make_digit_bags(n_bags=60, random_state=0)
    >>> scorer = make_instance_scorer(instance_roc_auc, within_positive=True)
    >>> model = MILClassifier(max_epochs=40, random_state=0)
    >>> cross_val_score(model, bags, y, scoring=scorer, cv=2).shape
    (2,)
    """
    if not callable(metric):
        raise TypeError(
            f"metric must be callable, such as instance_roc_auc, got {metric!r}."
        )
    return InstanceScorer(metric, class_label, method, kwargs)


def _labels_of(X: Any) -> np.ndarray:
    """Return the labels of instances that travel inside the bags."""
    labels = X.y_instances if isinstance(X, Bags) else None
    if labels is None:
        what = "X has" if isinstance(X, Bags) else f"X is a {type(X).__name__}, with"
        raise ValueError(
            f"{what} no labels of instances to score against. Pass "
            "Bags(..., y_instances=...): 1 positive, 0 negative, -1 unknown."
        )
    return np.asarray(labels)


def _position(classes: np.ndarray, label: Any) -> int:
    """Return where a class stands in ``classes_``."""
    found = np.flatnonzero(classes == label)
    if not len(found):
        raise ValueError(
            f"class_label={label!r} is not a class of the estimator; classes_ is "
            f"{classes.tolist()}."
        )
    return int(found[0])


instance_roc_auc_scorer = make_instance_scorer(instance_roc_auc)
instance_average_precision_scorer = make_instance_scorer(instance_average_precision)
hit_rate_scorer = make_instance_scorer(hit_rate_at_k, k=1)
