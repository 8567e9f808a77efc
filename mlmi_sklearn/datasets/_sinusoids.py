"""Sine waves of unlike height and phase: the classic tasks of few-shot regression."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_scalar

_AMPLITUDE = (0.1, 5.0)
_PHASE = (0.0, np.pi)
_INPUT = (-5.0, 5.0)


def make_sinusoid_tasks(
    n_tasks: int = 100,
    n_samples: int = 20,
    *,
    noise: float = 0.0,
    random_state: Any = None,
    return_params: bool = False,
) -> tuple[np.ndarray, ...]:
    """Make regression tasks, each a sine wave of its own amplitude and phase.

    Task t has the curve ``y = amplitude[t] * sin(x - phase[t])``, with the amplitude
    drawn from U[0.1, 5], the phase from U[0, pi] and every x from U[-5, 5]. One model
    for all tasks can do no better than their mean, -1.62 cos(x), with a mean squared
    error of 3.0, while a few points of a new task tell which curve it is.

    Parameters
    ----------
    n_tasks : int, default=100
        Number of tasks; at least 1.
    n_samples : int, default=20
        Points of each task, to be split into support and query; at least 1.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise added to y; finite, not negative.
    random_state : int, RandomState instance or None, default=None
        Determines curves, points and noise. These are drawn apart: the same seed
        gives the same curves for any `n_samples` and any `noise`, and more tasks
        leave the first ones as they were.
    return_params : bool, default=False
        Whether to return amplitude and phase as well.

    Returns
    -------
    X : ndarray of float64 of shape (n_tasks * n_samples, 1)
        Points, task after task.
    y : ndarray of float64 of shape (n_tasks * n_samples,)
        Values of the curves at the points.
    groups : ndarray of int of shape (n_tasks * n_samples,)
        Number of the task of each row, 0 to ``n_tasks - 1``.
    amplitude : ndarray of float64 of shape (n_tasks,)
        Only with ``return_params=True``.
    phase : ndarray of float64 of shape (n_tasks,)
        Only with ``return_params=True``.

    Raises
    ------
    TypeError
        If a number is not of its type.
    ValueError
        If a number is out of range.

    Notes
    -----
    The article gives the ranges but not the formula. The sign of the phase is that of
    the code of its authors; a plus would give other curves, since the phase covers
    half a turn only.

    References
    ----------
    Finn, C., Abbeel, P. and Levine, S. (2017). Model-agnostic meta-learning for fast
    adaptation of deep networks. ICML, section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.datasets import make_sinusoid_tasks
    >>> X, y, groups, amplitude, phase = make_sinusoid_tasks(
    ...     n_tasks=3, n_samples=10, random_state=0, return_params=True
    ... )
    >>> X.shape, np.bincount(groups).tolist()
    ((30, 1), [10, 10, 10])
    >>> np.allclose(y, amplitude[groups] * np.sin(X[:, 0] - phase[groups]))
    True
    """
    check_scalar(n_tasks, "n_tasks", Integral, min_val=1)
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(noise, "noise", Real, min_val=0)
    if not np.isfinite(noise):
        raise ValueError(f"noise must be finite, got {noise}.")
    of_curves, of_points, of_noise = _streams(random_state)
    # A row of draws for each task, so that more tasks leave the first rows alone.
    low, high = np.array([_AMPLITUDE, _PHASE]).T
    params = of_curves.uniform(low, high, (n_tasks, 2))
    amplitude, phase = params[:, 0].copy(), params[:, 1].copy()
    x = of_points.uniform(*_INPUT, (n_tasks, n_samples))
    y = amplitude[:, None] * np.sin(x - phase[:, None])
    y += noise * of_noise.standard_normal((n_tasks, n_samples))
    groups = np.repeat(np.arange(n_tasks), n_samples)
    rows = x.reshape(-1, 1), y.ravel(), groups
    return (*rows, amplitude, phase) if return_params else rows


def _streams(random_state: Any) -> list[np.random.RandomState]:
    """Return three generators that do not disturb each other."""
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=3)
    return [np.random.RandomState(seed) for seed in seeds]
