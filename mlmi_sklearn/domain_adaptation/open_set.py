"""A label for what belongs to no known class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["require_unknown_label", "unknown_label_for"]


def unknown_label_for(unknown_label: Any, classes: NDArray[Any]) -> Any:
    """Return the label of rejected rows.

    Parameters
    ----------
    unknown_label : object
        What the user asked for; ``"auto"`` is -1 for numbers and ``"unknown"`` for
        strings.
    classes : ndarray of shape (n_classes,)
        Known classes.

    Returns
    -------
    object
        The label.

    Examples
    --------
    >>> unknown_label_for("auto", np.array(["cat", "dog"]))
    'unknown'
    """
    if not (isinstance(unknown_label, str) and unknown_label == "auto"):
        return unknown_label
    return -1 if np.asarray(classes).dtype.kind in "iufb" else "unknown"


def require_unknown_label(unknown_label: Any, classes: NDArray[Any]) -> None:
    """Raise a ValueError if the label of rejected rows is a class or of another type.

    Parameters
    ----------
    unknown_label : object
        What the user asked for.
    classes : ndarray of shape (n_classes,)
        Known classes.
    """
    label = unknown_label_for(unknown_label, classes)
    if label in classes.tolist():
        raise ValueError(
            f"unknown_label={label!r} is one of the classes {classes.tolist()}. Pass a "
            "label that y does not hold."
        )
    numbers = np.asarray(classes).dtype.kind in "iufb"
    if numbers == isinstance(label, str):
        raise ValueError(
            f"unknown_label={label!r} is not of the type of the classes "
            f"{classes.tolist()}. Pass a {'number' if numbers else 'string'}."
        )
