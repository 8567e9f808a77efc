"""Batches of many nets side by side, in the order in which each would see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from ..batches import batch_bounds
from ..data import TensorRows, TrainingData
from ..net import LeanNet

__all__ = ["StackedBatch", "StackedBatches"]


class StackedBatch(NamedTuple):
    """One batch of each of K nets.

    Parameters
    ----------
    x : Tensor of shape (K, B, ...)
        Inputs; where a net has fewer than B rows, one of its rows is repeated.
    y : Tensor of shape (K, B, ...)
        Targets.
    weight : Tensor of shape (K, B)
        Weights w of rows, zero for repeated ones.
    share : Tensor of shape (K, B)
        w / sum(w), the derivative of the mean loss of a net by the loss of a row.
    """

    x: Tensor
    y: Tensor
    weight: Tensor
    share: Tensor


class StackedBatches:
    """Iterate over the data of K nets in step.

    Parameters
    ----------
    nets : sequence of LeanNet
        Their generators give the order of the rows, as in training alone.
    sets : sequence of TrainingData
        One for each net, with equal numbers of batches.
    """

    def __init__(self, nets: Sequence[LeanNet], sets: Sequence[TrainingData]) -> None:
        self.generators = [net.generator for net in nets]
        sizes = [len(data) for data in sets]
        self.x = torch.cat([cast(TensorRows, data.rows).values for data in sets])
        targets = [data.targets for data in sets]
        self.y = torch.cat([t.y for t in targets if t.y is not None])
        weights = [t.weight for t in targets if t.weight is not None]
        self.weight = torch.cat(weights) if weights else None
        self.sizes = torch.tensor(sizes)
        self.first = self.sizes.cumsum(0) - self.sizes
        # Batches begin at the same rows for all; only the last may differ in length.
        self.bounds = batch_bounds(max(sizes), nets[0].batch_size)
        there = torch.arange(max(sizes)) < self.sizes[:, None]
        self.there = there.to(self.x.device, self.x.dtype)
        self._even = (
            None if weights else [self._cut(self.there, b) for b in self.bounds]
        )

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[StackedBatch]:
        """Draw a new order for each net, gather once, and cut into batches."""
        rows = self._order().to(self.x.device, non_blocking=True)
        shape = self.there.shape
        x = self.x.index_select(0, rows).unflatten(0, shape)
        y = self.y.index_select(0, rows).unflatten(0, shape)
        weight = None
        if self.weight is not None:
            weight = self.weight.index_select(0, rows).view(shape) * self.there
        for step, (start, stop) in enumerate(self.bounds):
            if weight is None:
                assert self._even is not None
                shares = self._even[step]
            else:
                shares = self._cut(weight, (start, stop))
            yield StackedBatch(x[:, start:stop], y[:, start:stop], *shares)

    def _order(self) -> Tensor:
        """Return row numbers of all nets, filled up to equal lengths."""
        found = torch.zeros(self.there.shape, dtype=torch.int64)
        for k, (n, generator) in enumerate(
            zip(self.sizes.tolist(), self.generators, strict=True)
        ):
            torch.randperm(n, generator=generator, out=found[k, :n])
        return (found + self.first[:, None]).flatten()

    @staticmethod
    def _cut(weight: Tensor, bounds: tuple[int, int]) -> tuple[Tensor, Tensor]:
        part = weight[:, bounds[0] : bounds[1]]
        return part, part / part.sum(dim=1, keepdim=True)
