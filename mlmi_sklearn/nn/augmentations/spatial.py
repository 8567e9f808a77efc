"""Augmentations that move or cover whole pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .._checks import check_choice, check_interval
from ._draws import per_sample, sides_of, uniform
from .resampling import FILLS, take_pixels

__all__ = ["Cutout", "Flip", "Translation"]


@dataclass(frozen=True)
class Translation:
    """Shift an image by whole pixels, along each axis by its own number.

    Parameters
    ----------
    ratio : float, default=0.125
        Largest shift as a share of the side, in [0, 1].
    fill : {"zeros", "border"}, default="zeros"
        What comes in from outside: zeros, or the outermost pixels again.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the batch is of no images or volumes.

    References
    ----------
    Zhao et al., *Differentiable augmentation for data-efficient GAN training*, NeurIPS
    2020, section 3.

    Examples
    --------
    >>> x = torch.eye(4).reshape(1, 1, 4, 4)
    >>> Translation(0.5)(x, torch.Generator().manual_seed(1))[0, 0]
    tensor([[0., 0., 0., 0.],
            [0., 0., 0., 0.],
            [1., 0., 0., 0.],
            [0., 1., 0., 0.]])
    """

    ratio: float = 0.125
    fill: str = "zeros"

    def __post_init__(self) -> None:
        check_interval(self.ratio, "ratio", 0, 1)
        check_choice(self.fill, "fill", FILLS)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return images, or volumes, that have moved."""
        places = []
        exact = batch.new_empty((), dtype=torch.float32)  # half floats miss pixels
        for side in sides_of(batch, "translation"):
            most = round(self.ratio * side)
            drawn = uniform(generator, exact, len(batch))
            shift = (drawn * (2 * most + 1)).long() - most
            places.append(torch.arange(side, device=batch.device) - shift[:, None])
        return take_pixels(batch, places, self.fill)


@dataclass(frozen=True)
class Cutout:
    """Cover a box of each image with zeros.

    Parameters
    ----------
    ratio : float, default=0.5
        Sides of the box as a share of those of the image, in [0, 1]. Its centre is
        anywhere in the image, so that it may stand out.

    Raises
    ------
    ValueError
        If `ratio` is out of its range, or the batch is of no images or volumes.

    References
    ----------
    DeVries and Taylor, *Improved regularization of convolutional neural networks with
    cutout*, 2017.

    Examples
    --------
    >>> y = Cutout(0.5)(torch.ones(1, 1, 4, 4), torch.Generator().manual_seed(0))
    >>> y[0, 0]
    tensor([[1., 1., 0., 0.],
            [1., 1., 0., 0.],
            [1., 1., 1., 1.],
            [1., 1., 1., 1.]])
    """

    ratio: float = 0.5

    def __post_init__(self) -> None:
        check_interval(self.ratio, "ratio", 0, 1)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return images, or volumes, with a part missing."""
        sides = sides_of(batch, "cutout")
        exact = batch.new_empty((), dtype=torch.float32)  # half floats miss pixels
        inside = batch.new_ones(len(batch), 1, *[1] * len(sides), dtype=torch.bool)
        for axis, side in enumerate(sides):
            length = round(self.ratio * side)
            drawn = uniform(generator, exact, len(batch))
            first = (drawn * side).long() - length // 2
            at = torch.arange(side, device=batch.device) - first[:, None]
            within = (at >= 0) & (at < length)
            others = [1] * len(sides)
            others[axis] = side
            inside = inside & within.reshape(-1, 1, *others)
        return batch * ~inside


@dataclass(frozen=True)
class Flip:
    """Mirror an image, or not, along each of some axes.

    Only where the mirror image is as likely as the image: a heart is on the left.

    Parameters
    ----------
    axes : sequence of int, default=(-1,)
        Axes counted from the last: -1 left and right, -2 up and down, -3 the slices of
        a volume.
    probability : float, default=0.5
        Of a flip along each axis, in [0, 1].

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the batch is of no images or volumes, or
        has not so many axes.

    Examples
    --------
    >>> x = torch.arange(3.0).reshape(1, 1, 1, 3)
    >>> Flip(probability=1.0)(x, torch.Generator()).flatten()
    tensor([2., 1., 0.])
    """

    axes: Sequence[int] = (-1,)
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_interval(self.probability, "probability", 0, 1)
        known = isinstance(self.axes, Sequence) and set(self.axes) <= {-1, -2, -3}
        if not known or len(set(self.axes)) < len(self.axes):
            raise ValueError(
                f"axes must be a tuple of -1, -2 and -3, each at most once, got "
                f"{self.axes!r}."
            )

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return images, or volumes, some of them mirrored."""
        sides = sides_of(batch, "flip")
        for axis in self.axes:
            if -axis > len(sides):
                raise ValueError(
                    f"axes={self.axes!r} of augmentation 'flip' names axis {axis}, but "
                    f"images of shape {tuple(batch.shape)} have {len(sides)} axes."
                )
            turned = uniform(generator, batch, len(batch)) < self.probability
            batch = torch.where(per_sample(turned, batch), batch.flip(axis), batch)
        return batch if self.axes else batch.clone()
