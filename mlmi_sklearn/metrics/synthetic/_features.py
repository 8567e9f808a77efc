"""The space in which rows are compared: every column counts about the same.

Distances between rows need a common scale. Dividing by the standard deviation gives
one, but not for a pixel that is dark in all images but one: there, a trace of noise in
a synthetic image would be many deviations, and would outweigh all that can be seen. So
scales have a floor, and columns that are plainly measured in one unit share one scale.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from mlmi_sklearn.metrics.synthetic._tables import (
    Array,
    Table,
    aligned_tables,
    is_category,
)

__all__ = ["feature_arrays", "robust_features", "scaled_features"]

# A column counts as at most this many deviations wide; normal ones are narrower.
_RANGE = 8.0
# Columns are in one unit if half of this many or more fill this share of their range.
_COLUMNS, _FILLED = 8, 0.8
# Values further out count as this far: distances stay finite when training diverges.
_FARTHEST = 1e6


def robust_features(X: Any, *others: Any) -> list[Array]:
    """Bring real and synthetic data into a space where distances mean something.

    This is what the metrics of synthetic data use unless told otherwise.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data, from which all scales are taken.
    *others : DataFrame or array-like of shape (m, ...)
        Synthetic and other data with the same columns.

    Returns
    -------
    list of ndarray of float64 of shape (n, width), (m, width), ...
        One for each of the data.

    Notes
    -----
    - A numeric column is centred and divided by its standard deviation, or an eighth of
      its range if that is larger, so that one odd value in a near-constant column stays
      within eight units. A constant column is divided by its absolute value, or by 1.
    - Where eight columns or more have numbers and half of them fill 0.8 of the range of
      all together, they are taken for measurements in one unit, such as pixels, and
      divided by one number: the root of their mean variance. So are the pixels of an
      image, channel by channel if there is an axis of them, ``(n, C, H, W)``.
    - A column of categories (of type category, object, string or bool in a frame)
      becomes one column of 0 and 1 for each category of any of the data.
    - A missing value becomes the median, or no category, and a 1 in a further column.
    - Values more than a million units out count as that far.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.metrics import robust_features
    >>> real = pd.DataFrame({"age": [20.0, 40.0], "sex": ["f", "m"]})
    >>> made = pd.DataFrame({"age": [30.0, None], "sex": ["m", "x"]})
    >>> for rows in robust_features(real, made):
    ...     print(rows)
    [[-1.  0.  1.  0.  0.]
     [ 1.  0.  0.  1.  0.]]
    [[0. 0. 0. 1. 0.]
     [0. 1. 0. 0. 1.]]
    """
    names = ["X", *(f"others[{i}]" for i in range(len(others)))]
    return feature_arrays(dict(zip(names, (X, *others), strict=True)))


def feature_arrays(named: dict[str, Any], features: Any = None) -> list[Array]:
    """Return tables as matrices in one space; see :func:`robust_features`.

    Parameters
    ----------
    named : dict of str to array-like
        Tables by the names that errors call them; the real one first.
    features : None, "robust", "raw", callable or transformer, default=None
        None or "robust" is the robust space, "raw" the numbers as they are, flattened;
        a callable ``X -> array`` or a transformer gives features of its own, such as
        those of a net. A transformer that is not fitted is fitted on the real data.

    Returns
    -------
    list of ndarray of float64 of shape (n, width)
    """
    return scaled_features(named, features)[0]


def scaled_features(
    named: dict[str, Any], features: Any = None
) -> tuple[list[Array], float]:
    """Return what `feature_arrays` does, and the log of the volume of a unit cube.

    The logarithm of densities in units of the numeric columns is that in the space less
    this volume.
    """
    if callable(features) or hasattr(features, "transform"):
        return _own_features(named, features), 0.0
    if features not in (None, "robust", "raw"):
        raise ValueError(
            'features must be None, "robust", "raw", a callable or a transformer, got '
            f"{features!r}."
        )
    tables = aligned_tables(named)
    if features == "raw":
        return [_raw(X, name) for X, name in zip(tables, named, strict=True)], 0.0
    if isinstance(tables[0], pd.DataFrame):
        return _frame_features(tables)
    if tables[0].ndim > 2:
        return _image_features(tables)
    return _numeric_features(tables)


def _raw(X: Table, name: str) -> Array:
    """Return numbers, flattened."""
    if isinstance(X, pd.DataFrame):
        words = [c for c in X if is_category(X[c])]
        if words:
            raise ValueError(
                f'features="raw" needs numbers, but columns {words} of {name} hold '
                'categories; use features="robust".'
            )
        X = X.to_numpy()
    return _finite(X.reshape(len(X), -1), name, 'features="robust" imputes')


def _own_features(named: dict[str, Any], features: Any) -> list[Array]:
    """Return what a function or transformer makes of the data as they were passed."""
    compute = features
    if hasattr(features, "transform"):
        compute = _fitted(features, next(iter(named.values()))).transform
    found = []
    for name, X in named.items():
        rows = compute(X)
        if hasattr(rows, "detach") and hasattr(rows, "cpu"):
            rows = rows.detach().cpu()
        rows = rows.toarray() if hasattr(rows, "toarray") else rows
        rows = np.asarray(rows, dtype=np.float64)
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        if rows.ndim == 0 or len(rows) != n:
            raise ValueError(
                f"features must give one row for each row of {name}, got shape "
                f"{rows.shape} for {n} rows."
            )
        found.append(_finite(rows.reshape(n, -1), name, "features must not give"))
    widths = {rows.shape[1] for rows in found}
    if len(widths) > 1:
        raise ValueError(f"features must give equally many columns, got {widths}.")
    return found


def _fitted(transformer: Any, X: Any) -> Any:
    """Return the transformer, or a fitted copy of one that is not."""
    try:
        check_is_fitted(transformer)
    except NotFittedError:
        return clone(transformer).fit(X)
    return transformer


def _finite(rows: Array, name: str, remedy: str) -> Array:
    """Return rows, or say that NaN is among them."""
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} contains NaN or infinity ({remedy} missing values).")
    return rows


def _frame_features(frames: list[pd.DataFrame]) -> tuple[list[Array], float]:
    """Return numeric columns, scaled, and categories as 0 and 1, in place."""
    numeric = [c for c in frames[0] if not is_category(frames[0][c])]
    words = [c for c in frames[0] if is_category(frames[0][c])]
    sizes = np.cumsum([len(frame) for frame in frames])[:-1]
    blocks, volume = [], 0.0
    if numeric:
        numbers = [frame[numeric].to_numpy() for frame in frames]
        parts, volume = _numeric_features(numbers)
        blocks.append(np.concatenate(parts))
    columns = [np.concatenate([frame[c].to_numpy() for frame in frames]) for c in words]
    blocks.extend(_one_hot(column) for column in columns)
    return np.split(np.concatenate(blocks, axis=1), sizes), volume


def _one_hot(values: Array) -> Array:
    """Return 0 and 1 for each category, and for missing ones if there are some."""
    codes, categories = pd.factorize(pd.Series(values, dtype=object), sort=False)
    order = np.argsort([str(c) for c in categories], kind="stable")
    rank = np.append(np.argsort(order), len(categories))  # -1, missing, is the last
    table = np.eye(len(categories) + 1)[rank[codes]]
    return table if (codes < 0).any() else table[:, :-1]


def _numeric_features(tables: list[Array]) -> tuple[list[Array], float]:
    """Return scaled numbers, and a column that marks those missing."""
    real = tables[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns of NaN alone
        middle, centre = np.nanmedian(real, axis=0), np.nanmean(real, axis=0)
    middle, centre = np.nan_to_num(middle), np.nan_to_num(centre)
    scale = _scales(real)
    gaps = np.any([np.isnan(X).any(axis=0) for X in tables], axis=0)
    found = []
    for X in tables:
        missing = np.isnan(X)
        rows = _clipped((np.where(missing, middle, X) - centre) / scale)
        found.append(np.hstack([rows, missing[:, gaps].astype(np.float64)]))
    return found, float(np.log(scale).sum())


def _scales(real: Array) -> Array:
    """Return a positive scale for each column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        deviation = np.nan_to_num(np.nanstd(real, axis=0))
        low, high = (np.nan_to_num(f(real, axis=0)) for f in (np.nanmin, np.nanmax))
    width = high - low
    varies = width > 0
    scale = np.maximum(deviation, width / _RANGE)
    if _in_one_unit(low[varies], high[varies]):
        return np.full_like(scale, np.sqrt(np.mean(deviation[varies] ** 2)))
    constant = np.where(low == 0, 1.0, np.abs(low))
    return np.where(varies, scale, constant)


def _in_one_unit(low: Array, high: Array) -> bool:
    """Tell whether columns look like measurements in one unit."""
    if len(low) < _COLUMNS:
        return False
    filled = (high - low) >= _FILLED * (high.max() - low.min())
    return bool(np.mean(filled) >= 0.5)


def _image_features(tables: list[Array]) -> tuple[list[Array], float]:
    """Return flat images with one scale for each channel."""
    real = tables[0]
    centre = real.mean(axis=0)
    if real.ndim > 3:
        inside = tuple(range(1, real.ndim - 1))
        scale = np.sqrt(real.var(axis=0).mean(axis=inside, keepdims=True))
    else:
        scale = np.sqrt(real.var(axis=0).mean(keepdims=True))
    scale = np.broadcast_to(np.where(scale > 0, scale, 1.0), real.shape[1:])
    found = [_clipped(((X - centre) / scale).reshape(len(X), -1)) for X in tables]
    return found, float(np.log(scale).sum())


def _clipped(rows: Array) -> Array:
    """Return rows with what is far out moved to where distances stay finite."""
    return np.clip(rows, -_FARTHEST, _FARTHEST)
