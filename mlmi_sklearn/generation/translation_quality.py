"""How good translations are: beside the truth, or beside images like the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from sklearn.random_projection import GaussianRandomProjection

__all__ = ["looks_of", "structural_similarity"]

Array = NDArray[Any]

_WINDOW = 7
# Cells along a side whose brightness and contrast make the look of an image.
_CELLS = 4
# Columns of rows beyond which a covariance takes too long.
_WIDE = 64


def structural_similarity(a: Array, b: Array, data_range: float) -> Array:
    r"""Return the mean structural similarity (SSIM) of pairs of images.

    .. math:: \frac{(2 \mu_a \mu_b + c_1)(2 \sigma_{ab} + c_2)}
        {(\mu_a^2 + \mu_b^2 + c_1)(\sigma_a^2 + \sigma_b^2 + c_2)}

    in windows of 7 pixels a side (or the largest odd number that fits), averaged over
    all windows within the image and over channels; :math:`c_1 = (0.01 L)^2`,
    :math:`c_2 = (0.03 L)^2` for a data range L. Variances are those of samples, as in
    scikit-image.

    Parameters
    ----------
    a, b : ndarray of shape (n, C, H, W) or (n, C, D, H, W)
        Images or volumes.
    data_range : float
        Largest minus smallest intensity that there can be, above 0.

    Returns
    -------
    ndarray of shape (n,)
        In [-1, 1]; 1 for the same images.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, *Image quality assessment: from error
    visibility to structural similarity*, IEEE TIP 2004, equation 13.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((1, 1, 9, 9))
    >>> structural_similarity(image, image, 1.0)
    array([1.])
    """
    sides = a.shape[2:]
    window = min(_WINDOW, min(sides) - 1 + min(sides) % 2)
    size = (1, 1, *[window] * len(sides))
    a, b = a.astype(np.float64), b.astype(np.float64)
    count = window ** len(sides)
    # A window of one pixel has no variance.
    unbiased = count / max(count - 1, 1)
    mean_a, mean_b = uniform_filter(a, size), uniform_filter(b, size)
    var_a = unbiased * (uniform_filter(a * a, size) - mean_a**2)
    var_b = unbiased * (uniform_filter(b * b, size) - mean_b**2)
    both = unbiased * (uniform_filter(a * b, size) - mean_a * mean_b)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    edge = window // 2
    inner = tuple(slice(edge, side - edge) for side in sides)
    found = (above / below)[(slice(None), slice(None), *inner)]
    return np.asarray(found.reshape(len(a), -1).mean(1))


def looks_of(values: Array) -> Array:
    """Return how samples look, in few numbers.

    Parameters
    ----------
    values : ndarray of shape (n, n_features), (n, C, H, W) or (n, C, D, H, W)
        On the scale of the nets.

    Returns
    -------
    ndarray of shape (n, k)
        Rows as they are (projected at random to 64 columns if they have more); of
        images, the mean and the deviation in each of 4 x 4 (x 4) cells.

    Examples
    --------
    >>> looks_of(np.zeros((5, 1, 28, 20))).shape
    (5, 32)
    """
    if values.ndim > 2:
        return _cells_of(values)
    if values.shape[1] <= _WIDE:
        return values.astype(np.float64)
    projection = GaussianRandomProjection(_WIDE, random_state=0)
    return np.asarray(projection.fit_transform(values.astype(np.float64)))


def _cells_of(images: Array) -> Array:
    sides = images.shape[2:]
    edges = [np.linspace(0, side, min(_CELLS, side) + 1).astype(int) for side in sides]
    numbers = [len(edge) - 1 for edge in edges]
    found = []
    for cell in np.ndindex(*numbers):
        part = tuple(
            slice(edge[k], edge[k + 1]) for edge, k in zip(edges, cell, strict=True)
        )
        pixels = images[(slice(None), slice(None), *part)]
        pixels = pixels.reshape(*images.shape[:2], math.prod(pixels.shape[2:]))
        found += [pixels.mean(2, dtype=np.float64), pixels.std(2, dtype=np.float64)]
    return np.concatenate(found, 1)
