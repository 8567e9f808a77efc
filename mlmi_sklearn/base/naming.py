"""Errors about an argument say which one, also where scikit-learn's do not.

scikit-learn checks X, y and weights with the same functions, many of whose messages
("Complex data not supported", "Expected 2D array, got 1D array instead") leave open
which argument they are about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.utils.multiclass import check_classification_targets

__all__ = ["check_classes", "naming"]


@contextmanager
def naming(argument: str) -> Iterator[None]:
    """Put the name of an argument before messages that do not contain it.

    Errors of this package name what they are about, and are left alone.

    Parameters
    ----------
    argument : str
        The name, as in the signature.

    Raises
    ------
    ValueError, TypeError
        In place of errors of these kinds (and of overflows, which are ValueErrors
        then).

    Examples
    --------
    >>> with naming("sample_weight"):
    ...     float("heavy")
    Traceback (most recent call last):
        ...
    ValueError: sample_weight: could not convert string to float: 'heavy'
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        own = type(error).__module__.startswith(__package__.partition(".")[0])
        if own or re.search(rf"\b{argument}\b", str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{argument}: {error}") from error


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
    >>> import numpy as np
    >>> check_classes(np.array([0, 1]))
    >>> check_classes(np.array([0, "a"], dtype=object))
    Traceback (most recent call last):
        ...
    ValueError: y holds labels of several types, int and str. Pass labels of one type.
    """
    if getattr(getattr(y, "dtype", None), "kind", None) == "O":
        types = sorted({_type_name(label) for label in y.ravel().tolist()})
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
