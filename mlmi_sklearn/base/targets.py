"""Targets in the form that a loss wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

__all__ = ["Array", "Encoded"]

Array = NDArray[Any]


@dataclass
class Encoded:
    """Targets as the loss wants them.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, n_outputs)
        Class codes (int64), label indicators or numbers.
    n_outputs : int
        Columns the module must produce.
    weight : ndarray of shape (n,) or None
        Weights; None if all are equal.
    strata : ndarray of shape (n,) or None
        Classes for a stratified split.
    attributes : dict
        Fitted attributes that follow from the targets.
    """

    y: Array
    n_outputs: int
    weight: Array | None = None
    strata: Array | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
