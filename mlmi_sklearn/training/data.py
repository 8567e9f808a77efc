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

from ..nn.segments import Segments

__all__ = ["Batch", "RaggedTensor", "Rows", "Targets", "TensorRows", "TrainingData"]


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


class RaggedTensor:
    """Bags of different size as one flat tensor of instances.

    Parameters
    ----------
    values : Tensor of shape (n_instances, ...)
        The instances of all bags, bag after bag.
    lengths : Tensor of shape (n_bags,), int64
        Instances in each bag, each at least 1. Kept on the CPU: slicing a batch
        must not wait for an accelerator.
    offsets : list of int, optional
        Where each bag begins, and the end: ``n_bags + 1`` numbers.

    Notes
    -----
    Nothing is padded, so the answer for a bag cannot depend on its companions.
    """

    __slots__ = ("_segments", "lengths", "offsets", "values")

    def __init__(
        self, values: Tensor, lengths: Tensor, offsets: list[int] | None = None
    ) -> None:
        self.values = values
        self.lengths = lengths
        if offsets is None:
            offsets = [0, *lengths.cumsum(0).tolist()]
        self.offsets = offsets
        self._segments: Segments | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def segments(self) -> Segments:
        """The bag structure, on the device of the values."""
        if self._segments is None:
            lengths = self.lengths.to(self.values.device)
            n = self.offsets[-1]
            index = torch.repeat_interleave(lengths, output_size=n)
            # Lengths were checked when the bags were; a batch need not check again.
            self._segments = Segments(lengths, index=index, check=False)
        return self._segments

    def take(self, index: Tensor) -> RaggedTensor:
        """Gather whole bags, in the order of ``index``."""
        index = index.cpu()
        lengths = self.lengths[index]
        ends = lengths.cumsum(0)
        starts = torch.as_tensor(self.offsets)[index]
        # Instance j of the new bag i sits at starts[i] + j in the old store.
        shift = torch.repeat_interleave(starts - (ends - lengths), lengths)
        rows = torch.arange(shift.shape[0]) + shift
        values = self.values.index_select(0, rows.to(self.values.device))
        return RaggedTensor(values, lengths, [0, *ends.tolist()])

    def narrow(self, start: int, stop: int) -> RaggedTensor:
        """Return bags ``start`` to ``stop`` without copying instances."""
        first = self.offsets[start]
        offsets = [o - first for o in self.offsets[start : stop + 1]]
        return RaggedTensor(
            self.values[first : self.offsets[stop]], self.lengths[start:stop], offsets
        )

    def to(self, device: torch.device) -> RaggedTensor:
        """Move the instances to ``device``; the lengths stay on the CPU."""
        values = self.values.to(device, non_blocking=True)
        return RaggedTensor(values, self.lengths, self.offsets)

    @property
    def nbytes(self) -> int:
        """Size of the instances in bytes."""
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
