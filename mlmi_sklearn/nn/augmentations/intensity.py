"""Augmentations that change values and move nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .._checks import check_interval
from ._draws import normal, per_sample, sides_of, uniform

__all__ = ["Brightness", "Contrast", "FeatureDropout", "Noise"]


@dataclass(frozen=True)
class Brightness:
    """Add one number to all of an image.

    Parameters
    ----------
    strength : float, default=0.5
        Numbers are between minus and plus it; not negative.

    Raises
    ------
    ValueError
        If `strength` is out of its range, or the batch is of no images or volumes.

    References
    ----------
    Zhao et al., *Differentiable augmentation for data-efficient GAN training*, NeurIPS
    2020, section 3.

    Examples
    --------
    >>> x = torch.zeros(2, 1, 4, 4)
    >>> y = Brightness(0.5)(x, torch.Generator().manual_seed(0))
    >>> bool((y == y[:, :, :1, :1]).all()), bool(y.abs().max() <= 0.5)
    (True, True)
    """

    strength: float = 0.5

    def __post_init__(self) -> None:
        check_interval(self.strength, "strength")

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return images, or volumes, brighter or darker."""
        sides_of(batch, "brightness")
        span = {"low": -self.strength, "high": self.strength}
        return batch + per_sample(uniform(generator, batch, len(batch), **span), batch)


@dataclass(frozen=True)
class Contrast:
    """Stretch or squeeze the intensities of an image about their mean.

    Parameters
    ----------
    strength : float, default=0.5
        In [0, 1]: factors are between one minus and one plus it.

    Raises
    ------
    ValueError
        If `strength` is out of its range, or the batch is of no images or volumes.

    References
    ----------
    Zhao et al., *Differentiable augmentation for data-efficient GAN training*, NeurIPS
    2020, section 3.

    Examples
    --------
    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> y = Contrast(0.5)(x, torch.Generator().manual_seed(0))
    >>> round(y.mean().item(), 4)
    7.5
    """

    strength: float = 0.5

    def __post_init__(self) -> None:
        check_interval(self.strength, "strength", 0, 1)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return images, or volumes, of more or less contrast."""
        sides_of(batch, "contrast")
        span = {"low": 1 - self.strength, "high": 1 + self.strength}
        factor = per_sample(uniform(generator, batch, len(batch), **span), batch)
        # Of each image by itself: a batch has no mean that a sample may depend on.
        mean = per_sample(batch.flatten(1).mean(1), batch)
        return torch.lerp(mean, batch, factor)


@dataclass(frozen=True)
class Noise:
    """Add a normal number to every entry, of vectors or images.

    Parameters
    ----------
    sd : float, default=0.1
        Standard deviation, not negative.

    Raises
    ------
    ValueError
        If `sd` is out of its range.

    References
    ----------
    Sønderby et al., *Amortised MAP inference for image super-resolution*, ICLR 2017,
    section 3.3 (instance noise).

    Examples
    --------
    >>> y = Noise(0.1)(torch.zeros(1000, 5), torch.Generator().manual_seed(0))
    >>> round(y.std().item(), 2)
    0.1
    """

    sd: float = 0.1

    def __post_init__(self) -> None:
        check_interval(self.sd, "sd")

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with noise."""
        return batch + self.sd * normal(generator, batch)


@dataclass(frozen=True)
class FeatureDropout:
    """Set some entries to zero, others in each sample.

    What is left is not scaled up, as it would be in a net: a sample has to stay what
    it is.

    Parameters
    ----------
    rate : float, default=0.1
        Share in [0, 1) of entries that is dropped, on average.

    Raises
    ------
    ValueError
        If `rate` is out of its range.

    Examples
    --------
    >>> y = FeatureDropout(0.25)(torch.ones(500, 8), torch.Generator().manual_seed(0))
    >>> y.unique().tolist(), round(y.mean().item(), 2)
    ([0.0, 1.0], 0.75)
    """

    rate: float = 0.1

    def __post_init__(self) -> None:
        check_interval(self.rate, "rate", 0, 1, closed="left")

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with entries missing."""
        keep = uniform(generator, batch, *batch.shape) >= self.rate
        return batch * keep
