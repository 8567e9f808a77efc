"""Whole data sets as tensors: what a training loop slices batches from.

A PyTorch ``DataLoader`` collates row by row, which for small nets costs several
times the arithmetic. Data that fits in memory is better kept as whole tensors: one
gather an epoch puts the rows in their shuffled order, and a batch is then a view.
:class:`TrainingData` is such a set for plain tensors and for ragged bags alike,
because both know two operations: ``take`` (gather rows) and ``narrow`` (view a range).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

__all__ = ["Batch", "Rows", "Targets", "TensorRows", "TrainingData"]


class Rows(Protocol):
    """What a container must offer to be batched by :class:`TensorBatches`."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def take(self, index: Tensor) -> Rows:
        """Gather the rows of ``index``, in that order."""

    def narrow(self, start: int, stop: int) -> object:
        """Return rows ``start`` to ``stop`` as the module's input, without copying."""

    def to(self, device: torch.device) -> Rows:
        """Move to ``device``."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""


class TensorRows:
    """Rows of one dense tensor; a batch is a plain tensor.

    Parameters
    ----------
    values : Tensor of shape (n, ...)
        One row a sample.
    """

    __slots__ = ("values",)

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[0]

    def take(self, index: Tensor) -> TensorRows:
        """Gather the rows of ``index``, in that order."""
        return TensorRows(self.values.index_select(0, index))

    def narrow(self, start: int, stop: int) -> Tensor:
        """Return rows ``start`` to ``stop`` as a view."""
        return self.values[start:stop]

    def to(self, device: torch.device) -> TensorRows:
        """Move to ``device``."""
        return TensorRows(self.values.to(device, non_blocking=True))

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.values.numel() * self.values.element_size()


class Targets(NamedTuple):
    """What the loss needs beside the output of the module."""

    y: Tensor | None
    weight: Tensor | None = None

    def take(self, index: Tensor) -> Targets:
        """Gather rows."""
        return Targets(*(None if t is None else t.index_select(0, index) for t in self))

    def narrow(self, start: int, stop: int) -> Targets:
        """Return a range of rows as views."""
        y, weight = self
        return Targets(
            None if y is None else y[start:stop],
            None if weight is None else weight[start:stop],
        )

    def to(self, device: torch.device) -> Targets:
        """Move to ``device``."""
        return Targets(*(None if t is None else t.to(device) for t in self))


Batch = tuple[object, Targets]


class TrainingData(Dataset[Batch]):
    """Inputs and targets of one data set, row by row aligned.

    Parameters
    ----------
    rows : Rows
        The inputs.
    targets : Targets
        Encoded targets and optional weights.
    """

    def __init__(self, rows: Rows, targets: Targets) -> None:
        self.rows = rows
        self.targets = targets

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        return self.narrow(index, index + 1)

    @property
    def device(self) -> torch.device:
        """Where indices of rows must be."""
        y = self.targets.y
        return torch.device("cpu") if y is None else y.device

    def take(self, index: Tensor) -> TrainingData:
        """Gather rows into a new set; ``index`` may be anywhere."""
        index = index.to(self.device)
        return TrainingData(self.rows.take(index), self.targets.take(index))

    def narrow(self, start: int, stop: int) -> Batch:
        """Return the batch of rows ``start`` to ``stop``."""
        return self.rows.narrow(start, stop), self.targets.narrow(start, stop)

    def to(self, device: torch.device) -> TrainingData:
        """Move to ``device``."""
        return TrainingData(self.rows.to(device), self.targets.to(device))
