"""Nearest neighbours: are samples real, are all real rows covered, are they copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics.synthetic._distances import (
    TIES,
    distance_blocks,
    nearest,
    neighbours,
)
from mlmi_sklearn.metrics.synthetic._features import feature_arrays

__all__ = ["distance_to_closest_record", "prdc"]

Array = NDArray[Any]


def prdc(
    X: Any, X_synthetic: Any, *, n_neighbors: int = 5, features: Any = None
) -> dict[str, float]:
    """Precision, recall, density and coverage.

    Around every row lies a ball that reaches as far as its k-th nearest neighbour of
    the same sample.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data, more rows than `n_neighbors`.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data with the same columns, more rows than `n_neighbors`.
    n_neighbors : int, default=5
        Number k.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.

    Returns
    -------
    dict of str to float
        - "precision": share of synthetic rows in the ball of a real row.
        - "recall": share of real rows in the ball of a synthetic row. Low where
          synthetic rows crowd together.
        - "density": mean number of real balls a synthetic row is in, divided by k.
          About 1 for real data; more where samples are nearer to the middle.
        - "coverage": share of real rows in whose ball a synthetic row is.

    Raises
    ------
    ValueError
        If a sample has no more than `n_neighbors` rows, or columns differ.

    Notes
    -----
    Values depend on the sizes of both samples; compare those of equal size. A row on
    the surface of a ball is inside, so that copies of rows with many twins, as in
    tables of categories, are covered.

    References
    ----------
    Kynkaanniemi et al., "Improved precision and recall metric for assessing generative
    models", NeurIPS 2019. Naeem et al., "Reliable fidelity and diversity metrics for
    generative models", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import prdc
    >>> X = np.arange(20.0).reshape(-1, 1)
    >>> found = prdc(X, X[:10] + 0.5, n_neighbors=2)
    >>> found["precision"], found["coverage"]
    (1.0, 0.55)
    """
    real, made = feature_arrays({"X": X, "X_synthetic": X_synthetic}, features)
    smallest = min(len(real), len(made))
    if not 1 <= n_neighbors < smallest:
        raise ValueError(
            "n_neighbors must be 1 at least and below the rows of either sample, "
            f"{len(real)} and {len(made)}, got {n_neighbors!r}."
        )
    around_real = neighbours(real, real, n_neighbors, same=True)[:, -1] * TIES
    around_made = neighbours(made, made, n_neighbors, same=True)[:, -1] * TIES
    balls = np.zeros(len(made), dtype=int)
    recalled, covered = 0, 0
    for rows, block in distance_blocks(real, made):
        inside = block <= around_real[rows, None]
        balls += inside.sum(axis=0)
        covered += int(inside.any(axis=1).sum())
        recalled += int((block <= around_made).any(axis=1).sum())
    return {
        "precision": float(np.mean(balls > 0)),
        "recall": recalled / len(real),
        "density": float(balls.mean() / n_neighbors),
        "coverage": covered / len(real),
    }


def distance_to_closest_record(
    X_train: Any,
    X_holdout: Any,
    X_synthetic: Any,
    *,
    n_draws: int = 5,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    """Share of synthetic rows nearer to the training data than to held-out data.

    Parameters
    ----------
    X_train : DataFrame or array-like of shape (n, ...)
        Real data that the generator has learned from.
    X_holdout : DataFrame or array-like of shape (m, ...)
        Real data that it has not seen.
    X_synthetic : DataFrame or array-like of shape (k, ...)
        Synthetic data.
    n_draws : int, default=5
        The larger of the two real sets is subsampled to the size of the smaller one, as
        many times; the mean is returned.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`; scales are those of
        `X_train`.
    random_state : int, RandomState instance or None, default=0
        Draws the subsamples.

    Returns
    -------
    float
        0.5 where nothing was memorised; ties count half. Copies of a training set that
        is f times as large as the other are at about ``(1 + 1 / f) / 2``, which is 1
        for equal sizes: compare with the value of the training data themselves.

    Raises
    ------
    ValueError
        If columns differ or `n_draws` is below 1.

    References
    ----------
    Platzer and Reutterer, "Holdout-based empirical assessment of mixed-type synthetic
    data", Frontiers in Big Data 4, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import distance_to_closest_record
    >>> rng = np.random.RandomState(0)
    >>> train, other = rng.normal(size=(2, 50, 3))
    >>> distance_to_closest_record(train, other, train)
    1.0
    """
    named = {"X_train": X_train, "X_holdout": X_holdout, "X_synthetic": X_synthetic}
    train, other, made = feature_arrays(named, features)
    if n_draws < 1:
        raise ValueError(f"n_draws must be 1 at least, got {n_draws!r}.")
    rng = check_random_state(random_state)
    size = min(len(train), len(other))
    if len(train) == len(other):
        n_draws = 1
    shares = []
    for _ in range(n_draws):
        to_train, to_other = (
            nearest(made, part[rng.permutation(len(part))[:size]])
            for part in (train, other)
        )
        nearer = to_train * TIES < to_other
        tied = ~nearer & (to_train <= to_other * TIES)
        shares.append(nearer.mean() + tied.mean() / 2)
    return float(np.mean(shares))
