"""Two moons and the same two moons, turned: the smallest test of domain adaptation."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.datasets import make_moons
from sklearn.utils import check_random_state, check_scalar


def make_rotated_moons(
    n_samples: int = 300,
    angle: float = 35.0,
    *,
    noise: float = 0.05,
    n_target: int | None = None,
    same_points: bool = False,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make inter-twinning moons as source and turned ones as target.

    The points of :func:`sklearn.datasets.make_moons` are moved so that the mean of the
    source is the origin, doubled, and those of the target turned about the origin,
    counter-clockwise. Labels stay with their moon, so a model of the source errs more
    with every degree.

    Parameters
    ----------
    n_samples : int, default=300
        Points of the source, half of them of each moon; at least 2.
    angle : float, default=35.0
        Degrees by which the target is turned; negative for clockwise.
    noise : float, default=0.05
        Standard deviation of the noise on points, before doubling.
    n_target : int or None, default=None
        Points of the target, at least 2; as many as the source with None.
    same_points : bool, default=False
        Whether the target consists of the very points of the source, turned, instead
        of newly drawn ones. `n_target` must then be None.
    random_state : int, RandomState instance or None, default=None
        Determines the points.

    Returns
    -------
    X : ndarray of float64 of shape (n_samples + n_target, 2)
        Points, source first; each domain in random order.
    y : ndarray of int of shape (n_samples + n_target,)
        0 for the upper moon, 1 for the lower, also of the target, to score with.
    sample_domain : ndarray of int of shape (n_samples + n_target,)
        0 for source, -1 for target.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `n_target` is given with `same_points`.

    Notes
    -----
    The article draws 300 points a domain, which is the default here; the code of its
    authors draws 150.

    References
    ----------
    Ganin, Y. et al. (2016). Domain-adversarial training of neural networks. Journal of
    Machine Learning Research 17(59), section 5.1.1.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import make_rotated_moons
    >>> X, y, sample_domain = make_rotated_moons(angle=90, noise=0, same_points=True)
    >>> X.shape
    (600, 2)
    >>> source, target = X[sample_domain >= 0], X[sample_domain < 0]
    >>> bool(abs(target[:, 1] - source[:, 0]).max() < 1e-9)
    True
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=2)
    check_scalar(angle, "angle", Real)
    check_scalar(noise, "noise", Real, min_val=0)
    if not np.isfinite([angle, noise]).all():
        raise ValueError(f"angle and noise must be finite, got {angle} and {noise}.")
    if n_target is not None:
        check_scalar(n_target, "n_target", Integral, min_val=2)
        if same_points:
            raise ValueError(
                "n_target must be None with same_points=True, where the target has "
                f"the points of the source, got {n_target}."
            )
    rng = check_random_state(random_state)
    X, y = make_moons(n_samples, noise=noise, random_state=rng)
    X_target, y_target = X, y
    if not same_points:
        n_target = n_samples if n_target is None else n_target
        X_target, y_target = make_moons(n_target, noise=noise, random_state=rng)
    centre = X.mean(axis=0)
    source, target = 2 * (X - centre), 2 * (X_target - centre) @ _turn(float(angle))
    sample_domain = np.repeat([0, -1], [len(y), len(y_target)])
    return np.vstack([source, target]), np.append(y, y_target), sample_domain


def _turn(angle: float) -> np.ndarray:
    """Return the matrix that turns row vectors, from the right, counter-clockwise."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[cos, sin], [-sin, cos]])
