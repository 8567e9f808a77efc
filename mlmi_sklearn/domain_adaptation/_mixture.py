"""Shares of known densities in a sample: one concave problem, two uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mixture_shares"]

Array = NDArray[Any]


def mixture_shares(
    densities: Array,
    *,
    start: Array | None = None,
    weight: Array | None = None,
    tol: float = 1e-7,
    max_iter: int = 2000,
) -> Array:
    r"""Find the shares of components under which a sample is likeliest.

    Maximises the mean over rows j of :math:`\log \sum_c \pi_c d_{jc}` over the simplex
    by expectation maximisation, which raises it with every step. The problem is
    concave, and its value is within :math:`\max_c g_c - 1` of the maximum, where g is
    the gradient: that is when to stop.

    Parameters
    ----------
    densities : ndarray of shape (n, n_components)
        Each component's density at each row, up to a factor a row; at least 0, not all
        0 in a row.
    start : ndarray of shape (n_components,), default=None
        Shares to begin with; one that is 0 stays 0. None means equal ones.
    weight : ndarray of shape (n,), default=None
        Weights of rows.
    tol : float, default=1e-7
        How far below its maximum the mean log-likelihood may be.
    max_iter : int, default=2000
        Steps at most.

    Returns
    -------
    ndarray of shape (n_components,)
        At least 0, of sum 1.

    Examples
    --------
    >>> import numpy as np
    >>> mixture_shares(np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, 1.0]]))
    array([0.25, 0.75])
    """
    n, n_components = densities.shape
    weight = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    shares = np.full(n_components, 1 / n_components) if start is None else start
    for _ in range(max_iter):
        gradient = (weight / (densities @ shares)) @ densities
        gap = gradient[shares > 0].max() - 1
        shares = shares * gradient
        if gap <= tol:
            break
    return shares / shares.sum()
