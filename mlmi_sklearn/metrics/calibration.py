"""Whether probabilities can be taken at their word."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import _check_pos_label_consistency, _check_sample_weight

__all__ = ["expected_calibration_error"]

_NEXT_TO_ONE = 1.0 + 1e-6


@validate_params(
    {
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"uniform", "quantile"})],
        "norm": [StrOptions({"l1", "l2", "max"})],
        "labels": ["array-like", None],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def expected_calibration_error(
    y_true: Any,
    y_prob: Any,
    *,
    n_bins: int = 15,
    strategy: Literal["uniform", "quantile"] = "uniform",
    norm: Literal["l1", "l2", "max"] = "l1",
    pos_label: Any = None,
    labels: Any = None,
    sample_weight: Any = None,
) -> float:
    r"""Mean distance of predicted probabilities from observed frequencies.

    Samples are put into bins b of similar probability; in each the mean probability
    :math:`p_b` is compared with the frequency :math:`f_b` of what was predicted,

    .. math:: \sum_b \frac{w_b}{\sum_{b'} w_{b'}} \, |f_b - p_b|,

    where :math:`w_b` is the weight of the samples in the bin.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Classes.
    y_prob : array-like of shape (n_samples,) or (n_samples, n_classes)
        One column: probability of the positive class, compared with how often it
        occurs. Several: what ``predict_proba`` returns; the probability of the
        predicted class, the largest, is compared with how often it is right.
    n_bins : int, default=15
        Number of bins, at least 1.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width on [0, 1], or of about equal weight; equal probabilities
        always share a bin.
    norm : {"l1", "l2", "max"}, default="l1"
        ``"l1"`` is the expected calibration error; ``"l2"`` the root of the mean
        squared distance; ``"max"`` the largest distance of a bin, the maximum
        calibration error.
    pos_label : object, default=None
        The positive class where ``y_prob`` has one column. None means 1.
    labels : array-like of shape (n_classes,), default=None
        Classes in the order of the columns of ``y_prob``, such as ``classes_``. None
        takes the sorted classes of ``y_true``.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; 2 counts as a sample given twice.

    Returns
    -------
    float
        Between 0, perfect, and 1.

    Raises
    ------
    ValueError
        If shapes disagree, probabilities are out of range or classes unknown.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : A plot of the same comparison.
    sklearn.metrics.brier_score_loss : A proper score, which no binning enters.

    Notes
    -----
    The figure depends on the bins and is biased upwards on few samples: compare models
    on the same samples with the same bins, and look at a proper score too.

    Use it in a search as ``make_scorer(expected_calibration_error,
    response_method="predict_proba", greater_is_better=False)``.

    References
    ----------
    Naeini, Cooper and Hauskrecht, *Obtaining well calibrated probabilities using
    Bayesian binning*, AAAI 2015.

    Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks*,
    ICML 2017, equation 3.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import expected_calibration_error
    >>> expected_calibration_error([0, 1, 1, 1], [0.75, 0.75, 0.75, 0.75])
    0.0
    >>> expected_calibration_error([0, 1, 1, 1], [1.0, 1.0, 1.0, 1.0])
    0.25
    """
    y_true = column_or_1d(y_true)
    y_prob = np.asarray(y_prob, dtype=np.float64)
    check_consistent_length(y_true, y_prob, sample_weight)
    _check_probabilities(y_prob)
    weight = _check_sample_weight(
        sample_weight, y_prob, dtype=np.float64, ensure_non_negative=True
    )
    hit, confidence = _hits(y_true, y_prob, pos_label, labels)
    if not weight.any():
        raise ValueError("y_true is empty, or sample_weight is zero everywhere.")
    hit, confidence, weight = (a[weight > 0] for a in (hit, confidence, weight))
    bins = _bins(confidence, weight, n_bins, strategy)
    mass = np.bincount(bins, weight)
    gap = np.abs(np.bincount(bins, weight * (hit - confidence)))
    share, distance = mass / mass.sum(), gap / np.where(mass > 0, mass, 1)
    if norm == "max":
        return float(distance.max())
    if norm == "l2":
        return float(np.sqrt((share * distance**2).sum()))
    return float((share * distance).sum())


def _hits(
    y_true: np.ndarray, y_prob: np.ndarray, pos_label: Any, labels: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether what was predicted is so, and how probable it was called."""
    if y_prob.ndim == 1:
        positive = _check_pos_label_consistency(pos_label, y_true)
        return (y_true == positive).astype(float), y_prob
    if pos_label is not None:
        raise ValueError(
            "pos_label goes with one column of probabilities, but y_prob has "
            f"{y_prob.shape[1]}; pass the column of that class."
        )
    classes = np.unique(y_true) if labels is None else column_or_1d(labels)
    if len(classes) != y_prob.shape[1]:
        raise ValueError(
            f"y_prob has {y_prob.shape[1]} columns, but there are {len(classes)} "
            "classes. Pass labels=, the classes in the order of the columns."
        )
    unknown = np.setdiff1d(y_true, classes)
    if len(unknown):
        raise ValueError(f"y_true holds classes {unknown.tolist()} not in labels.")
    first = y_prob.argmax(axis=1)
    return (classes[first] == y_true).astype(float), y_prob.max(axis=1)


def _bins(
    confidence: np.ndarray, weight: np.ndarray, n_bins: int, strategy: str
) -> np.ndarray:
    """Return the number of the bin of each sample."""
    if strategy == "uniform":
        place = np.clip(confidence, 0, 1)
    else:
        # The middle of the weight that equal probabilities cover, from 0 to 1.
        _, code = np.unique(confidence, return_inverse=True)
        mass = np.bincount(code, weight)
        place = ((mass.cumsum() - mass / 2) / mass.sum())[code]
    return np.minimum((place * n_bins).astype(np.int64), n_bins - 1)


def _check_probabilities(y_prob: np.ndarray) -> None:
    """Refuse what cannot be probabilities."""
    if y_prob.ndim not in (1, 2) or (y_prob.ndim == 2 and y_prob.shape[1] < 2):
        raise ValueError(
            "y_prob must have shape (n_samples,), or (n_samples, n_classes) with at "
            f"least two classes, got {y_prob.shape}."
        )
    if not np.isfinite(y_prob).all() or (y_prob < 0).any():
        raise ValueError("y_prob must hold numbers between 0 and 1.")
    if (y_prob > _NEXT_TO_ONE).any():
        raise ValueError(
            "y_prob holds numbers above 1; pass probabilities, not scores "
            "(predict_proba, not decision_function)."
        )
