"""Likelihood of real data under windows on synthetic data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mlmi_sklearn.metrics.synthetic._distances import distance_blocks, nearest
from mlmi_sklearn.metrics.synthetic._features import scaled_features

__all__ = ["parzen_log_likelihood"]

Array = NDArray[Any]

# Widths to choose from, as multiples of a first guess.
_WIDTHS = np.geomspace(0.2, 5.0, 25)
# Smallest width, in units of the space: copies would want none at all.
_NARROWEST = 1e-3
_FOLDS = 2


def parzen_log_likelihood(
    X: Any,
    X_synthetic: Any,
    *,
    bandwidth: float | str = "auto",
    X_valid: Any = None,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    r"""Mean log likelihood of real data under a Parzen window on synthetic data.

    .. math:: \frac1n \sum_i \log \frac1m \sum_j N(x_i; s_j, \sigma^2 I)

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, ...)
        Real data that the generator has not seen.
    X_synthetic : DataFrame or array-like of shape (m, ...)
        Synthetic data; 10,000 rows in the literature.
    bandwidth : "auto" or float, default="auto"
        Width sigma, in units of the features. "auto" takes the one under which the
        likelihood of `X_valid` is largest or, without, chooses it on either half of X
        for the other half.
    X_valid : DataFrame or array-like of shape (k, ...), default=None
        Real data to choose the width by.
    features : None, "robust", "raw", callable or transformer, default=None
        See :func:`~mlmi_sklearn.metrics.robust_features`.
    random_state : int, RandomState instance or None, default=0
        Draws the halves.

    Returns
    -------
    float
        In nats for a row, larger is better. In the robust space it is converted to a
        density in units of the numeric columns; pixels should be in [0, 1] for a
        comparison with published figures.

    Raises
    ------
    ValueError
        If columns differ, a width is not positive, or there is one real row only and
        nothing to choose the width by.

    Notes
    -----
    Near-copies of real data do well: give :func:`distance_to_closest_record` beside it.

    References
    ----------
    Breuleux, Bengio and Vincent, "Quickly generating representative samples from an
    RBM-derived process", Neural Computation 23, 2011. Goodfellow et al., "Generative
    adversarial nets", NeurIPS 2014, table 1. On its weaknesses: "A note on the
    evaluation of generative models", ICLR 2016.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import parzen_log_likelihood
    >>> value = parzen_log_likelihood([[0.0]], [[0.0]], bandwidth=1.0, features="raw")
    >>> round(value, 4)  # log of 1 / sqrt(2 pi)
    -0.9189
    """
    named = {"X": X, "X_synthetic": X_synthetic}
    if X_valid is not None:
        named["X_valid"] = X_valid
    parts, volume = scaled_features(named, features)
    real, made = parts[:2]
    if bandwidth != "auto":
        width = _checked(bandwidth)
        return float(_log_densities(real, made, np.array([width])).mean() - volume)
    if X_valid is not None:
        widths = _candidates(parts[2], made)
        best = _log_densities(parts[2], made, widths).mean(axis=1).argmax()
        found = _log_densities(real, made, widths[[best]])
    else:
        found = _crosswise(real, made, check_random_state(random_state))
    return float(found.mean() - volume)


def _crosswise(real: Array, made: Array, rng: np.random.RandomState) -> Array:
    """Return log densities of all rows, each with the width chosen on other rows."""
    if len(real) < _FOLDS:
        raise ValueError(
            'bandwidth="auto" needs X_valid or two rows of X at least, got one row.'
        )
    values = _log_densities(real, made, _candidates(real, made))
    fold = rng.permutation(len(real)) % _FOLDS
    found = np.empty(len(real))
    for k in range(_FOLDS):
        best = values[:, fold != k].mean(axis=1).argmax()
        found[fold == k] = values[best, fold == k]
    return found


def _candidates(real: Array, made: Array) -> Array:
    """Return widths around that which fits one sample at the nearest distance."""
    guess = np.sqrt(np.mean(nearest(real, made) ** 2) / real.shape[1])
    return np.maximum(_WIDTHS * max(float(guess), _NARROWEST), _NARROWEST)


def _log_densities(real: Array, made: Array, widths: Array) -> Array:
    """Return log densities of shape (number of widths, n)."""
    d, found = real.shape[1], np.empty((len(widths), len(real)))
    for rows, block in distance_blocks(real, made):
        np.square(block, out=block)
        least = block.min(axis=1, keepdims=True)
        block -= least
        for i, width in enumerate(widths):
            shares = np.exp(block / (-2 * width**2)).sum(axis=1)
            found[i, rows] = np.log(shares) - least[:, 0] / (2 * width**2)
    constant = np.log(len(made)) + 0.5 * d * np.log(2 * np.pi)
    return found - constant - d * np.log(widths)[:, None]


def _checked(bandwidth: Any) -> float:
    if isinstance(bandwidth, str) or not 0 < bandwidth < np.inf:
        raise ValueError(
            f'bandwidth must be "auto" or a positive number, got {bandwidth!r}.'
        )
    return float(bandwidth)
