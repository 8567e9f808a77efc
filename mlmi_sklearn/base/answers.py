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
        Of one class of estimators, trained on data of one form.
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
    first = fits[0].fitted_estimator()
    inputs = first._read_inputs(X, reset=False)
    rows = first._rows(inputs, getattr(torch, first._recipe.dtype))
    if not isinstance(rows, TensorRows):
        return []
    groups: dict[int, list[int]] = defaultdict(list)
    for place, fit in enumerate(fits):
        groups[id(fit.nets)].append(place)
    found: list[Any] = [None] * len(fits)
    values = rows.values.to(first.device_)
    for places in groups.values():
        nets = fits[places[0]].nets
        assert nets is not None
        numbers = [fits[place].number for place in places]
        at_once = first._rows_at_once(inputs, nets.pattern.module_) // len(numbers)
        parts = values.split(max(at_once, 1))
        raw = torch.cat([nets.outputs(numbers, part) for part in parts], dim=1)
        for place, of_one in zip(places, raw.numpy(), strict=True):
            found[place] = of_one
    return found
