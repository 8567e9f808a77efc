"""What augmentations share: draws, one a sample, and a look at the shape."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["normal", "per_sample", "sides_of", "uniform"]


def uniform(
    generator: torch.Generator,
    like: Tensor,
    *size: int,
    low: float = 0.0,
    high: float = 1.0,
) -> Tensor:
    """Return numbers between `low` and `high`, of the type and device of `like`."""
    # The generator may live elsewhere than the batch.
    drawn = torch.rand(size, generator=generator, device=generator.device)
    return low + (high - low) * drawn.to(like.device, like.dtype)


def normal(generator: torch.Generator, like: Tensor) -> Tensor:
    """Return a standard normal number for each entry of `like`."""
    drawn = torch.randn(like.shape, generator=generator, device=generator.device)
    return drawn.to(like.device, like.dtype)


def per_sample(values: Tensor, batch: Tensor) -> Tensor:
    """Return values (B,) in a shape that is broadcast over the samples of a batch."""
    return values.reshape(-1, *[1] * (batch.ndim - 1))


def sides_of(batch: Tensor, name: str) -> tuple[int, ...]:
    """Return the sides of images or volumes; refuse anything else."""
    if batch.ndim not in (4, 5):
        raise ValueError(
            f"augmentation {name!r} takes images (B, C, H, W) or volumes "
            f"(B, C, D, H, W), got a batch of shape {tuple(batch.shape)}; for vectors "
            "use 'noise' or 'feature-dropout'."
        )
    return tuple(batch.shape[2:])
