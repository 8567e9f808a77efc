"""Simple rivals of a generator: noise of the right covariance, and interpolation."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from ...content import Scores

__all__ = [
    "gaussians",
    "interpolated",
    "mixtures",
    "oversampled",
    "smote",
    "smote_name",
    "smote_there",
    "values_of",
]

Array = NDArray[Any]

_NEIGHBOURS = 5


def gaussians(X: Array, y: Array, seed: int) -> Array:
    """Draw from a Gaussian fitted to each class, its covariance shrunk.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Real rows, in [0, 1].
    y : ndarray of shape (n,)
        Their classes, two rows of each at least.
    seed : int
        Determines the draw.

    Returns
    -------
    ndarray of shape (n, n_features)
        Rows for the same classes, cut to [0, 1].
    """
    rng = np.random.default_rng(seed)
    drawn = np.empty_like(X)
    for label in np.unique(y):
        mine = y == label
        found = LedoitWolf().fit(X[mine])
        drawn[mine] = rng.multivariate_normal(
            found.location_, found.covariance_, int(mine.sum()), method="cholesky"
        )
    return drawn.clip(0, 1)


def interpolated(X: Array, n: int, seed: int) -> Array:
    """Draw points between rows and near neighbours of theirs, as SMOTE does.

    Parameters
    ----------
    X : ndarray of shape (m, n_features)
        Rows of one class, two at least.
    n : int
        How many to draw.
    seed : int
        Determines the draw.

    Returns
    -------
    ndarray of shape (n, n_features)
        Points on lines between a row and one of its five nearest.

    References
    ----------
    Chawla, N. V. et al. (2002). SMOTE: synthetic minority over-sampling technique.
    Journal of Artificial Intelligence Research 16, 321-357.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [1.0, 2.0]])
    >>> x, y = interpolated(line, 100, seed=0).T
    >>> bool(np.allclose(y, 2 * x) and x.min() >= 0 and x.max() <= 1)
    True
    """
    rng = np.random.default_rng(seed)
    k = min(_NEIGHBOURS, len(X) - 1)
    near = NearestNeighbors(n_neighbors=k).fit(X).kneighbors(return_distance=False)
    start = rng.integers(len(X), size=n)
    end = near[start, rng.integers(k, size=n)]
    share = rng.random((n, 1))
    return X[start] + share * (X[end] - X[start])


def mixtures(X: Array, y: Array, seed: int) -> Array:
    """Draw as many interpolated rows of each class as there are real ones.

    Parameters
    ----------
    X, y, seed
        As in :func:`gaussians`.

    Returns
    -------
    ndarray of shape (n, n_features)
        Rows for the same classes.
    """
    drawn = np.empty_like(X)
    for label in np.unique(y):
        mine = y == label
        drawn[mine] = interpolated(X[mine], int(mine.sum()), seed)
    return drawn


def oversampled(X: Array, y: Array, seed: int) -> tuple[Array, Array]:
    """Repeat rows of the smaller class at random until both are of one size.

    Parameters
    ----------
    X, y, seed
        As in :func:`gaussians`, with two classes.

    Returns
    -------
    X, y : ndarray
        The rows as passed, and repetitions.
    """
    rare, missing = _missing(y)
    rng = np.random.default_rng(seed)
    again = rng.choice(np.flatnonzero(y == rare), missing)
    return np.concatenate([X, X[again]]), np.concatenate([y, y[again]])


def smote(X: Array, y: Array, seed: int) -> tuple[Array, Array]:
    """Interpolate, by imbalanced-learn if there, until both classes are of one size.

    Parameters
    ----------
    X, y, seed
        As in :func:`gaussians`, with two classes.

    Returns
    -------
    X, y : ndarray
        The rows as passed, and points between those of the smaller class.
    """
    rare, missing = _missing(y)
    if smote_there():
        k = min(_NEIGHBOURS, int((y == rare).sum()) - 1)
        method = import_module("imblearn.over_sampling").SMOTE
        balanced: tuple[Array, Array] = method(
            k_neighbors=k, random_state=seed
        ).fit_resample(X, y)
        return balanced
    made = interpolated(X[y == rare], missing, seed)
    return np.concatenate([X, made]), np.concatenate([y, np.full(missing, rare)])


def smote_there() -> bool:
    """Say whether imbalanced-learn can be imported."""
    try:
        import_module("imblearn.over_sampling")
    except ImportError:
        return False
    return True


def smote_name() -> str:
    """Return what to call :func:`smote`: by its name only if it is the real one."""
    return "SMOTE" if smote_there() else "Interpolation"


def _missing(y: Array) -> tuple[Any, int]:
    """Return the smaller class, and how many rows the larger has more."""
    classes, sizes = np.unique(y, return_counts=True)
    return classes[sizes.argmin()], int(sizes.max() - sizes.min())


def values_of(name: str, ours: bool, records: list[dict[str, float]]) -> Scores:
    """Turn one mapping a repetition into a row of a table.

    Parameters
    ----------
    name : str
        Name for readers.
    ours : bool
        Whether it is a method in question.
    records : list of dict of str to float
        One entry a repetition, all with the same keys.

    Returns
    -------
    Scores
        With one array a key.

    Examples
    --------
    >>> values_of("a", True, [{"x": 1.0}, {"x": 2.0}]).mean("x")
    1.5
    """
    arrays = {key: np.array([r[key] for r in records]) for key in records[0]}
    return Scores(name, ours, arrays)
