"""Classes as targets, checked so that errors say that they are about y."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from ..containers.naming import naming

__all__ = ["check_classes", "naming"]


def check_classes(y: Any) -> None:
    """Raise unless targets are classes, or indicators of them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets.

    Raises
    ------
    ValueError
        If they are numbers of a continuous range, or labels of several types.

    Examples
    --------
    >>> check_classes(np.array([0, 1]))
    >>> check_classes(np.array([0, "a"], dtype=object))
    Traceback (most recent call last):
        ...
    ValueError: y holds labels of several types, int and str. Pass labels of one type.
    """
    if getattr(getattr(y, "dtype", None), "kind", None) == "O":
        labels = np.ravel(np.asarray(y)).tolist()
        types = sorted({_type_name(label) for label in labels})
        if len(types) > 1:
            raise ValueError(
                f"y holds labels of several types, {' and '.join(types)}. Pass labels "
                "of one type."
            )
    with naming("y"):
        check_classification_targets(y)


def _type_name(label: Any) -> str:
    # Strings of numpy and of Python are the same to everyone.
    return "str" if isinstance(label, str) else type(label).__name__
