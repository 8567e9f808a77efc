"""Label shift: class shares of a place without labels, and probabilities that fit them.

Hospitals may see the same diseases in other proportions. If p(x | y) is the same
everywhere and p(y) is not, the predictions of a source classifier on unlabelled target
rows tell the target's class shares, and its probabilities are corrected by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import _safe_indexing, check_array, indexable

from ..base.inputs import read_weight
from ._mixture import mixture_shares

__all__ = ["cross_fitted_shares", "estimate_class_shares", "reweight_probabilities"]

Array = NDArray[Any]

# Probabilities of 0, as forests give them, are not taken for certain.
_LEAST = 1e-6

_METHODS = ("em", "bbse")


def estimate_class_shares(
    y_source: Any,
    proba_source: Any,
    proba_target: Any,
    *,
    method: str = "em",
    classes: Any = None,
    sample_weight: Any = None,
) -> Array:
    r"""Estimate class shares of the target from probabilities of a source classifier.

    Assumes label shift: p(x | y) is the same in both domains.

    ``"em"`` maximises the likelihood of the target rows,
    :math:`\sum_j \log \sum_c \pi_c \, p(c | x_j) / p_s(c)`, by expectation maximisation
    (Saerens et al., 2002). Probabilities are calibrated first, by one temperature and
    one bias a class fitted to the source rows, which decides how good it is
    (Alexandari et al., 2020).

    ``"bbse"`` solves :math:`A \pi = \mu`, where :math:`A_{ic}` is the mean probability
    of class i among source rows of class c and :math:`\mu_i` that among target rows, on
    the simplex (Lipton et al., 2018). It needs no calibration but is less exact. A
    ridge of :math:`1 / n_s + 1 / n_t` towards the source's shares decides where A is
    singular (Azizzadenesheli et al., 2019).

    Parameters
    ----------
    y_source : array-like of shape (n_source,)
        Labels of the source rows.
    proba_source : array-like of shape (n_source, n_classes)
        Their probabilities, from models that have not seen these rows.
    proba_target : array-like of shape (n_target, n_classes)
        Probabilities of the target rows.
    method : {"em", "bbse"}, default="em"
        How to estimate.
    classes : array-like of shape (n_classes,), default=None
        Labels in the order of the columns; None means the sorted labels of `y_source`.
    sample_weight : array-like of shape (n_source,), default=None
        Weights of the source rows.

    Returns
    -------
    ndarray of shape (n_classes,)
        Shares between 0 and 1 whose sum is 1. A class without source rows gets 0.

    Raises
    ------
    ValueError
        If the arrays do not fit each other, hold negative numbers or rows of zeros,
        all weights are 0, or `method` is not known.

    See Also
    --------
    cross_fitted_shares : Makes the probabilities too.
    reweight_probabilities : Puts the shares to use.

    References
    ----------
    Saerens, Latinne and Decaestecker, *Adjusting the outputs of a classifier to new a
    priori probabilities*, Neural Computation 14(1), 2002, equation 2.9.

    Lipton, Wang and Smola, *Detecting and correcting for label shift with black box
    predictors*, ICML 2018, section 3.

    Alexandari, Kundaje and Shrikumar, *Maximum likelihood with bias-corrected
    calibration is hard-to-beat at label shift adaptation*, ICML 2020.

    Azizzadenesheli, Liu, Yang and Anandkumar, *Regularized learning for domain
    adaptation under label shifts*, ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]])
    >>> y = [0, 0, 1, 1]
    >>> estimate_class_shares(y, p, p, method="bbse")
    array([0.5, 0.5])
    >>> shares = estimate_class_shares(y, p, p[[0, 1, 2, 2, 3, 3, 3, 3]])
    >>> bool(shares[1] > 0.7)
    True
    """
    if method not in _METHODS:
        raise ValueError(f"method={method!r} is not one of {', '.join(_METHODS)}.")
    known = np.unique(np.asarray(y_source)) if classes is None else np.asarray(classes)
    source = _read_probabilities(proba_source, "proba_source", len(known))
    target = _read_probabilities(proba_target, "proba_target", len(known))
    codes = _encode(y_source, known, len(source))
    weight = read_weight(sample_weight, len(source))
    weight = np.ones(len(source)) if weight is None else weight
    counts = np.bincount(codes, weight, len(known))
    seen = np.flatnonzero(counts)
    # Rows without weight have no say, not even whether their class exists.
    rows = weight > 0
    position = np.full(len(known), -1)
    position[seen] = np.arange(len(seen))
    estimate = _em if method == "em" else _bbse
    shares = np.zeros(len(known))
    shares[seen] = estimate(
        position[codes[rows]],
        _restrict(source[rows], seen),
        _restrict(target, seen),
        weight[rows],
    )
    return shares


def reweight_probabilities(proba: Any, source_shares: Any, target_shares: Any) -> Array:
    r"""Correct probabilities of a source classifier for other class shares.

    By Bayes' rule, if p(x | y) stays,

    .. math:: p_t(c | x) \propto p_s(c | x) \, \pi_t(c) / \pi_s(c).

    Parameters
    ----------
    proba : array-like of shape (n, n_classes)
        Probabilities under the source's shares.
    source_shares, target_shares : array-like of shape (n_classes,)
        At least 0; scaled to a sum of 1.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Rows of sum 1. A row that allows only classes which the target does not have
        becomes `target_shares`.

    Raises
    ------
    ValueError
        If sizes differ, shares are negative or all zero, or the target has a class
        whose source share is 0.

    Examples
    --------
    >>> reweight_probabilities([[0.5, 0.5]], [0.5, 0.5], [0.2, 0.8])
    array([[0.2, 0.8]])
    """
    p = check_array(proba, dtype=[np.float64, np.float32], input_name="proba")
    source = _read_shares(source_shares, "source_shares", p.shape[1])
    target = _read_shares(target_shares, "target_shares", p.shape[1])
    impossible = (source == 0) & (target > 0)
    if impossible.any():
        raise ValueError(
            f"target_shares are above 0 where source_shares are 0 (classes "
            f"{np.flatnonzero(impossible).tolist()}). A classifier that has not seen "
            "a class says nothing about it; set its target share to 0."
        )
    ratio = np.divide(target, source, out=np.zeros_like(target), where=source > 0)
    corrected = p * ratio.astype(p.dtype)
    sums = corrected.sum(axis=1, keepdims=True)
    prior = np.broadcast_to(target.astype(p.dtype), p.shape).copy()
    return np.divide(corrected, sums, out=prior, where=sums > 0)


def cross_fitted_shares(
    estimator: Any,
    X: Any,
    y: Any,
    X_target: Any,
    *,
    method: str = "em",
    cv: int = 3,
    random_state: Any = None,
) -> Array:
    """Estimate class shares of the target by out-of-fold probabilities.

    In each fold a copy of the classifier is fitted on the other folds and asked for
    the probabilities of this one and of all target rows.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``; left as it is.
    X : array-like or sparse matrix of shape (n_source, n_features)
        Source rows.
    y : array-like of shape (n_source,)
        Their labels.
    X_target : array-like or sparse matrix of shape (n_target, n_features)
        Target rows.
    method : {"em", "bbse"}, default="em"
        As in :func:`estimate_class_shares`.
    cv : int, default=3
        Stratified folds, at least 2.
    random_state : int, RandomState instance or None, default=None
        For dealing rows into folds.

    Returns
    -------
    ndarray of shape (n_classes,)
        In the order of the sorted labels.

    Raises
    ------
    ValueError
        If no class has `cv` rows, or the classifier has no ``predict_proba``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 300)
    >>> X = rng.normal(2 * y[:, None], 1.0)
    >>> X_target = rng.normal(np.repeat([[0], [2]], [100, 400], axis=0), 1.0)
    >>> cross_fitted_shares(
    ...     LogisticRegression(), X, y, X_target, random_state=0
    ... ).round(1)
    array([0.2, 0.8])
    """
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"estimator={estimator} has no predict_proba, which class shares are "
            "estimated from. Wrap it in CalibratedClassifierCV."
        )
    X, y = indexable(X, np.asarray(y))
    classes = np.unique(y)
    folds = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    source = np.zeros((len(y), len(classes)))
    target = []
    for train, test in folds.split(np.zeros(len(y)), y):
        model = clone(estimator).fit(_safe_indexing(X, train), y[train])
        source[test] = _in_order(model, _safe_indexing(X, test), classes)
        target.append(_in_order(model, X_target, classes))
    return estimate_class_shares(
        y, source, np.concatenate(target), method=method, classes=classes
    )


def _in_order(model: Any, X: Any, classes: Array) -> Array:
    """Return probabilities with a column for every class, known to the fold or not."""
    out = np.zeros((len(p := model.predict_proba(X)), len(classes)))
    out[:, np.searchsorted(classes, model.classes_)] = p
    return out


# -- the two estimates -----------------------------------------------------------------


def _em(codes: Array, source: Array, target: Array, weight: Array) -> Array:
    calibrate = _calibration(codes, source, weight)
    # Means of what is divided, so that the target's shares are the source's if its
    # rows are; for calibrated probabilities these are the frequencies of classes.
    prior = np.average(calibrate(source), axis=0, weights=weight)
    return mixture_shares(calibrate(target) / prior, start=prior)


def _bbse(codes: Array, source: Array, target: Array, weight: Array) -> Array:
    n_classes = source.shape[1]
    members = np.eye(n_classes)[codes] * weight[:, None]
    counts = members.sum(axis=0)
    confusion = source.T @ members / counts
    prior = counts / counts.sum()
    n_source = weight.sum() ** 2 / np.square(weight).sum()
    ridge = np.sqrt(1 / n_source + 1 / len(target))
    # A row of large weight asks for a sum of 1; rounding is mended below.
    rows = [confusion, ridge * np.eye(n_classes), np.full((1, n_classes), 1e4)]
    right = [target.mean(axis=0), ridge * prior, [1e4]]
    shares, _ = nnls(np.vstack(rows), np.concatenate(right))
    return shares / shares.sum()


def _calibration(
    codes: Array, source: Array, weight: Array
) -> Callable[[Array], Array]:
    """Fit temperature and biases to labelled rows; return what calibrates others."""
    n_classes = source.shape[1]
    logits, truth = np.log(source), np.eye(n_classes)[codes]
    share = weight / weight.sum()

    def objective(parameters: Array) -> tuple[float, Array]:
        slope = np.exp(parameters[0])
        scores = slope * logits + parameters[1:]
        log_p = log_softmax(scores, axis=1)
        residual = (np.exp(log_p) - truth) * share[:, None]
        # The small term bounds the slope where the classes are separated.
        value = -share @ (truth * log_p).sum(axis=1) + 1e-3 * parameters[0] ** 2
        by_slope = slope * (residual * logits).sum() + 2e-3 * parameters[0]
        return value, np.concatenate([[by_slope], residual.sum(axis=0)])

    start = np.zeros(n_classes + 1)
    options = {"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9}
    fitted = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x

    def calibrate(p: Array) -> Array:
        return softmax(np.exp(fitted[0]) * np.log(p) + fitted[1:], axis=1)

    return calibrate


# -- reading ---------------------------------------------------------------------------


def _read_probabilities(proba: Any, name: str, n_classes: int) -> Array:
    p = check_array(proba, dtype=np.float64, input_name=name)
    if p.shape[1] != n_classes:
        raise ValueError(
            f"{name} has {p.shape[1]} columns for {n_classes} classes. Pass one column "
            "a class, and classes=... if y_source does not hold all of them."
        )
    sums = p.sum(axis=1, keepdims=True)
    if (p < 0).any() or (sums <= 0).any():
        raise ValueError(
            f"{name} must hold probabilities: numbers of at least 0, not all 0 in a "
            "row. Pass what predict_proba returns."
        )
    return p / sums


def _restrict(p: Array, columns: Array) -> Array:
    """Return probabilities given that the class is one of some."""
    part = np.maximum(p[:, columns], _LEAST)
    return part / part.sum(axis=1, keepdims=True)


def _encode(y: Any, classes: Array, n: int) -> Array:
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(
            f"y_source has shape {y.shape}, but proba_source has {n} rows. Pass one "
            "label a row."
        )
    order = np.argsort(classes, kind="stable")
    place = np.searchsorted(classes[order], y).clip(max=len(classes) - 1)
    codes = order[place]
    if (classes[codes] != y).any():
        odd = y[classes[codes] != y][:1].tolist()[0]
        raise ValueError(f"y_source holds {odd!r}, which is not among classes.")
    return codes


def _read_shares(shares: Any, name: str, n_classes: int) -> Array:
    values = np.asarray(shares, dtype=np.float64)
    if values.shape != (n_classes,):
        raise ValueError(
            f"{name} has shape {values.shape}, but proba has {n_classes} columns."
        )
    if not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise ValueError(f"{name} must be finite, at least 0 and not all 0.")
    return values / values.sum()
