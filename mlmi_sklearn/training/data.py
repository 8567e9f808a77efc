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

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.training import TensorRows
    >>> rows = TensorRows(torch.arange(6.0).reshape(3, 2))
    >>> rows.take(torch.tensor([2, 0])).narrow(0, 1)
    tensor([[4., 5.]])
    """

    __slots__ = ("values",)

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[0]

    def take(self, index: Tensor) -> TensorRows:
        """Gather the rows of ``index``, in that order.

        Parameters
        ----------
        index : Tensor of shape (m,), int64
            Positions of rows.

        Returns
        -------
        TensorRows
            The gathered rows, a copy.
        """
        return TensorRows(self.values.index_select(0, index))

    def narrow(self, start: int, stop: int) -> Tensor:
        """Return rows ``start`` to ``stop`` as a view.

        Parameters
        ----------
        start, stop : int
            First row, and the one after the last.

        Returns
        -------
        Tensor of shape (stop - start, ...)
            The input of the module.
        """
        return self.values[start:stop]

    def to(self, device: torch.device) -> TensorRows:
        """Move to ``device``.

        Parameters
        ----------
        device : torch.device
            Where to.

        Returns
        -------
        TensorRows
            The rows there.
        """
        return TensorRows(self.values.to(device, non_blocking=True))

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.values.numel() * self.values.element_size()


class Targets(NamedTuple):
    """What the loss needs beside the output of the module.

    Parameters
    ----------
    y : Tensor of shape (n, ...) or None
        Encoded targets.
    weight : Tensor of shape (n,) or None, default=None
        Non-negative weights of the rows; None for equal ones.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.training import Targets
    >>> targets = Targets(torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0, 1.0]))
    >>> targets.narrow(1, 3).weight
    tensor([2., 1.])
    """

    y: Tensor | None
    weight: Tensor | None = None

    def take(self, index: Tensor) -> Targets:
        """Gather the rows of ``index``, in that order.

        Parameters
        ----------
        index : Tensor of shape (m,), int64
            Positions of rows.

        Returns
        -------
        Targets
            The gathered rows, a copy.
        """
        return Targets(*(None if t is None else t.index_select(0, index) for t in self))

    def narrow(self, start: int, stop: int) -> Targets:
        """Return rows ``start`` to ``stop`` as views.

        Parameters
        ----------
        start, stop : int
            First row, and the one after the last.

        Returns
        -------
        Targets
            Those of the rows.
        """
        y, weight = self
        return Targets(
            None if y is None else y[start:stop],
            None if weight is None else weight[start:stop],
        )

    def to(self, device: torch.device) -> Targets:
        """Move to ``device``.

        Parameters
        ----------
        device : torch.device
            Where to.

        Returns
        -------
        Targets
            The targets there.
        """
        return Targets(
            *(None if t is None else t.to(device, non_blocking=True) for t in self)
        )


Batch = tuple[object, Targets]


class TrainingData(Dataset[Batch]):
    """Inputs and targets of one data set, row by row aligned.

    Parameters
    ----------
    rows : Rows
        The inputs.
    targets : Targets
        Encoded targets and optional weights.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.training import Targets, TensorRows, TrainingData
    >>> data = TrainingData(TensorRows(torch.eye(3)), Targets(torch.tensor([5, 6, 7])))
    >>> len(data)
    3
    >>> inputs, targets = data.narrow(0, 2)
    >>> targets.y
    tensor([5, 6])
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
        """Gather the rows of ``index``, in that order.

        Parameters
        ----------
        index : Tensor of shape (m,), int64
            Positions of rows, on any device.

        Returns
        -------
        TrainingData
            The gathered rows, a copy.
        """
        index = index.to(self.device, non_blocking=True)
        return TrainingData(self.rows.take(index), self.targets.take(index))

    def narrow(self, start: int, stop: int) -> Batch:
        """Return rows ``start`` to ``stop`` as a batch.

        Parameters
        ----------
        start, stop : int
            First row, and the one after the last.

        Returns
        -------
        tuple of (object, Targets)
            The input of the module and its targets, views where that is possible.
        """
        return self.rows.narrow(start, stop), self.targets.narrow(start, stop)

    def to(self, device: torch.device) -> TrainingData:
        """Move to ``device``.

        Parameters
        ----------
        device : torch.device
            Where to.

        Returns
        -------
        TrainingData
            The set there.
        """
        return TrainingData(self.rows.to(device), self.targets.to(device))
