"""Places of bright or dark spots in images, and how far off they are.

Hu et al. (2017) judge simulated ultrasound by landmarks: a frame made for a pose of the
probe should show structures where a real frame at that pose does. People marked them
there; here a small detector does, the same for real and for simulated frames, so that
its own error is known from the real ones.
"""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_scalar

__all__ = ["LandmarkError", "detect_landmarks", "landmark_error"]

Array = NDArray[Any]


class LandmarkError(NamedTuple):
    """What :func:`landmark_error` returns.

    Parameters
    ----------
    median : float
        Median distance of the landmarks found.
    mean : float
        Mean distance of the landmarks found.
    missing : int
        Number of landmarks not found.
    n_landmarks : int
        Number of landmarks looked for.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import LandmarkError, landmark_error
    >>> error = landmark_error([[[3, 4], [9, 9]]], [[[3, 5], [9, 9]]], spacing=0.5)
    >>> error == LandmarkError(median=0.25, mean=0.25, missing=0, n_landmarks=2)
    True
    """

    median: float
    mean: float
    missing: int
    n_landmarks: int


def detect_landmarks(
    images: Any,
    expected: Any,
    *,
    radius: float = 4.0,
    sigma: float = 1.0,
    min_contrast: float = 0.25,
    polarity: Literal["bright", "dark"] = "bright",
) -> Array:
    """Find the middle of the spot near each expected place.

    An image is smoothed. Its highest value within `radius` of the expected place is
    taken as part of the spot, and its median as the background. The spot is what
    surrounds that value and is at least half as far above the background, even beyond
    `radius`. Its middle is the centre of mass of what stands above this level.

    Parameters
    ----------
    images : array-like of shape (n, H, W) or (n, 1, H, W)
        Images; or volumes, of shape (n, D, H, W) or (n, 1, D, H, W).
    expected : array-like of shape (n, n_landmarks, 2)
        Row and column, from 0, where landmarks should be, such as the true ones of a
        phantom; depth, row and column for volumes. NaN for those not to be looked for.
    radius : float, default=4.0
        How far from its expected place, in pixels, a landmark may be found.
    sigma : float, default=1.0
        Standard deviation, in pixels, of the Gaussian that smooths; 0 for none.
    min_contrast : float, default=0.25
        Least height of the spot above the background, as a share of the range of the
        smoothed image, between 0 and 1.
    polarity : {"bright", "dark"}, default="bright"
        Whether spots are brighter or darker than what surrounds them.

    Returns
    -------
    ndarray of float64 of shape (n, n_landmarks, 2)
        Places, between pixels too; NaN where nothing was looked for, nothing stands
        out, or the middle of the spot is farther than `radius` from the expected place.

    Raises
    ------
    ValueError
        If shapes do not fit, images are not finite, or a parameter is out of range.

    Notes
    -----
    The detector looks only near the expected place, so an error can be at most
    `radius`, and a spot that is there by chance is found as well. Compare with the
    error for real frames, and for frames of other poses.

    A spot that the edge of the image cuts off is found too far inside.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import detect_landmarks
    >>> image = np.zeros((16, 16))
    >>> image[5:8, 9:12] = 1
    >>> detect_landmarks([image], [[[7, 8], [14, 2]]]).round(2).tolist()
    [[[6.0, 10.0], [nan, nan]]]
    """
    pictures, places = _checked(images, expected)
    for name, value in (("radius", radius), ("sigma", sigma)):
        check_scalar(value, name, Real, min_val=0)
    check_scalar(min_contrast, "min_contrast", Real, min_val=0, max_val=1)
    if polarity not in ("bright", "dark"):
        raise ValueError(f"polarity must be 'bright' or 'dark', got {polarity!r}.")
    sign = 1.0 if polarity == "bright" else -1.0
    found = np.full(places.shape, np.nan)
    for row, (picture, wanted) in enumerate(zip(pictures, places, strict=True)):
        smooth = ndimage.gaussian_filter(sign * picture, sigma, mode="nearest")
        for number in np.flatnonzero(np.isfinite(wanted).all(axis=1)):
            spot = _spot(smooth, wanted[number], radius, min_contrast)
            found[row, number] = spot
    return found


def landmark_error(y_true: Any, y_pred: Any, *, spacing: Any = 1.0) -> LandmarkError:
    """Distance between landmarks in real and in simulated images.

    Parameters
    ----------
    y_true : array-like of shape (n, n_landmarks, 2) or (..., 3)
        True places, row and column, with NaN for landmarks that an image does not show.
        These do not count.
    y_pred : array-like of the shape of `y_true`
        Places found, such as by :func:`detect_landmarks`, with NaN for those missing.
    spacing : float or sequence of float, default=1.0
        Size of a pixel, or one for each axis, for distances in mm; 1 for pixels.

    Returns
    -------
    LandmarkError
        ``median`` and ``mean`` distance of those found, in the unit of `spacing`; the
        number ``missing``; and ``n_landmarks``, the number that `y_true` has. Median
        and mean are NaN, with a warning, if none was found. Read them beside the
        number missing: a landmark that is lost adds nothing to them.

    Raises
    ------
    ValueError
        If shapes do not fit, or `y_true` has no landmark.

    References
    ----------
    Hu, Y. et al. (2017). Freehand ultrasound image simulation with spatially-
    conditioned generative adversarial networks. MICCAI RAMBO workshop. arXiv
    1707.05392.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import landmark_error
    >>> true = [[[3, 4], [9, 9]], [[5, 5], [np.nan, np.nan]]]
    >>> found = [[[3, 5], [np.nan, np.nan]], [[5, 8], [1, 1]]]
    >>> landmark_error(true, found)
    LandmarkError(median=2.0, mean=2.0, missing=1, n_landmarks=3)
    """
    true, pred = (np.asarray(y, dtype=np.float64) for y in (y_true, y_pred))
    if true.shape != pred.shape or true.ndim < 2 or true.shape[-1] not in (2, 3):
        raise ValueError(
            "y_true and y_pred must have one shape, (n, n_landmarks, 2) or "
            f"(n, n_landmarks, 3), got {true.shape} and {pred.shape}."
        )
    steps = np.asarray(spacing, dtype=np.float64)
    if steps.shape not in ((), true.shape[-1:]) or not (steps > 0).all():
        raise ValueError(
            f"spacing must be one positive number or {true.shape[-1]}, got {spacing!r}."
        )
    present = np.isfinite(true).all(axis=-1)
    if not present.any():
        raise ValueError("y_true has no landmark: all its places are NaN.")
    distances = np.linalg.norm((pred - true)[present] * steps, axis=-1)
    return _summary(distances)


def _summary(distances: Array) -> LandmarkError:
    """Sum up distances, NaN for landmarks that are missing."""
    found = distances[np.isfinite(distances)]
    if not len(found):
        warnings.warn(
            "No landmark was found, so the error is not defined; returning NaN.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
        return LandmarkError(np.nan, np.nan, len(distances), len(distances))
    return LandmarkError(
        float(np.median(found)),
        float(found.mean()),
        len(distances) - len(found),
        len(distances),
    )


def _checked(images: Any, expected: Any) -> tuple[Array, Array]:
    """Return images without channel, and places, as float64."""
    places = np.asarray(expected, dtype=np.float64)
    if places.ndim != 3 or places.shape[-1] not in (2, 3):
        raise ValueError(
            "expected must have shape (n, n_landmarks, 2), or 3 for volumes, got "
            f"{places.shape}."
        )
    pictures = np.asarray(images, dtype=np.float64)
    n_axes = places.shape[-1]
    if pictures.ndim == n_axes + 2 and pictures.shape[1] == 1:
        pictures = pictures[:, 0]
    if pictures.ndim != n_axes + 1 or len(pictures) != len(places):
        raise ValueError(
            f"images must be {len(places)} of one channel, with {n_axes} axes each, to "
            f"fit expected; got shape {np.shape(images)}."
        )
    if not np.isfinite(pictures).all():
        raise ValueError("images must be finite.")
    return pictures, places


def _spot(smooth: Array, place: Array, radius: float, min_contrast: float) -> Array:
    """Return the middle of the spot near a place, or NaN."""
    nothing = np.full(smooth.ndim, np.nan)
    grid = np.moveaxis(np.indices(smooth.shape), 0, -1)
    near = np.linalg.norm(grid - place, axis=-1) <= radius
    if not near.any():
        return nothing
    top = np.unravel_index(np.where(near, smooth, -np.inf).argmax(), smooth.shape)
    background = np.median(smooth)
    height = smooth[top] - background
    if height <= 0 or height < min_contrast * np.ptp(smooth):
        return nothing
    excess = smooth - (background + height / 2)
    parts, _ = ndimage.label(excess > 0)
    mass = np.where(parts == parts[top], excess, 0)
    middle = np.asarray(ndimage.center_of_mass(mass))
    return middle if np.linalg.norm(middle - place) <= radius else nothing
