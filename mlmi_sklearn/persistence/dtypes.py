"""Types of numpy as text; what cannot hold a Python object."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..exceptions import PersistenceError

__all__ = ["read_dtype", "write_dtype"]

# Order, kind and size, and the unit of a time: "<f4", "|b1", "<U12", "<M8[25ns]".
_SIMPLE = re.compile(r"[<>|]([biufcSUVmM])(\d{1,9})(\[\d{0,9}[A-Za-z]{1,2}\])?")


def write_dtype(dtype: np.dtype[Any]) -> str:
    """Return a type as text.

    Parameters
    ----------
    dtype : dtype
        Of one number, text, time or date.

    Raises
    ------
    PersistenceError
        If it is made of others, or holds Python objects.

    Examples
    --------
    >>> write_dtype(np.dtype("float32"))
    '<f4'
    """
    if dtype.names or dtype.subdtype or not _SIMPLE.fullmatch(dtype.str):
        raise PersistenceError(f"arrays of type {dtype} cannot be saved.")
    return dtype.str


def read_dtype(text: str) -> np.dtype[Any]:
    """Undo :func:`write_dtype`.

    Parameters
    ----------
    text : str
        The text.

    Raises
    ------
    PersistenceError
        If it is nothing that function writes.

    Examples
    --------
    >>> read_dtype("<f4")
    dtype('float32')
    """
    if not _SIMPLE.fullmatch(text):
        raise PersistenceError(f"there is no type {text!r:.60} of an array.")
    return np.dtype(text)
