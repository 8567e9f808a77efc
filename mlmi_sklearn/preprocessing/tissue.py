"""Telling tissue from the empty glass around it."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["otsu_threshold", "tissue_mask"]

Array = NDArray[Any]

# Saturation in between is for Otsu to divide. Paper-white glass stays below the lower
# bound (8 of 255, a common fixed threshold), stained tissue above the upper one. So an
# image that is all glass or all tissue is not cut in two.
_GLASS, _STAINED = 8 / 255, 0.2

_BINS = 256


def tissue_mask(
    image: Any, method: str | float | Callable[[Array], Array] = "otsu"
) -> NDArray[np.bool_]:
    """Mark the pixels of an image that show tissue.

    In colour images, tissue is what has colour: the saturation
    (max - min) / max of red, green and blue. In grey images it is what is dark
    (``"otsu"``, ``"dark"``) or what is bright (``"bright"``, for fluorescence).

    Parameters
    ----------
    image : array-like of shape (height, width) or (height, width, n_channels)
        Integers of any range, or floats from 0 to 1. Of four channels, the last is
        taken for transparency.
    method : {"otsu", "dark", "bright"}, float or callable, default="otsu"
        ``"otsu"``, ``"dark"`` and ``"bright"`` choose the threshold by Otsu's method;
        ``"dark"`` and ``"bright"`` look at the mean of the channels. A number from 0 to
        1 is the threshold itself, above which saturation, or darkness in grey images,
        means tissue. A callable gets the image and returns the mask.

    Returns
    -------
    ndarray of bool of shape (height, width)
        True for tissue.

    Raises
    ------
    ValueError
        If the image or the method is unusable, or a callable returns another shape.

    Notes
    -----
    In colour images Otsu's threshold is kept between 0.03 and 0.2, so that an image
    without tissue, or without glass, is not divided. Grey values have no such scale:
    an image without any glass is divided all the same, and only one that is of one
    single grey has no tissue.

    References
    ----------
    Otsu, *A threshold selection method from gray-level histograms*, IEEE Transactions
    on Systems, Man, and Cybernetics 9, 1979.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((4, 6, 3), 240, dtype=np.uint8)
    >>> image[:, 4:] = (190, 120, 170)
    >>> tissue_mask(image).mean(axis=0)
    array([0., 0., 0., 0., 1., 1.])
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or not image.size:
        raise ValueError(
            f"image has shape {image.shape}; tissue is looked for in images of shape "
            "(height, width) or (height, width, n_channels)."
        )
    if callable(method):
        return _mask_by(method, image)
    quantity, bounds = _quantity(image, method)
    if isinstance(method, str):
        method = float(np.clip(otsu_threshold(quantity), *bounds))
    return np.asarray(quantity > method)


def otsu_threshold(values: Any) -> float:
    """Divide numbers into two classes as far apart as possible.

    Parameters
    ----------
    values : array-like
        Finite numbers, of any shape.

    Returns
    -------
    float
        The threshold; the upper class lies above it. Maximises the variance between
        the classes over a histogram of 256 bins. A constant is its own threshold.

    References
    ----------
    Otsu (1979), equation 12.

    Examples
    --------
    >>> 1 < otsu_threshold([0, 1, 1, 8, 9, 9]) < 8
    True
    """
    values = np.ravel(np.asarray(values))
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low
    counts, edges = np.histogram(values, bins=_BINS, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = len(values) - below
    mass = np.cumsum(counts * centres)
    gap = mass[:-1] / below - (mass[-1] - mass[:-1]) / above
    # Between classes far apart every threshold is as good: take the middle one.
    spread = below * above * gap**2
    best = np.flatnonzero(spread >= spread.max() * (1 - 1e-9))
    return float(edges[1:][best].mean())


def _quantity(image: Array, method: str | float) -> tuple[Array, tuple[float, float]]:
    """Return what is larger in tissue, and the bounds of its threshold."""
    if isinstance(method, str) and method not in ("otsu", "dark", "bright"):
        raise ValueError(
            f"method={method!r} is unknown. Choose 'otsu', 'dark', 'bright', a number "
            "from 0 to 1 or a callable."
        )
    if not isinstance(method, str | Real):
        raise ValueError(f"method={method!r} is no name, number or callable.")
    pixels = _colours(image)
    if pixels.ndim == 3 and method not in ("dark", "bright"):
        top = pixels.max(axis=-1)
        span = top - pixels.min(axis=-1)
        saturation = np.divide(span, top, out=np.zeros_like(span), where=top > 0)
        return saturation, (_GLASS, _STAINED)
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=-1)
    return (grey if method == "bright" else 1 - grey), (-np.inf, np.inf)


def _colours(image: Array) -> Array:
    """Scale integers to [0, 1]; drop transparency and a lone axis of channels."""
    if image.ndim == 3 and image.shape[-1] == 4:
        image = image[..., :3]
    if image.ndim == 3 and image.shape[-1] < 3:
        image = image[..., 0]
    if image.dtype.kind == "f":
        return image
    top = np.iinfo(image.dtype).max if image.dtype.kind in "iu" else 1
    return image.astype(np.float32) / np.float32(top)


def _mask_by(method: Callable[[Array], Array], image: Array) -> NDArray[np.bool_]:
    """Call a user's function and check what it returns."""
    mask = np.asarray(method(image))
    if mask.shape != image.shape[:2]:
        raise ValueError(
            f"tissue: the function returned shape {mask.shape} for an image of shape "
            f"{image.shape}; it must return a mask of shape {image.shape[:2]}."
        )
    return mask.astype(bool)
