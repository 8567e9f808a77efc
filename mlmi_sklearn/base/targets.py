"""Targets in the form that a loss wants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components import find_component, list_components
from .parts import resolve_part

__all__ = ["Array", "Encoded", "drop_weightless", "require_task"]

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


def drop_weightless(inputs: Any, encoded: Encoded, dtype: str) -> tuple[Any, Encoded]:
    """Bring weights into the type of the training; drop rows that then weigh nothing.

    A batch of nothing but such rows would have no mean loss.

    Parameters
    ----------
    inputs : object
        Validated inputs, indexed by rows.
    encoded : Encoded
        Their targets and weights.
    dtype : str
        Floating-point type of the training.

    Returns
    -------
    inputs : object
        The rows that count.
    encoded : Encoded
        Their targets and weights, of type ``dtype``.

    Raises
    ------
    ValueError
        If a weight is negative or none is above zero.
    """
    weight = encoded.weight
    if weight is None:
        return inputs, encoded
    if weight.min() < 0 or not weight.max() > 0:
        raise ValueError(
            "class_weight must hold numbers of at least 0, and leave rows with a "
            f"weight above 0; the weights of rows range from {weight.min()} to "
            f"{weight.max()}."
        )
    if not 1e-6 < weight.max() < 1e6:  # float32 must hold them
        weight = weight / weight.max()
    weight = weight.astype(dtype)
    keep = np.flatnonzero(weight)
    # Equal weights are none, also where they would be rounded.
    left = None if (weight[keep] == weight[keep[0]]).all() else weight[keep]
    if len(keep) == len(weight):
        return inputs, replace(encoded, weight=left)
    strata = None if encoded.strata is None else encoded.strata[keep]
    return inputs[keep], replace(encoded, y=encoded.y[keep], weight=left, strata=strata)


def require_task(loss: Any, task: str) -> None:
    """Raise a ValueError if a registered loss says that it is for another task.

    Parameters
    ----------
    loss : object
        The parameter of the estimator.
    task : {"classification", "regression"}
        What the estimator does.
    """
    source = resolve_part("loss", loss).source
    said = (
        find_component("loss", source).tags.get("task")
        if isinstance(source, str)
        else None
    )
    if said is None or said == task or (not isinstance(said, str) and task in said):
        return
    names = [part.name for part in list_components("loss", builtin=True, task=task)]
    raise ValueError(f"loss={loss!r} is not a {task} loss. Use one of {names}.")
