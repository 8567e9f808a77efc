"""A warning for numbers on which a net learns nothing, or runs away."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from .warn import warn_user

__all__ = ["warn_of_scale"]

#: Standard deviations of features between which nets learn at their usual rates.
_SMALLEST, _LARGEST = 1e-2, 1e3
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)
# Rows looked at.
_ROWS = 1000


def warn_of_scale(name: str, X: Any, module: nn.Module) -> None:
    """Warn if features are so large or small that a net will not learn from them.

    Below the bounds, weights would have to grow for thousands of steps until outputs
    depend on X; above, the first outputs are so wrong that training runs away. Modules
    that normalise within mind small numbers alone, whose variance drowns in the
    constant that is added to it.

    Parameters
    ----------
    name : str
        The estimator, for the message.
    X : ndarray of shape (n_samples, ...)
        Training samples; anything else is not looked at.
    module : nn.Module
        The net.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_scale("NetClassifier", np.eye(3) * 1e9, nn.Linear(3, 1))
    >>> str(caught[0].message).partition(":")[0]
    'X has features with a standard deviation of 4.71e+08'
    """
    if not isinstance(X, np.ndarray):
        return
    deviation = _largest_deviation(X[:: max(1, len(X) // _ROWS)])
    if deviation == 0 or _SMALLEST <= deviation <= _LARGEST:
        return
    normalises = any(isinstance(part, _NORMS) for part in module.modules())
    if normalises and deviation > _LARGEST:
        return
    at_most = "at most " if deviation < _SMALLEST else ""
    warn_user(
        f"X has features with a standard deviation of {at_most}{deviation:.3g}: {name} "
        "learns from numbers around 1. Scale them, for example in "
        "make_pipeline(StandardScaler(), ...).",
        UserWarning,
    )


def _largest_deviation(X: NDArray[Any]) -> float:
    """Return the largest standard deviation of a feature; above 0 unless all are."""
    some = X.astype(np.float64)
    unit = np.abs(some).max(initial=0.0)
    if unit == 0:
        return 0.0
    # In a unit of their own, squares neither overflow nor vanish.
    relative = float((some / unit).std(axis=0).max(initial=0.0))
    if relative < 1e-12:  # rounding errors of what is constant
        return 0.0
    return max(relative * float(unit), np.finfo(np.float64).tiny)
