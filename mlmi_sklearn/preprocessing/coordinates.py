r"""Where the pixels of a tracked image lie in space.

A tracker gives the pose of a probe for every frame, and the calibration says how the
image is fixed to it. Together they make a matrix :math:`T` that takes a place in the
image, in millimetres, to a place in the room:

.. math:: (x, y, z, 1)^\top = T \, (s_c (c - c_0), \; s_r (r - r_0), \; 0, \; 1)^\top

for the pixel in row r and column c, with spacing s and origin :math:`(r_0, c_0)`. The
three coordinates of all pixels are an image of three channels, which tells a generator
where it is to look (Hu et al. 2017): unlike the six numbers of a pose, it says at each
place of the image what that place is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["coordinate_map"]

Array = NDArray[np.float64]


def coordinate_map(
    shape: tuple[int, ...],
    pose: Any = None,
    spacing: Any = 1.0,
    *,
    origin: Any = 0.0,
) -> Array:
    r"""Physical coordinates of each pixel or voxel.

    Parameters
    ----------
    shape : tuple of int
        Height and width of an image, or depth, height and width of a volume.
    pose : array-like or tuple or None, default=None
        Where the image is: a matrix of shape (4, 4) with last row 0, 0, 0, 1, or a
        pair ``(R, t)`` of shapes (3, 3) and (3,). For n images at once, shapes
        (n, 4, 4), or (n, 3, 3) and (n, 3). It takes coordinates in the image, x along
        columns, y along rows, z along the depth, to coordinates in space. R need not
        be a rotation: a calibration may scale. None leaves the image where it is.
    spacing : float or sequence of float, default=1.0
        Size of a pixel, in the unit of the translations, usually mm: one number, or
        one an axis in the order of `shape`. Positive.
    origin : float or sequence of float, default=0.0
        Index, counted from 0, of the pixel from which coordinates in the image are
        measured: one number, or one an axis in the order of `shape`. May lie between
        pixels or outside.

    Returns
    -------
    ndarray of float64 of shape (3, \*shape) or (n, 3, \*shape)
        Channels x, y and z of the centre of each pixel, in the unit of `spacing`.
        Shape (n, 3, \*shape) if `pose` was a stack, even of one.

    Raises
    ------
    ValueError
        If `shape` is neither 2-D nor 3-D, `spacing` or `origin` do not fit it, or
        `pose` is no such matrix.

    References
    ----------
    Hu, Y. et al. (2017). Freehand ultrasound image simulation with spatially-
    conditioned generative adversarial networks. MICCAI RAMBO workshop. arXiv
    1707.05392.

    Examples
    --------
    An image of two rows and three columns with pixels of half a millimetre, moved by
    10 along z:

    >>> import numpy as np
    >>> from mlmi_sklearn.preprocessing import coordinate_map
    >>> x, y, z = coordinate_map((2, 3), (np.eye(3), [0, 0, 10]), spacing=0.5)
    >>> x.tolist()
    [[0.0, 0.5, 1.0], [0.0, 0.5, 1.0]]
    >>> y.tolist()
    [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    >>> float(z.max())
    10.0
    """
    sizes = _shape(shape)
    steps = _per_axis(spacing, "spacing", len(sizes))
    if (steps <= 0).any():
        raise ValueError(f"spacing must be positive, got {spacing!r}.")
    local = _in_image(sizes, steps, _per_axis(origin, "origin", len(sizes)))
    turn, move = _pose(pose)
    flat = turn @ local.reshape(3, -1) + move[..., np.newaxis]
    return flat.reshape(*turn.shape[:-2], 3, *sizes)


def _shape(shape: Any) -> tuple[int, ...]:
    """Return two or three sizes as whole numbers."""
    sizes = np.atleast_1d(np.asarray(shape))
    whole = sizes.ndim == 1 and sizes.dtype.kind in "iu"
    if not whole or len(sizes) not in (2, 3) or (sizes < 1).any():
        raise ValueError(
            "shape must be (height, width) or (depth, height, width) in whole pixels, "
            f"got {shape!r}. For images (n, C, H, W) pass their last two sizes."
        )
    return tuple(int(size) for size in sizes)


def _per_axis(value: Any, name: str, n_axes: int) -> Array:
    """Return one finite number for each axis."""
    numbers = np.asarray(value, dtype=np.float64)
    if numbers.shape not in ((), (n_axes,)) or not np.isfinite(numbers).all():
        raise ValueError(
            f"{name} must be one finite number, or {n_axes} in the order of shape, got "
            f"{value!r}."
        )
    return np.broadcast_to(numbers, (n_axes,))


def _in_image(sizes: tuple[int, ...], spacing: Array, origin: Array) -> Array:
    """Return x, y, z of pixels in the image's own frame; z is 0 without a depth."""
    axes = [
        (np.arange(size) - first) * step
        for size, step, first in zip(sizes, spacing, origin, strict=True)
    ]
    # Arrays count depth, rows, columns; space counts x, y, z.
    grids = np.meshgrid(*axes, indexing="ij")[::-1]
    missing = [np.zeros(sizes)] * (3 - len(sizes))
    return np.stack([*grids, *missing])


def _pose(pose: Any) -> tuple[Array, Array]:
    """Return matrices (..., 3, 3) and translations (..., 3)."""
    if pose is None:
        return np.eye(3), np.zeros(3)
    if isinstance(pose, tuple) and len(pose) == 2:
        turn, move = (np.asarray(part, dtype=np.float64) for part in pose)
    else:
        turn, move = _from_matrix(np.asarray(pose, dtype=np.float64))
    fits = turn.ndim in (2, 3) and turn.shape[-2:] == (3, 3)
    if not fits or move.shape != turn.shape[:-1]:
        raise ValueError(
            "pose must be a matrix (4, 4) or a pair (R, t) of shapes (3, 3) and (3,), "
            f"or stacks of n of them; got shapes {turn.shape} and {move.shape}."
        )
    if not (np.isfinite(turn).all() and np.isfinite(move).all()):
        raise ValueError("pose must be finite; drop frames that the tracker lost.")
    return turn, move


def _from_matrix(matrix: Array) -> tuple[Array, Array]:
    """Cut homogeneous matrices into their parts."""
    if matrix.ndim not in (2, 3) or matrix.shape[-2:] != (4, 4):
        raise ValueError(
            "pose must have shape (4, 4) or (n, 4, 4), or be a pair (R, t), got an "
            f"array of shape {matrix.shape}."
        )
    # Written so that NaN passes here and gets its own message.
    if (abs(matrix[..., 3, :] - [0, 0, 0, 1]) > 1e-6).any():
        raise ValueError(
            "the last row of pose must be 0, 0, 0, 1. A matrix that multiplies row "
            "vectors must be transposed."
        )
    return matrix[..., :3, :3], matrix[..., :3, 3]
