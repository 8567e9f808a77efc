"""Outputs of many nets for the same rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from ..training.data import TensorRows

if TYPE_CHECKING:
    from .many import TrainedFit

__all__ = ["outputs_together"]

Array = NDArray[Any]


def outputs_together(fits: Sequence[TrainedFit], X: Any) -> list[Array]:
    """Compute what nets that were trained together say about the same samples.

    Parameters
    ----------
    fits : sequence of TrainedFit
        Of one class of estimators, trained on samples like these.
    X : object
        Samples, as ``predict`` takes them.

    Returns
    -------
    list of ndarray of shape (n_samples, n_outputs)
        Raw outputs, in the order of the fits; an empty list if these samples are none
        that nets can take together.

    Raises
    ------
    ValueError
        If the samples are unusable, as ``predict`` says.
    """
    groups: dict[int, list[TrainedFit]] = defaultdict(list)
    for fit in fits:
        groups[id(fit.nets)].append(fit)
    found: dict[int, Array] = {}
    for group in groups.values():
        raw = _of_group(group, X)
        if raw is None:
            return []
        found |= {id(fit): of_one for fit, of_one in zip(group, raw, strict=True)}
    return [found[id(fit)] for fit in fits]


def _of_group(fits: Sequence[TrainedFit], X: Any) -> Array | None:
    """Return outputs (K, n_samples, n_outputs) of nets of one stack, or None."""
    first, nets = fits[0].fitted_estimator(), fits[0].nets
    assert nets is not None
    inputs = first._read_inputs(X, reset=False)
    rows = first._rows(inputs, getattr(torch, first._recipe.dtype))
    if not isinstance(rows, TensorRows):
        return None
    numbers = [fit.number for fit in fits]
    at_once = first._rows_at_once(inputs, nets.pattern.module_) // len(numbers)
    parts = rows.values.to(first.device_).split(max(at_once, 1))
    return torch.cat([nets.outputs(numbers, part) for part in parts], 1).numpy()
