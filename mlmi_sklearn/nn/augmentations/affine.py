"""Augmentations that turn and zoom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from .._checks import check_choice, check_interval
from ._draws import sides_of, uniform
from .resampling import FILLS, interpolate

__all__ = ["Rotate", "Scale"]


@dataclass(frozen=True)
class Rotate:
    """Turn an image about its centre, a volume about each axis in turn.

    Parameters
    ----------
    degrees : float, default=15.0
        Largest angle, in [0, 180].
    fill : {"zeros", "border"}, default="zeros"
        What comes in from outside: zeros, or the outermost pixels again.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the batch is of no images or volumes.

    Examples
    --------
    >>> x = torch.zeros(1, 1, 9, 9)
    >>> x[..., 4, :] = 1.0
    >>> y = Rotate(45.0)(x, torch.Generator().manual_seed(0))
    >>> y.shape, y[0, 0, 4, 4].item()
    (torch.Size([1, 1, 9, 9]), 1.0)
    """

    degrees: float = 15.0
    fill: str = "zeros"

    def __post_init__(self) -> None:
        check_interval(self.degrees, "degrees", 0, 180)
        check_choice(self.fill, "fill", FILLS)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return images, or volumes, that have turned."""
        sides = sides_of(batch, "rotate")
        most = math.radians(self.degrees)
        exact = batch.new_empty((), dtype=_exact(batch))
        offsets = _from_centre(sides, exact)
        places: list[Tensor] = [offset.unsqueeze(0) for offset in offsets]
        for a, b in combinations(range(len(sides)), 2):
            drawn = uniform(generator, exact, len(batch), low=-most, high=most)
            angle = drawn.reshape(-1, *[1] * len(sides))
            cos, sin = angle.cos(), angle.sin()
            places[a], places[b] = (
                cos * places[a] - sin * places[b],
                sin * places[a] + cos * places[b],
            )
        return interpolate(batch, _from_corner(places, sides), self.fill)


@dataclass(frozen=True)
class Scale:
    """Zoom an image in or out about its centre.

    Parameters
    ----------
    factor : float, default=1.2
        Largest enlargement, at least 1; as likely as its inverse.
    fill : {"zeros", "border"}, default="zeros"
        What comes in from outside: zeros, or the outermost pixels again.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the batch is of no images or volumes.

    Examples
    --------
    >>> x = torch.ones(1, 1, 9, 9)
    >>> Scale(1.2)(x, torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 9, 9])
    """

    factor: float = 1.2
    fill: str = "zeros"

    def __post_init__(self) -> None:
        check_interval(self.factor, "factor", 1)
        check_choice(self.fill, "fill", FILLS)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return images, or volumes, larger or smaller than they were."""
        sides = sides_of(batch, "scale")
        most = math.log(self.factor)
        exact = batch.new_empty((), dtype=_exact(batch))
        drawn = uniform(generator, exact, len(batch), low=-most, high=most)
        zoom = drawn.exp().reshape(-1, *[1] * len(sides))
        places = [zoom * offset for offset in _from_centre(sides, exact)]
        return interpolate(batch, _from_corner(places, sides), self.fill)


def _exact(batch: Tensor) -> torch.dtype:
    """Return a type in which pixels can be counted."""
    return torch.float64 if batch.dtype == torch.float64 else torch.float32


def _from_centre(sides: Sequence[int], like: Tensor) -> tuple[Tensor, ...]:
    """Return how far, along each axis, each pixel is from the centre."""
    axes = [
        torch.arange(side, dtype=like.dtype, device=like.device) - (side - 1) / 2
        for side in sides
    ]
    return torch.meshgrid(*axes, indexing="ij")


def _from_corner(places: Sequence[Tensor], sides: Sequence[int]) -> list[Tensor]:
    """Count pixels from the first again."""
    return [place + (side - 1) / 2 for place, side in zip(places, sides, strict=True)]
