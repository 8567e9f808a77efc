"""Batches of many nets side by side, in the order in which each would see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from ..batches import batch_bounds
from ..data import TensorRows, TrainingData
from ..seeding import generator_on_cpu
from .member import Member

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
    members : sequence of Member
        Their data have equal numbers of batches.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.orders = _Orders(members)
        sets = [member.data for member in members]
        distinct, which = _distinct(sets)
        self.x = torch.cat([cast(TensorRows, data.rows).values for data in distinct])
        targets = [data.targets for data in distinct]
        self.y = torch.cat([t.y for t in targets if t.y is not None])
        weights = [t.weight for t in targets if t.weight is not None]
        self.weight = torch.cat(weights) if weights else None
        lengths = torch.tensor([len(data) for data in distinct])
        self.first = (lengths.cumsum(0) - lengths)[which]
        sizes = lengths[which]
        longest = int(sizes.max())
        # Batches begin at the same rows for all; only the last may differ in length.
        self.bounds = batch_bounds(longest, members[0].pattern.batch_size)
        there = torch.arange(longest) < sizes[:, None]
        self.there = there.to(self.x.device, self.x.dtype)
        self._even = (
            None if weights else [self._cut(self.there, b) for b in self.bounds]
        )
        # Written to anew in every epoch, when no graph needs the old rows any more.
        self._gathered = [
            t.new_empty(self.there.numel(), *t.shape[1:]) for t in (self.x, self.y)
        ]

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[StackedBatch]:
        """Draw a new order for each net, gather once, and cut into batches."""
        rows = (self.orders.draw() + self.first[:, None]).flatten()
        rows = rows.to(self.x.device, non_blocking=True)
        shape = self.there.shape
        x, y = (
            torch.index_select(t, 0, rows, out=out).unflatten(0, shape)
            for t, out in zip((self.x, self.y), self._gathered, strict=True)
        )
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

    @staticmethod
    def _cut(weight: Tensor, bounds: tuple[int, int]) -> tuple[Tensor, Tensor]:
        part = weight[:, bounds[0] : bounds[1]]
        return part, part / part.sum(dim=1, keepdim=True)


class _Orders:
    """Orders of rows; nets with one seed and as many rows have them in common."""

    def __init__(self, members: Sequence[Member]) -> None:
        keys = [(member.order_seed, len(member.data)) for member in members]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        self.sizes = [n for _, n in numbers]
        self.generators = [generator_on_cpu(seed) for seed, _ in numbers]
        self.of_member = torch.tensor([numbers[key] for key in keys])

    def draw(self) -> Tensor:
        """Return row numbers (K, longest), filled up with the first row."""
        found = torch.zeros(len(self.sizes), max(self.sizes), dtype=torch.int64)
        for row, n, generator in zip(found, self.sizes, self.generators, strict=True):
            torch.randperm(n, generator=generator, out=row[:n])
        return found.index_select(0, self.of_member)

    def generator_of(self, k: int) -> torch.Generator:
        """Return the generator of one net, as it is now."""
        return self.generators[int(self.of_member[k])]


def _distinct(sets: list[TrainingData]) -> tuple[list[TrainingData], Tensor]:
    """Return every set once, and for each of those given its number there."""
    found = {id(data): data for data in sets}
    numbers = {key: number for number, key in enumerate(found)}
    return list(found.values()), torch.tensor([numbers[id(data)] for data in sets])
