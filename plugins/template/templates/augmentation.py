"""The augmentation; it is imported when somebody uses it."""

from __future__ import annotations

import torch
from torch import Tensor


class {{ cookiecutter.class_name }}:
    """Make each sample a little lighter or darker.

    Parameters
    ----------
    sd : float, default=0.1
        Standard deviation of what is added.
    """

    def __init__(self, sd: float = 0.1) -> None:
        self.sd = sd

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch (B, ...); all chance comes from the generator."""
        shape = (len(batch), *[1] * (batch.ndim - 1))
        draw = torch.randn(shape, generator=generator, device=generator.device)
        return batch + self.sd * draw.to(batch)
