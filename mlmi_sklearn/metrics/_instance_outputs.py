"""Asking an estimator about instances, through whatever is wrapped round it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

__all__ = ["instance_outputs", "unwrapped"]


def instance_outputs(
    estimator: Any, X: Any, method: str = "instance_scores", **params: Any
) -> Any:
    """Ask a fitted estimator about the instances of bags.

    The method is called on the estimator itself where it has it, otherwise on what it
    wraps: the last step of a pipeline, which sees what the steps before it make of
    ``X``; the best estimator of a search; the one estimator inside scikit-learn's
    ``TunedThresholdClassifierCV``, ``FixedThresholdClassifier`` or
    ``FrozenEstimator``.

    Parameters
    ----------
    estimator : estimator
        Fitted, with ``instance_scores`` or another method for instances.
    X : Bags or other bags
        As in ``fit`` of the estimator.
    method : str, default="instance_scores"
        The method, such as ``"predict_instances_proba"`` or ``"attention"``.
    **params : dict
        Arguments of the method, such as ``flat=True``.

    Returns
    -------
    list of ndarray, or ndarray
        What the method returns, by default one array a bag.

    Raises
    ------
    TypeError
        If neither the estimator nor what it wraps has the method.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from mlmi_sklearn import InstanceWise, MILClassifier
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> from mlmi_sklearn.metrics import instance_outputs
    >>> bags, y = make_digit_bags(n_bags=20, random_state=0)
    >>> model = make_pipeline(InstanceWise(), MILClassifier(max_epochs=2)).fit(bags, y)
    >>> scores = instance_outputs(model, bags)
    >>> [len(s) for s in scores] == bags.lengths.tolist()
    True
    """
    owner, inputs = unwrapped(estimator, X, lambda inner: hasattr(inner, method))
    if owner is None:
        raise TypeError(
            f"{type(estimator).__name__} has no method {method!r} and holds no single "
            "estimator that has, so it says nothing about instances. Use one that "
            "does, such as MILClassifier, alone, as the last step of a Pipeline, or "
            "in a search with refit=True."
        )
    return getattr(owner, method)(inputs, **params)


def unwrapped(
    estimator: Any, X: Any, is_wanted: Callable[[Any], bool]
) -> tuple[Any, Any]:
    """Return the outermost fitted estimator of some kind, and the input it expects.

    Parameters
    ----------
    estimator : estimator
        Fitted; wrapped or not.
    X : object
        Input of the outermost estimator.
    is_wanted : callable
        Whether a given estimator is what is looked for.

    Returns
    -------
    owner : estimator or None
        None if there is none.
    X : object
        Its input: transformed by the steps of pipelines that come before it.
    """
    while not is_wanted(estimator):
        check_is_fitted(estimator)
        if isinstance(estimator, Pipeline):
            if len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
            continue
        estimator = _inner(estimator)
        if estimator is None:
            return None, X
    return estimator, X


def _inner(estimator: Any) -> Any:
    """Return the one fitted estimator inside a wrapper, or None."""
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if hasattr(estimator, "estimators_"):  # several; estimator_ is their template
        return None
    for name in ("best_estimator_", "estimator_"):
        if hasattr(estimator, name):
            return getattr(estimator, name)
    return None
