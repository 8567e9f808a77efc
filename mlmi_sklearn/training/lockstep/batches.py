"""Batches of many nets side by side, in the order in which each would see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..batches import batch_bounds
from ..seeding import generator_on_cpu
from .member import Member
from .rows import StackedRows

__all__ = ["Generators", "StackedBatch", "StackedBatches"]


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
    generators : Generators
        Sources of the orders of rows.
    """

    def __init__(self, members: Sequence[Member], generators: Generators) -> None:
        self.members = members
        self.generators = generators
        self.rows = StackedRows([member.data for member in members])
        # Batches begin at the same rows for all; only the last may differ in length.
        self.bounds = batch_bounds(self.rows.longest, members[0].pattern.batch_size)
        self._even = None
        if not self.rows.weighted:
            self._even = [_cut(self.rows.there, b) for b in self.bounds]
        # Written to anew in every epoch, when no graph needs the old rows any more.
        self._room = self.rows.room()

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[StackedBatch]:
        """Draw a new order for each net, gather once, and cut into batches."""
        order = self.generators.draw(self.members)
        x, y, weight = self.rows.gather(order, self._room)
        for step, (start, stop) in enumerate(self.bounds):
            if self._even is not None:
                shares = self._even[step]
            else:
                shares = _cut(weight, (start, stop))
            yield StackedBatch(x[:, start:stop], y[:, start:stop], *shares)


def _cut(weight: Tensor, bounds: tuple[int, int]) -> tuple[Tensor, Tensor]:
    part = weight[:, bounds[0] : bounds[1]]
    return part, part / part.sum(dim=1, keepdim=True)


class Generators:
    """Sources of orders; nets with one seed and as many rows have one in common.

    Parameters
    ----------
    members : sequence of Member
        The nets.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._found = {_source(m): generator_on_cpu(m.order_seed) for m in members}

    def draw(self, members: Sequence[Member]) -> Tensor:
        """Return row numbers (K, longest), filled up with the first row."""
        keys = [_source(member) for member in members]
        rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
        longest = max(n for _, n in rows)
        orders = torch.zeros(len(rows), longest, dtype=torch.int64)
        for key, order in zip(rows, orders, strict=True):
            torch.randperm(key[1], generator=self._found[key], out=order[: key[1]])
        return orders.index_select(0, torch.tensor([rows[key] for key in keys]))

    def state_of(self, member: Member) -> Tensor:
        """Return the state of the generator of one net, as it is now."""
        return self._found[_source(member)].get_state()


def _source(member: Member) -> tuple[int, int]:
    return member.order_seed, len(member.data)
