"""A copy of a module's weights that costs one fused copy to renew."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Snapshot"]


class Snapshot:
    """Remember the weights and buffers of a module, and put them back.

    Parameters
    ----------
    module : nn.Module
        The module. The first copy is taken at once.

    Examples
    --------
    >>> module = nn.Linear(1, 1)
    >>> kept = Snapshot(module)
    >>> before = module.weight.item()
    >>> _ = nn.init.constant_(module.weight, float("nan"))
    >>> kept.is_finite()
    False
    >>> kept.restore()
    >>> module.weight.item() == before
    True
    """

    def __init__(self, module: nn.Module) -> None:
        self._live: list[Tensor] = [p.detach() for p in module.parameters()]
        self._live += [b for b in module.buffers() if b is not None]
        self._kept = [t.clone() for t in self._live]

    def take(self) -> None:
        """Copy the present weights."""
        if self._live:
            torch._foreach_copy_(self._kept, self._live)

    def take_if(self, usable: Tensor) -> None:
        """Copy the present weights where ``usable`` is true.

        Parameters
        ----------
        usable : Tensor of shape (), bool
            On the device of the weights, which is not waited for.
        """
        if usable.is_cpu:
            if bool(usable):
                self.take()
            return
        for kept, live in zip(self._kept, self._live, strict=True):
            torch.where(usable, live, kept, out=kept)

    def restore(self) -> None:
        """Write the remembered weights back into the module."""
        if self._live:
            torch._foreach_copy_(self._live, self._kept)

    def training_state(self) -> list[Tensor]:
        """Return the remembered weights, on the CPU."""
        return [kept.cpu().clone() for kept in self._kept]

    def load_training_state(self, state: list[Tensor]) -> None:
        """Remember other weights, those of an earlier process."""
        for kept, other in zip(self._kept, state, strict=True):
            kept.copy_(other)

    def is_finite(self) -> bool:
        """Whether every present weight is a finite number."""
        floats = [t for t in self._live if t.is_floating_point()]
        return all(bool(torch.isfinite(t).all()) for t in floats)
