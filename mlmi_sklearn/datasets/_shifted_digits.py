"""Handwritten digits whose second half looks different: adaptation in seconds."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state, check_scalar

ShiftName = Literal["blend", "rotate", "gain", "roll", "blur", "scale"]


def make_shifted_digits(
    shift: ShiftName | None = "rotate",
    n_source: int = 900,
    *,
    as_images: bool = False,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make a source of handwritten digits and a target of other, altered digits.

    The 1797 digits of scikit-learn (8 x 8 pixels, divided by 16) are shuffled. The
    first `n_source` become the source as they are, the others the target after the
    shift, so no image occurs in both.

    ==========  ==================================================================
    Shift       What happens to an image x of the target
    ==========  ==================================================================
    ``blend``   ``|0.6 b - x|``; b is uniform noise, smoothed by a Gaussian of
                sigma 1 and scaled to [0, 1] (the idea of MNIST-M)
    ``rotate``  turned by 35 degrees about its centre, linear interpolation
    ``gain``    ``clip(0.35 x + 0.4 + 0.08 N(0, 1), 0, 1)``: a duller scanner
    ``roll``    moved by one pixel along its width, round the edge
    ``blur``    smoothed by a Gaussian of sigma 1
    ``scale``   shrunk to 6 x 6 pixels, in a frame of zeros
    None        nothing: there is no shift
    ==========  ==================================================================

    Parameters
    ----------
    shift : {"blend", "rotate", "gain", "roll", "blur", "scale"} or None, \
            default="rotate"
        What sets the target apart. Defaults of this library were chosen on the first
        four; the last two were kept out of that, to test them.
    n_source : int, default=900
        Number of digits in the source, from 1 to 1796; all others are the target.
    as_images : bool, default=False
        Whether X has shape (1797, 8, 8) instead of (1797, 64).
    random_state : int, RandomState instance or None, default=None
        Determines the order of digits and the noise of ``blend`` and ``gain``.

    Returns
    -------
    X : ndarray of float32 of shape (1797, 64) or (1797, 8, 8)
        Pixels between 0 and 1, source first.
    y : ndarray of int of shape (1797,)
        Digits, also of the target, to score with. Domain adaptation in this library
        does not look at labels of the target unless told to.
    sample_domain : ndarray of int of shape (1797,)
        0 for source, -1 for target.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Ganin, Y. et al. (2016). Domain-adversarial training of neural networks. Journal of
    Machine Learning Research 17(59), section 5.2 (MNIST-M).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mlmi_sklearn.datasets import make_shifted_digits
    >>> X, y, sample_domain = make_shifted_digits("rotate", random_state=0)
    >>> X.shape, int((sample_domain < 0).sum())
    ((1797, 64), 897)
    >>> source, target = sample_domain >= 0, sample_domain < 0
    >>> model = LogisticRegression(max_iter=1000).fit(X[source], y[source])
    >>> model.score(X[source], y[source]) - model.score(X[target], y[target]) > 0.4
    True
    """
    digits = load_digits()
    n_all = len(digits.target)
    check_scalar(n_source, "n_source", Integral, min_val=1, max_val=n_all - 1)
    if not (shift is None or (isinstance(shift, str) and shift in _SHIFTS)):
        raise ValueError(f"shift must be one of {[*_SHIFTS]} or None, got {shift!r}.")
    rng = check_random_state(random_state)
    order = rng.permutation(n_all)
    images = digits.images[order] / 16
    if shift is not None:
        images[n_source:] = _SHIFTS[shift](images[n_source:], rng)
    X = images if as_images else images.reshape(n_all, -1)
    sample_domain = np.repeat([0, -1], [n_source, n_all - n_source])
    return X.astype(np.float32), digits.target[order], sample_domain


def _blend(images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Subtract the image from a smooth background of its own."""
    background = ndimage.gaussian_filter(rng.uniform(size=images.shape), (0, 1, 1))
    background -= background.min(axis=(1, 2), keepdims=True)
    background /= background.max(axis=(1, 2), keepdims=True)
    return np.abs(0.6 * background - images)


def _rotate(images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Turn images about their centre."""
    return ndimage.rotate(images, 35, axes=(1, 2), reshape=False, order=1)


def _gain(images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Flatten and brighten images, and add noise."""
    noise = rng.standard_normal(images.shape)
    return np.clip(0.35 * images + 0.4 + 0.08 * noise, 0, 1)


def _roll(images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Move images sideways."""
    return np.roll(images, 1, axis=2)


def _blur(images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Take the sharpness from images."""
    return ndimage.gaussian_filter(images, (0, 1, 1))


def _scale(images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Shrink images and keep their frame."""
    small = ndimage.zoom(images, (1, 0.75, 0.75), order=1)
    return np.pad(small, ((0, 0), (1, 1), (1, 1)))


_SHIFTS: dict[str, Callable[[np.ndarray, np.random.RandomState], np.ndarray]] = {
    "blend": _blend,
    "rotate": _rotate,
    "gain": _gain,
    "roll": _roll,
    "blur": _blur,
    "scale": _scale,
}
