"""Weights of many nets in one tensor each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

__all__ = ["StackedWeights", "laid_out"]


class StackedWeights:
    """Parameters of K nets, stacked.

    Parameters
    ----------
    leaves : dict of str to Tensor of shape (K, ...)
        Leaves of the graph of gradients. Matrices lie there as (K, in, out), since
        their gradients come that way and would have to be copied otherwise.

    Attributes
    ----------
    working : Memory
        Weights that have shown that they work.
    best : Memory or None
        Weights of the best epoch, for nets that may stop early.
    """

    def __init__(self, leaves: dict[str, Tensor]) -> None:
        self.leaves = leaves
        for leaf in leaves.values():
            leaf.requires_grad_()
        self._live = [v.detach() for v in leaves.values()]
        self.working = Memory(self._live)
        self.best: Memory | None = None

    @classmethod
    def of(cls, weights: Sequence[Mapping[str, Tensor]]) -> StackedWeights:
        """Stack parameters of each net by name, of equal shapes."""
        return cls(
            {
                name: torch.stack([laid_out(w[name].detach()) for w in weights])
                for name in weights[0]
            }
        )

    def part(self, rows: Tensor) -> StackedWeights:
        """Return copies of the weights of some nets, with what was remembered."""
        leaves = {k: v.detach().index_select(0, rows) for k, v in self.leaves.items()}
        made = StackedWeights(leaves)
        made.working = self.working.part(rows, made._live)
        made.best = None if self.best is None else self.best.part(rows, made._live)
        return made

    def remember_best(self) -> None:
        """Make room for the best weights."""
        self.best = Memory(self._live)

    def values(self, which: Tensor | None = None) -> dict[str, Tensor]:
        """Return the weights as the modules have them, of shape (K, ...) each.

        Parameters
        ----------
        which : Tensor of int64 or None, default=None
            Numbers of the nets, of which copies are then returned; None for all.
        """
        leaves = self.leaves
        if which is not None:
            leaves = {k: v.detach().index_select(0, which) for k, v in leaves.items()}
        return {
            name: leaf.transpose(1, 2) if leaf.ndim == 3 else leaf
            for name, leaf in leaves.items()
        }

    def are_finite(self) -> Tensor:
        """Return, as bools of shape (K,), whose weights are all finite."""
        found = [torch.isfinite(v).flatten(1).all(dim=1) for v in self._live]
        return torch.stack(found).all(dim=0)

    def write(self, k: int, module: nn.Module) -> None:
        """Write the weights of one net into its own module."""
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(laid_out(self.leaves[name][k]))


class Memory:
    """Earlier weights of each net.

    Parameters
    ----------
    live : list of Tensor of shape (K, ...)
        The present ones, of which a copy is taken.
    kept : list of Tensor or None, default=None
        What is remembered; None for the present ones.
    """

    def __init__(self, live: list[Tensor], kept: list[Tensor] | None = None) -> None:
        self._live = live
        self._kept = [v.clone() for v in live] if kept is None else kept

    def part(self, rows: Tensor, live: list[Tensor]) -> Memory:
        """Return the memory of some nets, whose present weights lie elsewhere."""
        return Memory(live, [v.index_select(0, rows) for v in self._kept])

    def keep(self, which: Tensor) -> None:
        """Remember the present weights of some nets.

        Parameters
        ----------
        which : Tensor of bool of shape (K,)
            Those nets.
        """
        # An accelerator is not asked: it would have to be waited for.
        if which.is_cpu and bool(which.all()):
            torch._foreach_copy_(self._kept, self._live)
            return
        for kept, live in zip(self._kept, self._live, strict=True):
            rows = which.view(-1, *[1] * (live.ndim - 1))
            torch.where(rows, live, kept, out=kept)

    def restore(self, k: int) -> None:
        """Put back what was remembered for one net."""
        for kept, live in zip(self._kept, self._live, strict=True):
            live[k] = kept[k]


def laid_out(value: Tensor) -> Tensor:
    """Turn a weight matrix (out, in) to (in, out), or back."""
    return value.T if value.ndim == 2 else value
