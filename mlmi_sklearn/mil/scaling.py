"""Centre and scale of the inputs of a net, taken from training instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..containers import Bags
from ..nn.models import InputScale
from .streaming import streams

__all__ = ["calibrate", "scale_layer", "statistics"]

Array = NDArray[Any]

# Elements read at once.
_CHUNK = 2**19


def calibrate(scale: InputScale, inputs: Bags, weight: Array | None) -> None:
    """Set the layer to the training instances.

    Parameters
    ----------
    scale : InputScale
        Changed in place.
    inputs : Bags
        Training bags.
    weight : ndarray of shape (n_bags,) or None
        Their weights.
    """
    mean, sd = statistics(inputs, weight)
    shape = scale.offset.shape
    # The inverse of a subnormal number is beyond the largest one.
    factor = min(1 / sd, torch.finfo(scale.factor.dtype).max)
    with torch.no_grad():
        scale.factor.fill_(factor)
        offset = torch.from_numpy(np.atleast_1d(-mean * factor))
        scale.offset.copy_(offset.reshape(shape))


def statistics(inputs: Bags, weight: Array | None) -> tuple[Array, float]:
    """Compute the mean of each feature and one standard deviation for all.

    Parameters
    ----------
    inputs : Bags
        Of any store; files are read one by one.
    weight : ndarray of shape (n_bags,) or None
        Their weights.

    Returns
    -------
    mean : ndarray of shape (n_features,), (n_channels,) or ()
        One mean a channel for images and volumes.
    sd : float
        Root of the mean variance of the features; 1 if all are constant.
    """
    total: Any = 0.0
    first: Any = 0.0
    second: Any = 0.0
    shift: Any = None
    for values, weights in _chunks(inputs, weight):
        channels = _channels_last(values)
        if shift is None:  # squares of what is far from zero lose their digits
            shift = channels[0].mean(axis=0)
        moved = channels - shift
        total += weights.sum()
        first = first + weights @ moved.mean(axis=1)
        second = second + weights @ np.square(moved).mean(axis=1)
    mean = first / total
    sd = float(np.sqrt(np.maximum(second / total - mean**2, 0).mean()))
    negligible = sd <= 1e-6 * float(np.abs(mean + shift).max(initial=0.0))
    return np.asarray(mean + shift), 1.0 if negligible or sd == 0 else sd


def _chunks(inputs: Bags, weight: Array | None) -> Iterator[tuple[Array, Array]]:
    """Yield instances, as float64 but little at a time, and their weights."""
    rows = max(1, _CHUNK // inputs.n_features)
    parts = inputs if streams(inputs) else [inputs.values]
    owner = np.ones(len(inputs)) if weight is None else weight
    weights = np.repeat(owner.astype(np.float64), inputs.lengths)
    begin = 0
    for part in parts:
        for start in range(0, len(part), rows):
            # Row by row, so that the layout of X cannot change a rounding.
            piece = part[start : start + rows]
            chunk = np.ascontiguousarray(piece, dtype=np.float64)
            yield chunk, weights[begin : begin + len(chunk)]
            begin += len(chunk)


def _channels_last(values: Array) -> Array:
    """Bring vectors (n, D) to (n, 1, D), images (n, C, ...) to (n, pixels, C)."""
    if values.ndim == 2:
        return values[:, None, :]
    if values.ndim == 3:  # images without channels
        return values.reshape(len(values), -1, 1)
    pixels = values.reshape(*values.shape[:2], -1)
    return np.moveaxis(pixels, 1, 2)


def scale_layer(input_shape: tuple[int, ...]) -> InputScale:
    """Return a layer that does nothing until it is calibrated.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of an instance.

    Returns
    -------
    InputScale
        For inputs of that shape.
    """
    rank = len(input_shape)
    channels = input_shape[0] if rank != 2 else 1
    return InputScale((channels, *[1] * (rank - 1)))
