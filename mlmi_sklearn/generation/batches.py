"""Rows with their conditions, and the batches that adversarial training draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..training.data import Targets, TensorRows, TrainingData

__all__ = ["Conditioned", "GANBatches", "GANData"]


class Conditioned(NamedTuple):
    """Samples in model space and what was asked for.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Samples.
    vector : Tensor of shape (n, k) or None
        Encoded conditions.
    maps : Tensor of shape (n, channels, ...) or None
        Conditions pixel by pixel.
    labels : Tensor of shape (n,) or None
        Codes of classes.
    """

    x: Tensor
    vector: Tensor | None = None
    maps: Tensor | None = None
    labels: Tensor | None = None

    def take(self, index: Tensor) -> Conditioned:
        """Gather rows."""
        return self._each(lambda t: t.index_select(0, index))

    def narrow(self, start: int, stop: int) -> Conditioned:
        """Return a range of rows as views."""
        return self._each(lambda t: t[start:stop])

    def to(self, device: torch.device) -> Conditioned:
        """Move to a device."""
        return self._each(lambda t: t.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Conditioned:
        others = [None if t is None else change(t) for t in self[1:]]
        return Conditioned(change(self.x), *others)

    @property
    def conditions(self) -> tuple[Tensor | None, Tensor | None]:
        """What the nets are told."""
        return self.vector, self.maps


class GANData(TrainingData):
    """Rows of one fit.

    Parameters
    ----------
    rows : Conditioned
        All samples.
    strata : Tensor of shape (n,) or None
        Groups of rows that batches draw from alike; None draws all rows alike.
    steps_per_epoch : int
        Steps of the generator that make one row of the history.
    n_critic : int
        Batches for each step of the generator.
    """

    def __init__(
        self,
        rows: Conditioned,
        strata: Tensor | None,
        steps_per_epoch: int,
        n_critic: int,
    ) -> None:
        super().__init__(TensorRows(rows.x), Targets(None))
        self.all = rows
        self.strata = strata
        self.steps_per_epoch = steps_per_epoch
        self.n_critic = n_critic

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.all.x.device


class GANBatches:
    """Batches of one row of the history, drawn without end.

    Parameters
    ----------
    data : GANData
        The rows.
    batch_size : int
        Rows in a batch; a smaller set gives smaller batches.
    generator : torch.Generator
        Source of the draws, on the CPU.
    n_steps : int, optional
        Steps of the generator; by default those of the data.

    Examples
    --------
    >>> rows = Conditioned(torch.arange(6.0)[:, None])
    >>> data = GANData(rows, torch.tensor([0, 0, 0, 0, 0, 1]), 10, 1)
    >>> draws = torch.Generator().manual_seed(0)
    >>> batches = [b.x for b in GANBatches(data, 4, draws)]
    >>> len(batches), batches[0].shape
    (10, torch.Size([4, 1]))
    >>> bool((torch.cat(batches) == 5).sum() == 20)  # half of all, a stratum each
    True
    """

    def __init__(
        self,
        data: GANData,
        batch_size: int,
        generator: torch.Generator,
        n_steps: int | None = None,
    ) -> None:
        self.data = data
        self.size = min(batch_size, max(len(data), 2))
        self.generator = generator
        self.n_steps = data.steps_per_epoch if n_steps is None else n_steps

    def __len__(self) -> int:
        return self.n_steps

    def __iter__(self) -> Iterator[Any]:
        size = self.size * self.data.n_critic
        for index in self._order(self.n_steps * size).split(size):
            rows = index.to(self.data.device, non_blocking=True)
            yield self.data.all.take(rows)

    def _order(self, n: int) -> Tensor:
        strata = self.data.strata
        if strata is None:
            return self._passes(torch.arange(len(self.data)), n)
        groups = [torch.nonzero(strata == s).squeeze(1) for s in strata.unique()]
        each = -(-n // len(groups))
        parts = [self._passes(group, each) for group in groups]
        # One of each stratum after the other, so that every batch has its share.
        return torch.stack(parts, 1).flatten()[:n]

    def _passes(self, rows: Tensor, n: int) -> Tensor:
        """Return n rows: whole passes, each in an order of its own."""
        passes = -(-n // len(rows))
        orders = [
            torch.randperm(len(rows), generator=self.generator) for _ in range(passes)
        ]
        return rows[torch.cat(orders)[:n]]
