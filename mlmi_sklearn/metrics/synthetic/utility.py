"""Whether a model that learns from synthetic data is as good as one from real data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.svm import SVC

from mlmi_sklearn.metrics.synthetic._features import feature_arrays
from mlmi_sklearn.metrics.synthetic._labels import is_continuous, label_columns

__all__ = ["trts_score", "tstr_score"]

Array = NDArray[Any]

_CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "svc": SVC,
    "forest": lambda: RandomForestClassifier(random_state=0),
}
_REGRESSORS = {
    "ridge": Ridge,
    "forest": lambda: RandomForestRegressor(random_state=0),
}


def tstr_score(
    X: Any,
    y: Any,
    X_synthetic: Any,
    y_synthetic: Any,
    *,
    estimator: Any = None,
    scoring: Any = None,
    features: Any = None,
    task: str = "auto",
) -> float:
    """Train on synthetic data, test on real data.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data, best such as the generator has not seen.
    y : array-like of shape (n,) or (n, k)
        Their classes or numbers.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns.
    y_synthetic : array-like of shape (m,) or (m, k)
        Their classes or numbers.
    estimator : {"logistic", "svc", "ridge", "forest"} or estimator, default=None
        What is trained. None is a logistic regression for classes and a ridge
        regression for numbers. A name works on `features`; an estimator of your own
        (a clone is fitted) is given the data as they are, so that it may be a Pipeline
        with its own treatment of columns, unless `features` is set.
    scoring : str or callable, default=None
        A scikit-learn scorer; None is accuracy for classes and R2 for numbers.
    features : None, "robust", "raw", callable or transformer, default=None
        Space for named estimators, see
        :func:`~mlmi_sklearn.metrics.robust_features`.
    task : {"auto", "classification", "regression"}, default="auto"
        What y is. "auto" takes floats for numbers, unless they are 20 or fewer whole
        ones, and integers for classes, unless there are more than 20, for
        fewer than five rows each.

    Returns
    -------
    float
        Higher is better; the mean over columns where y has several, of both kinds even.
        Compare with the same after training on real data.

    Raises
    ------
    ValueError
        If labels are missing, columns differ, no synthetic label is a real one, or a
        name is not known or not for this kind of y.

    Notes
    -----
    Where all synthetic rows are of one class, that class is predicted for all.

    References
    ----------
    Esteban, Hyland and Raetsch, "Real-valued (medical) time series generation with
    recurrent conditional GANs", 2017, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import tstr_score
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"]
    >>> tstr_score(X, y, [[0.4], [2.6]], ["low", "high"])
    1.0
    """
    pairs = label_columns(X, y, X_synthetic, y_synthetic)
    named = {"X": X, "X_synthetic": X_synthetic}
    real, made = _inputs(named, estimator, features)
    scores = [
        _score(made, labels_made, real, labels, estimator, scoring, task, labels)
        for labels, labels_made in pairs
    ]
    return float(np.mean(scores))


def trts_score(
    X: Any,
    y: Any,
    X_synthetic: Any,
    y_synthetic: Any,
    *,
    estimator: Any = None,
    scoring: Any = None,
    features: Any = None,
    task: str = "auto",
) -> float:
    """Train on real data, test on synthetic data: whether these are what they claim.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data.
    y : array-like of shape (n,) or (n, k)
        Their classes or numbers.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns.
    y_synthetic : array-like of shape (m,) or (m, k)
        Their classes or numbers.
    estimator : {"logistic", "svc", "ridge", "forest"} or estimator, default=None
        What is trained, as in :func:`tstr_score`, like what follows.
    scoring : str or callable, default=None
        A scikit-learn scorer.
    features : None, "robust", "raw", callable or transformer, default=None
        Space for named estimators.
    task : {"auto", "classification", "regression"}, default="auto"
        What y is.

    Returns
    -------
    float
        Higher is better, but a score above that of real data means that samples are too
        typical of their class: one perfect sample a class scores 1.

    Raises
    ------
    ValueError
        As in :func:`tstr_score`.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import trts_score
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    >>> trts_score(X, y, [[0.4], [2.6], [0.2], [2.9]], [0, 1, 1, 1])
    0.75
    """
    pairs = label_columns(X, y, X_synthetic, y_synthetic)
    named = {"X": X, "X_synthetic": X_synthetic}
    real, made = _inputs(named, estimator, features)
    scores = [
        _score(real, labels, made, labels_made, estimator, scoring, task, labels)
        for labels, labels_made in pairs
    ]
    return float(np.mean(scores))


def _inputs(named: dict[str, Any], estimator: Any, features: Any) -> list[Any]:
    """Return what is learned from: features, or the data as they were passed."""
    if estimator is None or isinstance(estimator, str) or features is not None:
        return feature_arrays(named, features)
    return [X if hasattr(X, "shape") else np.asarray(X) for X in named.values()]


def _score(
    X_train: Any,
    y_train: Array,
    X_test: Any,
    y_test: Array,
    estimator: Any,
    scoring: Any,
    task: str,
    y_real: Array,
) -> float:
    """Fit and score for one column of labels."""
    continuous = is_continuous(y_real, task)
    model = _model(estimator, continuous)
    if continuous:
        y_train, y_test = (_as_numbers(part) for part in (y_train, y_test))
    else:
        _require_shared(y_train, y_test)
        if isinstance(estimator, str | None):
            y_train, y_test = _as_codes(y_train, y_test)
        if len(pd.unique(y_train)) == 1:
            model = DummyClassifier()
    with warnings.catch_warnings():
        # An estimate of quality, not a model to keep: good enough is good enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X_train, y_train)
    scorer = get_scorer(scoring or ("r2" if continuous else "accuracy"))
    return float(scorer(model, X_test, y_test))


def _model(estimator: Any, continuous: bool) -> Any:
    """Return an estimator that is not fitted."""
    if estimator is not None and not isinstance(estimator, str):
        return clone(estimator)
    known: dict[str, Any] = _REGRESSORS if continuous else _CLASSIFIERS
    name = estimator or ("ridge" if continuous else "logistic")
    if name not in known:
        kind = "numbers" if continuous else "classes"
        raise ValueError(
            f"estimator must be an estimator or, for {kind}, one of {sorted(known)}, "
            f"got {estimator!r}."
        )
    return known[name]()


def _require_shared(y_train: Array, y_test: Array) -> None:
    """Raise an error unless real and synthetic labels have a class in common."""
    known, asked = pd.unique(y_train), pd.unique(y_test)
    if not np.isin(known.astype(object), asked.astype(object)).any():
        raise ValueError(
            "y and y_synthetic have no class in common: training labels are "
            f"{known[:5].tolist()}, those to test on {asked[:5].tolist()}."
        )


def _as_codes(y_train: Array, y_test: Array) -> tuple[Array, Array]:
    """Return classes as integers, whatever mixture of types they are of."""
    both = np.concatenate([y_train.astype(object), y_test.astype(object)])
    codes, _ = pd.factorize(pd.Series(both, dtype=object))
    return codes[: len(y_train)], codes[len(y_train) :]


def _as_numbers(y: Array) -> Array:
    """Return labels as floats."""
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y_synthetic must hold numbers as y does: {error}") from error
