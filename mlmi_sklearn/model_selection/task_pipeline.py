"""Pipelines whose last step learns new tasks."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

__all__ = ["adapt_pipeline", "adapts", "last_step"]


def adapt_pipeline(
    pipeline: Pipeline, X_support: Any, y_support: Any, **overrides: Any
) -> Pipeline:
    """Adapt the last step of a fitted pipeline to a new task.

    A :class:`~sklearn.pipeline.Pipeline` has no ``adapt``. A few rows of a new task are
    too few to learn a preprocessing from, so it stays what it was fitted to be, and
    only the last step adapts.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its last step has ``adapt``, or is such a pipeline itself. It is left
        as it is, and nothing done to it later has an influence on what is returned.
    X_support : array-like of shape (n, ...)
        Rows of the new task, as the pipeline takes them.
    y_support : array-like of shape (n,)
        Their labels, which need not be among those the pipeline was fitted on.
    **overrides : dict
        Passed on to ``adapt`` of the last step.

    Returns
    -------
    Pipeline
        Fitted, with steps of the same names: copies of the preprocessing in
        :class:`~sklearn.frozen.FrozenEstimator`, then the adapted estimator. So its
        clones keep the preprocessing when they are fitted anew.

    Raises
    ------
    TypeError
        If it is no pipeline, or the last step has no ``adapt``.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator, ClassifierMixin
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mlmi_sklearn.model_selection import adapt_pipeline
    >>> class Nearest(ClassifierMixin, BaseEstimator):
    ...     def fit(self, X, y):
    ...         self.classes_ = np.unique(y)
    ...         return self
    ...     def adapt(self, X_support, y_support):
    ...         return KNeighborsClassifier(1).fit(X_support, y_support)
    >>> many = make_pipeline(StandardScaler(), Nearest())
    >>> many = many.fit([[0.0], [2.0], [4.0]], [0, 1, 2])
    >>> new = adapt_pipeline(many, [[1.0], [3.0]], ["low", "high"])
    >>> new.predict([[0.5], [9.0]])
    array(['low', 'high'], dtype='<U4')
    """
    if not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"pipeline must be a scikit-learn Pipeline, got {pipeline!r}; an estimator "
            "with adapt needs no help: call it."
        )
    if not adapts(pipeline):
        raise TypeError(
            f"The last step of the pipeline, {pipeline.steps[-1][1]!r}, has no adapt."
        )
    check_is_fitted(pipeline)
    *before, (name, last) = pipeline.steps
    X = _transformed(pipeline, X_support)
    if isinstance(last, Pipeline):
        adapted: Any = adapt_pipeline(last, X, y_support, **overrides)
    else:
        adapted = last.adapt(X, y_support, **overrides)
    steps = [(other, _frozen(step)) for other, step in before]
    return Pipeline([*steps, (name, adapted)])


def adapts(estimator: Any) -> bool:
    """Tell whether an estimator, or the last step of a pipeline, has ``adapt``."""
    if isinstance(estimator, Pipeline):
        return adapts(estimator.steps[-1][1])
    return callable(getattr(estimator, "adapt", None))


def last_step(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return what has ``adapt``, and the rows as they reach it.

    Preprocessing is frozen when a task is learnt, so it need not be done again for
    each of many tasks.

    Parameters
    ----------
    estimator : estimator
        Estimator, pipeline, or search that has found one; fitted if it has ``adapt``.
    X : array-like of shape (n, ...)
        Rows as `estimator` takes them.

    Returns
    -------
    estimator : estimator
        The innermost last step; if it has no ``adapt``, what was given.
    X : array-like of shape (n, ...)
        Its input.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it has ``adapt`` and is not fitted.
    """
    found = getattr(estimator, "best_estimator_", None)
    model = found if adapts(found) else estimator
    if not adapts(model):
        return estimator, X
    check_is_fitted(model)
    while isinstance(model, Pipeline):
        X = _transformed(model, X)
        model = model.steps[-1][1]
    return model, X


def _transformed(pipeline: Pipeline, X: Any) -> Any:
    """Return rows as the last step gets them."""
    for _, step in pipeline.steps[:-1]:
        if not _passes(step):
            X = step.transform(X)
    return X


def _frozen(step: Any) -> Any:
    # Pipeline.fit fits its steps in place: without a copy, fitting the original anew
    # would change what was adapted.
    return step if _passes(step) else FrozenEstimator(deepcopy(step))


def _passes(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")
