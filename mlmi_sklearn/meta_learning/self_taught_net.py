"""The net that learns to bring its input back."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..training.data import Batch
from ..training.net import LeanNet

__all__ = ["AutoencoderNet"]


class AutoencoderNet(LeanNet):
    """A net whose target is its input.

    Parameters
    ----------
    sparsity : float, default=0.0
        Weight of the mean absolute value of the code.
    """

    def __init__(self, *args: Any, sparsity: float = 0.0, **kwargs: Any) -> None:
        self.sparsity = sparsity
        super().__init__(*args, **kwargs)

    def batch_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of each row, and what the rows came back as."""
        code, decoded, wanted = self._parts(batch[0])
        losses = self.criterion_(decoded, wanted)
        if self.sparsity:
            losses = losses + self.sparsity * code.abs().mean(dim=1)
        return losses, decoded

    def _parts(self, x: Any) -> tuple[Tensor, Tensor, Tensor]:
        found: list[Tensor] = []

        def compute(rows: Any) -> Tensor:
            found[:] = self.module_.both(rows)
            return found[1]

        decoded = self._call(compute, x)
        return found[0].to(decoded.dtype), decoded, found[2].to(decoded.dtype)
