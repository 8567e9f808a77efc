r"""Ellipsoids in space, and what a plane cuts out of them.

An ellipsoid is where :math:`|S (x - c)| \le 1`. On the plane :math:`x = t + E w`, with
two columns in E and w in the plane, that is :math:`|A w + b| \le 1` for
:math:`A = S E` and :math:`b = S (t - c)`: an ellipse about the w that makes
:math:`|A w + b|` least, a problem of least squares.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.special import expit

__all__ = ["Ellipsoids", "Sections"]

Array = NDArray[Any]

_N_BODIES = 4

# In mm: where centres may lie to each side of the middle, and how long semi-axes are.
_BOX = np.array([15.0, 15.0, 6.0])
_SEMI_AXES = (6.0, 9.0)

# Bodies stay so far apart, in mm, that neighbours never touch in a frame.
_GAP = 3.0

_BRIGHTNESS = (0.6, 1.0)
_BACKGROUND = 0.2

# Steepness of edges: from 12 to 88 % within a third of a semi-axis.
_STEEPNESS = 12.0


class Sections(NamedTuple):
    """Ellipses that planes cut out of bodies; all arrays start (n_planes, n_bodies)."""

    centres: Array
    """In the plane, shape (..., 2)."""
    extents: Array
    """Half of width and height along the axes of the plane, shape (..., 2); 0 if the
    plane misses the body."""
    radii: Array
    """Radius of the circle of the same area; 0 if the plane misses the body."""


class Ellipsoids(NamedTuple):
    """Bright bodies in darker tissue."""

    centres: Array
    """In mm, shape (n_bodies, 3)."""
    shapes: Array
    """The matrices S, shape (n_bodies, 3, 3)."""
    brightness: Array
    """Grey values, shape (n_bodies,)."""

    @classmethod
    def draw(cls, seed: int) -> Ellipsoids:
        """Draw bodies that are apart; RandomState's numbers are fixed for ever."""
        rng = np.random.RandomState(seed)
        semi_axes = rng.uniform(*_SEMI_AXES, (_N_BODIES, 3))
        centres = _apart(semi_axes.max(axis=1), rng)
        turns = Rotation.from_rotvec(rng.uniform(-np.pi, np.pi, (_N_BODIES, 3)))
        shapes = turns.as_matrix() / semi_axes[:, :, np.newaxis]
        brightness = rng.permutation(np.linspace(*_BRIGHTNESS, _N_BODIES))
        return cls(centres, shapes, brightness)

    def grey_values(self, points: Array) -> tuple[Array, Array]:
        """Return brightness at points (..., 3), and the body there, 0 for none."""
        grey = np.full(points.shape[:-1], _BACKGROUND)
        body = np.zeros(points.shape[:-1], dtype=np.int64)
        for number, (centre, shape, bright) in enumerate(zip(*self, strict=True)):
            depth = np.linalg.norm((points - centre) @ shape.T, axis=-1)
            grey += (bright - _BACKGROUND) * expit(_STEEPNESS * (1 - depth))
            body[depth <= 1] = number + 1
        return grey, body

    def cut(self, poses: Array) -> Sections:
        """Cut the bodies with the planes z = 0 of poses (n, 4, 4)."""
        edges = poses[:, np.newaxis, :3, :2]
        a = self.shapes @ edges
        offset = poses[:, np.newaxis, :3, 3] - self.centres
        b = (self.shapes @ offset[..., np.newaxis])[..., 0]
        inverse = np.linalg.inv(a.swapaxes(-1, -2) @ a)
        centres = -np.einsum("...ij,...kj,...k->...i", inverse, a, b)
        nearest = b + np.einsum("...ij,...j->...i", a, centres)
        scale = np.sqrt(np.clip(1 - (nearest**2).sum(axis=-1), 0, None))
        widths = np.sqrt(np.diagonal(inverse, axis1=-2, axis2=-1))
        radii = scale * np.linalg.det(inverse) ** 0.25
        return Sections(centres, scale[..., np.newaxis] * widths, radii)


def _apart(radii: Array, rng: np.random.RandomState) -> Array:
    """Draw centres until spheres of these radii have gaps between them."""
    pairs = np.triu_indices(len(radii), 1)
    least = (radii[:, np.newaxis] + radii + _GAP)[pairs]
    while True:
        centres = rng.uniform(-_BOX, _BOX, (len(radii), 3))
        distances = np.linalg.norm(centres[:, np.newaxis] - centres, axis=-1)
        if (distances[pairs] >= least).all():
            return centres
