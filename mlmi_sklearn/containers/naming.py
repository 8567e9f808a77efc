"""Errors about an argument say which one, also where scikit-learn's do not.

scikit-learn checks X, y and weights with the same functions, many of whose messages
("Complex data not supported", "Expected 2D array, got 1D array instead") leave open
which argument they are about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["naming"]


@contextmanager
def naming(*arguments: str) -> Iterator[None]:
    """Put the name of an argument before messages that do not contain it.

    Errors of scikit-learn's own classes and ours say what they are about.

    Parameters
    ----------
    *arguments : str
        The name, as in the signature; several where any of them may be to blame.

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
        own = type(error).__module__.partition(".")[0] in ("sklearn", "mlmi_sklearn")
        if own or any(re.search(rf"\b{name}\b", str(error)) for name in arguments):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{' or '.join(arguments)}: {error}") from error
