"""Variance within classes and marginal distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlmi_sklearn.metrics.synthetic._features import feature_arrays
from mlmi_sklearn.metrics.synthetic._labels import strata
from mlmi_sklearn.metrics.synthetic._tables import aligned_tables, is_category

__all__ = ["marginal_gaps", "within_class_variance_ratio"]

Array = NDArray[Any]


def within_class_variance_ratio(
    X: Any, y: Any, X_synthetic: Any, y_synthetic: Any, *, features: Any = None
) -> float:
    """Variance of synthetic rows within their class, divided by that of real rows.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data.
    y : array-like of shape (n,) or (n, k), or None
        Their classes. Numbers are cut at their quintiles. None takes all rows for one
        class.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns.
    y_synthetic : array-like of shape (m,) or (m, k), or None
        Their classes.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.

    Returns
    -------
    float
        1 is right; far below, the samples of a class are too much alike. Variances are
        summed over features and averaged over the classes with two rows at least of
        both kinds, weighted by their share of real rows; NaN if there is no such class
        or real rows do not vary.

    Raises
    ------
    ValueError
        If columns differ, or labels do not fit the data.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import within_class_variance_ratio
    >>> X, y = [[0.0], [2.0], [10.0], [12.0]], [0, 0, 1, 1]
    >>> ratio = within_class_variance_ratio(X, y, [[0.5], [1.5], [10.5], [11.5]], y)
    >>> round(ratio, 4)
    0.25
    """
    real, made = feature_arrays({"X": X, "X_synthetic": X_synthetic}, features)
    groups, groups_made, names = strata(X, y, X_synthetic, y_synthetic)
    total = np.zeros(2)
    for code in range(len(names)):
        own, other = real[groups == code], made[groups_made == code]
        if min(len(own), len(other)) > 1:
            spread = [part.var(axis=0, ddof=1).sum() for part in (own, other)]
            total += len(own) * np.array(spread)
    return float(total[1] / total[0]) if total[0] > 0 else float("nan")


def marginal_gaps(X: Any, X_synthetic: Any) -> pd.Series[float]:
    """How far the distribution of each column is from the real one.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns.

    Returns
    -------
    Series of float
        A value in [0, 1] for each column: for categories the largest difference of
        shares, with missing values as one more category; for numbers the
        Kolmogorov-Smirnov distance of those present, or the difference of the shares
        of missing ones if that is larger. 0 is right.

    Raises
    ------
    ValueError
        If columns differ.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.metrics import marginal_gaps
    >>> real = pd.DataFrame({"sex": ["f", "m", "f", "m"], "age": [20, 30, 40, 50]})
    >>> made = pd.DataFrame({"sex": ["f", "f", "f", "m"], "age": [20, 30, 40, 50]})
    >>> marginal_gaps(real, made)
    sex    0.25
    age    0.00
    dtype: float64
    """
    real, made = (
        X if isinstance(X, pd.DataFrame) else pd.DataFrame(X.reshape(len(X), -1))
        for X in aligned_tables({"X": X, "X_synthetic": X_synthetic})
    )
    gaps = [
        (_share_gap if is_category(real[c]) else _number_gap)(
            real[c].to_numpy(), made[c].to_numpy()
        )
        for c in real
    ]
    return pd.Series(gaps, index=real.columns, dtype=np.float64)


def _share_gap(real: Array, made: Array) -> float:
    """Return the largest difference of shares of a category."""
    codes, names = pd.factorize(pd.Series(np.concatenate([real, made]), dtype=object))
    counts = [
        np.bincount(part + 1, minlength=len(names) + 1) / len(part)
        for part in (codes[: len(real)], codes[len(real) :])
    ]
    return float(np.abs(counts[0] - counts[1]).max())


def _number_gap(real: Array, made: Array) -> float:
    """Return the Kolmogorov-Smirnov distance, or that of the shares of NaN."""
    gaps = [np.isnan(part) for part in (real, made)]
    missing = float(abs(gaps[0].mean() - gaps[1].mean()))
    present = [part[~gap] for part, gap in zip((real, made), gaps, strict=True)]
    if not all(len(part) for part in present):
        return missing
    # Not ks_2samp: it computes p values as well, and warns for samples of one row.
    places = np.concatenate(present)
    below = [
        np.searchsorted(np.sort(part), places, side="right") / len(part)
        for part in present
    ]
    return max(missing, float(np.abs(below[0] - below[1]).max()))
