"""Data sets of many nets side by side, each of them kept once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from ..data import TensorRows, TrainingData

__all__ = ["StackedRows"]


class StackedRows:
    """The sets of K nets, of which several may be one and the same.

    Parameters
    ----------
    sets : sequence of TrainingData
        One for each net.

    Attributes
    ----------
    longest : int
        Rows of the largest set.
    there : Tensor of shape (K, longest)
        1 for rows that a set has, 0 for those that fill it up.
    weighted : bool
        Whether rows have weights.
    """

    def __init__(self, sets: Sequence[TrainingData]) -> None:
        distinct, which = _distinct(sets)
        self.x = torch.cat([cast(TensorRows, data.rows).values for data in distinct])
        targets = [data.targets for data in distinct]
        self.y = torch.cat([t.y for t in targets if t.y is not None])
        weights = [t.weight for t in targets if t.weight is not None]
        self.weight = torch.cat(weights) if weights else None
        lengths = torch.tensor([len(data) for data in distinct])
        self.first = (lengths.cumsum(0) - lengths)[which]
        sizes = lengths[which]
        self.longest = int(sizes.max())
        there = torch.arange(self.longest) < sizes[:, None]
        self.there = there.to(self.x.device, self.x.dtype)
        self.in_order = there * torch.arange(self.longest)

    @property
    def weighted(self) -> bool:
        """Whether rows have weights."""
        return self.weight is not None

    def gather(
        self, order: Tensor, out: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return rows of every set.

        Parameters
        ----------
        order : Tensor of int64 of shape (K, longest)
            Numbers of rows, on the CPU; any row where a set has no more.
        out : tuple of Tensor or None, default=None
            What :meth:`room` returned, to be written to.

        Returns
        -------
        x, y : Tensor of shape (K, longest, ...)
            Inputs and targets.
        weight : Tensor of shape (K, longest)
            Weights, 0 for rows that only fill up.
        """
        rows = (order + self.first[:, None]).flatten()
        rows = rows.to(self.x.device, non_blocking=True)
        shape = self.there.shape
        x_out, y_out = out or (None, None)
        x = torch.index_select(self.x, 0, rows, out=x_out).unflatten(0, shape)
        y = torch.index_select(self.y, 0, rows, out=y_out).unflatten(0, shape)
        if self.weight is None:
            return x, y, self.there
        return x, y, self.weight.index_select(0, rows).view(shape) * self.there

    def room(self) -> tuple[Tensor, Tensor]:
        """Return tensors that hold what :meth:`gather` finds."""
        n = self.there.numel()
        return self.x.new_empty(n, *self.x.shape[1:]), self.y.new_empty(
            n, *self.y.shape[1:]
        )


def _distinct(sets: Sequence[TrainingData]) -> tuple[list[TrainingData], Tensor]:
    """Return every set once, and for each of those given its number there."""
    found = {id(data): data for data in sets}
    numbers = {key: number for number, key in enumerate(found)}
    return list(found.values()), torch.tensor([numbers[id(data)] for data in sets])
