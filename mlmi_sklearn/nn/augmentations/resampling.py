"""Images at other places, with derivatives of any order with respect to their values.

``torch.nn.functional.grid_sample`` does the same, but PyTorch has not always had its
second derivatives, which penalties on slopes need.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

__all__ = ["FILLS", "interpolate", "take_pixels"]

#: What lies beyond the border of an image.
FILLS = ("zeros", "border")


def take_pixels(batch: Tensor, places: Sequence[Tensor], fill: str) -> Tensor:
    """Return each image with its rows and columns taken from other places.

    Parameters
    ----------
    batch : Tensor of shape (B, C, *sides)
        Images or volumes.
    places : sequence of Tensor of shape (B, side), int64
        For each axis, which pixel each pixel comes from; may lie outside.
    fill : {"zeros", "border"}
        What lies outside.

    Returns
    -------
    Tensor of shape (B, C, *sides)
        Pixels.

    Examples
    --------
    >>> x = torch.arange(3.0).reshape(1, 1, 3, 1)
    >>> places = torch.tensor([[-1, 0, 1]]), torch.tensor([[0]])
    >>> take_pixels(x, places, "zeros").flatten()
    tensor([0., 0., 1.])
    """
    sides = batch.shape[2:]
    grids = []
    for axis, place in enumerate(places):
        shape = [1] * len(sides)
        shape[axis] = sides[axis]
        grids.append(place.reshape(-1, *shape).expand(-1, *sides))
    return _take(batch, grids, fill)


def interpolate(batch: Tensor, coordinates: Sequence[Tensor], fill: str) -> Tensor:
    """Return images at places between pixels, by linear interpolation.

    Parameters
    ----------
    batch : Tensor of shape (B, C, *sides)
        Images or volumes.
    coordinates : sequence of Tensor of shape (B, *sides)
        For each axis, where each pixel comes from, in pixels from 0.
    fill : {"zeros", "border"}
        What lies outside.

    Returns
    -------
    Tensor of shape (B, C, *sides)
        Values.

    Examples
    --------
    >>> x = torch.arange(3.0).reshape(1, 1, 1, 3)
    >>> at = torch.zeros(1, 1, 3), torch.tensor([[[0.5, 1.25, 2.5]]])
    >>> interpolate(x, at, "border").flatten()
    tensor([0.5000, 1.2500, 2.0000])
    >>> interpolate(x, at, "zeros").flatten()
    tensor([0.5000, 1.2500, 1.0000])
    """
    whole = [place.floor() for place in coordinates]
    parts = [c - w for c, w in zip(coordinates, whole, strict=True)]
    total = torch.zeros_like(batch)
    for corner in product((0, 1), repeat=len(whole)):
        pixels = [w.long() + step for w, step in zip(whole, corner, strict=True)]
        weight = torch.ones_like(parts[0])
        for part, step in zip(parts, corner, strict=True):
            weight = weight * (part if step else 1 - part)
        total = total + _take(batch, pixels, fill) * weight.unsqueeze(1).to(batch.dtype)
    return total


def _take(batch: Tensor, pixels: Sequence[Tensor], fill: str) -> Tensor:
    """Return the pixels at indices (B, *sides) of each axis."""
    sides = batch.shape[2:]
    flat = torch.zeros_like(pixels[0])
    known = torch.ones_like(flat, dtype=torch.bool)
    for place, side in zip(pixels, sides, strict=True):
        kept = place.clamp(0, side - 1)
        known = known & (kept == place)
        flat = flat * side + kept
    index = flat.flatten(1).unsqueeze(1).expand(-1, batch.shape[1], -1)
    found = batch.flatten(2).gather(2, index).reshape(batch.shape)
    return found if fill == "border" else found * known.unsqueeze(1)
