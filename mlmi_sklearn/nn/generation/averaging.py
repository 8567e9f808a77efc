"""Running means of weights."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential mean of the weights of one module in another of the same build.

    Parameters
    ----------
    average, live : nn.Module
        Where the mean is, and whose it is.

    References
    ----------
    Yazici et al., *The unusual effectiveness of averaging in GAN training*, ICLR 2019.

    Examples
    --------
    >>> a, b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(a.weight), nn.init.ones_(b.weight)
    >>> WeightAverage(a, b).update(0.9)
    >>> round(a.weight.item(), 3)
    0.1
    """

    def __init__(self, average: nn.Module, live: nn.Module) -> None:
        pairs = list(zip(average.parameters(), live.parameters(), strict=True))
        self._means = [mean.detach() for mean, _ in pairs]
        self._live = [now.detach() for _, now in pairs]
        buffers = zip(average.buffers(), live.buffers(), strict=True)
        self._buffers = [(a, b) for a, b in buffers if a.numel()]

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Move the mean towards the present weights.

        Parameters
        ----------
        decay : float
            Share of the old mean, in [0, 1].
        """
        if self._means:
            torch._foreach_lerp_(self._means, self._live, 1 - decay)

    @torch.no_grad()
    def copy_buffers(self) -> None:
        """Take over what is not learned, such as running statistics."""
        for mean, now in self._buffers:
            mean.copy_(now)
