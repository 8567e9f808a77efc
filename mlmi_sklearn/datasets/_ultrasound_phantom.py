"""A phantom seen by a tracked ultrasound probe: frames, poses and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from sklearn.utils import Bunch, check_random_state, check_scalar

from mlmi_sklearn.datasets._ellipsoids import Ellipsoids
from mlmi_sklearn.preprocessing.coordinates import coordinate_map

__all__ = ["make_probe_path", "make_ultrasound_phantom"]

Array = NDArray[Any]

# How far the hand moves the probe from the middle, in mm to each side, and turns it.
_REACH = np.array([9.0, 9.0, 6.0])
_DEGREES = 25.0

# A section is a landmark from this radius on, in pixels.
_LEAST_RADIUS = 2.5

_DEFAULT_FRAMES = 200


def make_ultrasound_phantom(
    n_frames: int | None = None,
    *,
    size: tuple[int, int] = (24, 24),
    spacing: float = 2.0,
    speckle: float = 0.4,
    noise_free: bool = False,
    poses: Any = None,
    phantom_seed: int = 0,
    random_state: Any = None,
) -> Bunch:
    r"""Make frames of a phantom, as a tracked freehand ultrasound probe sees it.

    The phantom is a block of tissue with four bright ellipsoids, which no two seeds
    place alike. A frame is the plane through it at the pose of the probe, with the
    multiplicative speckle of ultrasound:

    .. math:: \text{image} = \text{truth} \cdot (1 - s + s\, \rho), \qquad
        \rho \sim \text{Rayleigh with mean 1}.

    A generator conditioned on ``coordinates`` (spatial conditioning) is to show what
    is there at a pose that it was not trained on. Since the phantom is a formula, what
    it should show is known.

    Parameters
    ----------
    n_frames : int or None, default=None
        Number of frames at random poses; 200 with None. Not with `poses`.
    size : tuple of int, default=(24, 24)
        Rows and columns of a frame.
    spacing : float, default=2.0
        Size of a pixel in mm. The default frame is 48 mm wide and sees most of the
        phantom; halve it when doubling `size`.
    speckle : float, default=0.4
        Strength s of the speckle: 0 for none, 1 for fully developed speckle, whose
        standard deviation is 0.52 of the mean.
    noise_free : bool, default=False
        Whether ``images`` is the truth. Poses are those of a call with speckle.
    poses : array-like of shape (n, 4, 4) or None, default=None
        Where to look, such as along :func:`make_probe_path`: rigid motions, in mm,
        from the frame, x to the right, y down, with its middle as origin, into the
        phantom, whose middle is the origin too. With None the probe is moved within
        9, 9 and 6 mm of the middle and turned by up to 25 degrees about each axis.
    phantom_seed : int, default=0
        Determines the phantom, and nothing else. Frames to train and to test on come
        from calls with the same one.
    random_state : int, RandomState instance or None, default=None
        Determines poses and speckle, each by its own stream: the same seed gives the
        same poses for any `speckle` and `size`.

    Returns
    -------
    sklearn.utils.Bunch
        With n frames of H rows and W columns:

        - ``images``: ndarray of float32 of shape (n, 1, H, W), not negative, mostly
          below 2;
        - ``truth``: the same without speckle, in [0, 1];
        - ``masks``: ndarray of int of shape (n, H, W), 0 for tissue, k for body k, from
          1 to 4;
        - ``poses``: ndarray of float64 of shape (n, 4, 4);
        - ``coordinates``: ndarray of float32 of shape (n, 3, H, W), where each pixel
          lies in the phantom, in mm: the ``coordinate_map`` of ``poses`` with the
          middle of the frame as ``origin``;
        - ``landmarks``: ndarray of float64 of shape (n, 4, 2), row and column, in
          pixels, of the middle of each body's section; NaN where the frame does not
          show the whole of it, or its radius is below 2.5 pixels;
        - ``centres``: ndarray of float64 of shape (4, 3), middles of the bodies in mm;
        - ``spacing``: size of a pixel in mm.

    Raises
    ------
    ValueError
        If a parameter is out of range, a pose is no rigid motion, or both `n_frames`
        and `poses` are given.

    See Also
    --------
    make_probe_path : Poses of a probe that is moved along a line.
    mlmi_sklearn.metrics.detect_landmarks : Finds the landmarks in images.
    mlmi_sklearn.preprocessing.coordinate_map : Makes ``coordinates`` of poses.

    Notes
    -----
    With 2,000 frames to train on, :func:`~mlmi_sklearn.metrics.detect_landmarks` errs
    by 0.2 pixels (median) on real frames, by 1.1 where a frame is replaced by the one
    of the nearest training pose, and by 2.6, if it finds anything, where it is replaced
    by any frame.

    References
    ----------
    Hu, Y. et al. (2017). Freehand ultrasound image simulation with spatially-
    conditioned generative adversarial networks. MICCAI RAMBO workshop. arXiv
    1707.05392.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import make_ultrasound_phantom
    >>> train = make_ultrasound_phantom(300, random_state=0)
    >>> train.images.shape, train.coordinates.shape
    ((300, 1, 24, 24), (300, 3, 24, 24))

    The same places once more, with other speckle, tell how much of a frame is chance:

    >>> again = make_ultrasound_phantom(poses=train.poses, random_state=1)
    >>> bool((again.truth == train.truth).all())
    True
    >>> print(abs(again.images - train.images).mean().round(2))
    0.07
    """
    n_rows, n_cols = _check(size, spacing, speckle, phantom_seed)
    rng = check_random_state(random_state)
    pose_seed, speckle_seed = rng.randint(2**32, size=2, dtype=np.uint32)
    places = _poses(n_frames, poses, np.random.RandomState(pose_seed))
    middle = np.array([n_rows - 1, n_cols - 1]) / 2
    coordinates = coordinate_map((n_rows, n_cols), places, spacing, origin=middle)
    body = Ellipsoids.draw(int(phantom_seed))
    truth, masks = body.grey_values(np.moveaxis(coordinates, 1, -1))
    images = truth
    if not noise_free:
        images = truth * _speckle(truth.shape, speckle, speckle_seed)
    return Bunch(
        images=images[:, np.newaxis].astype(np.float32),
        truth=truth[:, np.newaxis].astype(np.float32),
        masks=masks,
        poses=places,
        coordinates=coordinates.astype(np.float32),
        landmarks=_landmarks(body, places, middle, float(spacing)),
        centres=body.centres,
        spacing=float(spacing),
    )


def make_probe_path(
    n_frames: int = 20,
    *,
    start: Sequence[float] = (-6.0, 0.0, -6.0),
    stop: Sequence[float] = (6.0, 0.0, 6.0),
    angles: Sequence[float] = (0.0, 0.0, 0.0),
) -> Array:
    """Make poses of a probe that is moved along a straight line.

    Parameters
    ----------
    n_frames : int, default=20
        Number of poses, at equal steps; at least 1.
    start : sequence of 3 floats, default=(-6.0, 0.0, -6.0)
        First place of the middle of the frame, x, y and z in mm.
    stop : sequence of 3 floats, default=(6.0, 0.0, 6.0)
        Its last place.
    angles : sequence of 3 floats, default=(0.0, 0.0, 0.0)
        How the probe is held: degrees of turns about the fixed axes x, y and z, in
        this order.

    Returns
    -------
    ndarray of float64 of shape (n_frames, 4, 4)
        For ``make_ultrasound_phantom(poses=...)`` and ``coordinate_map``.

    Raises
    ------
    ValueError
        If `n_frames` is below 1, or the others are not three finite numbers.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import make_probe_path, make_ultrasound_phantom
    >>> poses = make_probe_path(5, start=(0, 0, -6), stop=(0, 0, 6))
    >>> poses[:, 2, 3].tolist()
    [-6.0, -3.0, 0.0, 3.0, 6.0]
    >>> make_ultrasound_phantom(poses=poses, random_state=0).images.shape
    (5, 1, 24, 24)
    """
    check_scalar(n_frames, "n_frames", Integral, min_val=1)
    first, last, turn = (
        _triple(value, name)
        for name, value in (("start", start), ("stop", stop), ("angles", angles))
    )
    places = np.linspace(first, last, int(n_frames))
    return _rigid(np.tile(turn, (len(places), 1)), places)


def _check(size: Any, spacing: Any, speckle: Any, seed: Any) -> tuple[int, int]:
    """Check what describes phantom and frame, and return rows and columns."""
    pair = isinstance(size, Sequence | np.ndarray) and len(size) == 2
    if not pair or not all(isinstance(n, Integral) and int(n) >= 1 for n in size):
        raise ValueError(
            f"size must be two whole numbers, rows and columns, got {size!r}."
        )
    check_scalar(spacing, "spacing", Real, min_val=0, include_boundaries="neither")
    check_scalar(speckle, "speckle", Real, min_val=0, max_val=1)
    check_scalar(seed, "phantom_seed", Integral, min_val=0)
    if not np.isfinite([spacing, speckle]).all() or seed >= 2**32:
        raise ValueError(
            "spacing and speckle must be finite and phantom_seed below 2**32, got "
            f"{spacing}, {speckle} and {seed}."
        )
    return int(size[0]), int(size[1])


def _poses(n_frames: Any, poses: Any, rng: np.random.RandomState) -> Array:
    """Draw poses, or check those that are given."""
    if poses is None:
        n_frames = _DEFAULT_FRAMES if n_frames is None else n_frames
        check_scalar(n_frames, "n_frames", Integral, min_val=1)
        drawn = rng.uniform(-1, 1, (int(n_frames), 6))
        return _rigid(_DEGREES * drawn[:, 3:], _REACH * drawn[:, :3])
    if n_frames is not None:
        raise ValueError(
            f"n_frames={n_frames!r} must be left out where poses are given: there is "
            "one frame for each."
        )
    places = np.array(poses, dtype=np.float64)
    if places.ndim != 3 or places.shape[1:] != (4, 4) or not len(places):
        raise ValueError(f"poses must have shape (n, 4, 4), got {places.shape}.")
    turns = places[:, :3, :3]
    # Written so that NaN is refused as well.
    rigid = abs(turns.swapaxes(1, 2) @ turns - np.eye(3)).max() < 1e-4
    last = abs(places[:, 3] - [0, 0, 0, 1]).max() < 1e-6
    if not (rigid and last and np.isfinite(places).all()):
        raise ValueError(
            "poses must be rigid motions: a rotation, a translation in mm, and "
            "0, 0, 0, 1 in the last row. Say the size of pixels by spacing."
        )
    return places


def _rigid(angles: Array, places: Array) -> Array:
    """Return matrices (n, 4, 4) from angles in degrees and translations."""
    poses = np.tile(np.eye(4), (len(places), 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    poses[:, :3, 3] = places
    return poses


def _speckle(shape: tuple[int, ...], strength: float, seed: int) -> Array:
    """Draw what truth is multiplied by: the mean is 1 for any strength."""
    rho = np.random.RandomState(seed).rayleigh(np.sqrt(2 / np.pi), shape)
    return 1 - strength + strength * rho


def _landmarks(body: Ellipsoids, poses: Array, middle: Array, spacing: float) -> Array:
    """Return middles of sections in pixels, NaN where a frame does not show them."""
    sections = body.cut(poses)
    x, y = np.moveaxis(sections.centres / spacing, -1, 0)
    pixels = np.stack([y, x], axis=-1)
    half = sections.extents[..., ::-1] / spacing
    whole = (abs(pixels) + half <= middle).all(axis=-1)
    shown = whole & (sections.radii >= _LEAST_RADIUS * spacing)
    return np.where(shown[..., np.newaxis], pixels + middle, np.nan)


def _triple(value: Any, name: str) -> Array:
    """Return three finite numbers."""
    numbers = np.asarray(value, dtype=np.float64)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be three finite numbers, got {value!r}.")
    return numbers
