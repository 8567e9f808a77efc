"""Predictions in pieces, where scores of all rows for all classes would be too many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing

from ..containers.bags import Bags

__all__ = ["in_pieces"]

# Half a gigabyte in single precision: what a table of many classes may take at once.
_SCORES = 2**27


def in_pieces(
    decide: Callable[[Any], NDArray[Any]], X: Any, n_classes: int
) -> NDArray[Any]:
    """Decide for as many rows at a time as have a table of scores of moderate size.

    Parameters
    ----------
    decide : callable
        Takes samples, and returns one label for each of them.
    X : array-like
        Samples. Arrays, frames, sparse matrices, bags and lists are cut; others, which
        may not bear it, are not.
    n_classes : int
        Scores of a sample.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_labels)
        As `decide` returns it for all samples together.

    Examples
    --------
    >>> in_pieces(lambda X: X[:, 0] > 1, np.array([[0.0], [2.0]]), 2)
    array([False,  True])
    """
    each = max(_SCORES // max(n_classes, 1), 1)
    cut = issparse(X) or isinstance(X, np.ndarray | pd.DataFrame | Bags | list)
    n = (X.shape[0] if issparse(X) else len(X)) if cut else 0
    if n <= each:
        return decide(X)
    pieces = (slice(start, start + each) for start in range(0, n, each))
    return np.concatenate([decide(_safe_indexing(X, piece)) for piece in pieces])
