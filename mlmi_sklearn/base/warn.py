"""Warnings that point to the line of the user."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

__all__ = ["warn_user"]

# Between the user's line and ours may lie scikit-learn's wrappers of methods.
_NOT_THE_USER = ("mlmi_sklearn", "sklearn")


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, and name the first line of code outside this package as the place.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    category : type of Warning
        Its class.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("Mind the gap.", UserWarning)
    >>> str(caught[0].message)
    'Mind the gap.'
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_ours(file: str) -> bool:
    return any(part in _NOT_THE_USER for part in Path(file).parts)
