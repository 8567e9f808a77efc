"""The marker of targets that are not known.

It is scikit-learn's where it has one: -1 for integers (as in
:mod:`sklearn.semi_supervised`), NaN for floats, None for objects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["unlabelled"]

Array = NDArray[Any]


def unlabelled(y: Any, *, integers: bool = True) -> Array | None:
    """Find the entries of a target that carry the marker.

    Parameters
    ----------
    y : array-like
        Targets. In a column of integers -1 is the marker only beside two other values
        at least: -1 and 1 alone are two classes.
    integers : bool, default=True
        Whether integers have a marker at all.

    Returns
    -------
    ndarray of bool or None
        None if everything is known.

    Examples
    --------
    >>> unlabelled([0, 1, -1])
    array([False, False,  True])
    >>> unlabelled([1, -1, -1]) is None
    True
    """
    missing: Array
    try:
        array = np.asarray(y)
    except (TypeError, ValueError):  # left to the usual validation
        return None
    if array.dtype.kind == "f":
        missing = np.asarray(np.isnan(array))
    elif array.dtype.kind == "O":
        missing = np.asarray(pd.isna(array))
    elif array.dtype.kind == "i" and integers:
        missing = np.asarray(array == -1)
        if not missing.any() or len(np.unique(array[~missing])) < 2:
            return None
    else:
        return None
    return missing if bool(missing.any()) else None
