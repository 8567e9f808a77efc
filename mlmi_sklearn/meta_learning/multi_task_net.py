"""One backbone, one head a task."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["MultiTaskModule", "TaskBatch", "TaskTensorRows"]


class TaskBatch:
    """Rows and the code of the task of each.

    Parameters
    ----------
    values : Tensor of shape (B, ...)
        The rows.
    codes : Tensor of int of shape (B,)
        Positions of their heads.
    """

    __slots__ = ("codes", "values")

    def __init__(self, values: Tensor, codes: Tensor) -> None:
        self.values = values
        self.codes = codes

    def __len__(self) -> int:
        return len(self.values)

    def to(self, device: torch.device) -> TaskBatch:
        """Move to ``device``."""
        return TaskBatch(self.values.to(device), self.codes.to(device))


class TaskTensorRows:
    """Rows of several tasks; a batch is a :class:`TaskBatch`.

    Parameters
    ----------
    values : Tensor of shape (n, ...)
        One row a sample.
    codes : Tensor of int of shape (n,)
        Code of the task of each.
    """

    __slots__ = ("codes", "values")

    def __init__(self, values: Tensor, codes: Tensor) -> None:
        self.values = values
        self.codes = codes

    def __len__(self) -> int:
        return self.values.shape[0]

    def take(self, index: Tensor) -> TaskTensorRows:
        """Gather the rows of ``index``, in that order."""
        values = self.values.index_select(0, index)
        return TaskTensorRows(values, self.codes.index_select(0, index))

    def narrow(self, start: int, stop: int) -> TaskBatch:
        """Return rows ``start`` to ``stop`` as views."""
        return TaskBatch(self.values[start:stop], self.codes[start:stop])

    def to(self, device: torch.device) -> TaskTensorRows:
        """Move to ``device``."""
        return TaskTensorRows(self.values.to(device), self.codes.to(device))

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.values.numel() * self.values.element_size()


class MultiTaskModule(nn.Module):
    """A backbone that all tasks share, and a linear head for each.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to (B, out_features).
    n_outputs : int
        Columns of the scores of one task.
    n_tasks : int
        Heads.

    References
    ----------
    Caruana, *Multitask learning*, Machine Learning 28, 1997.

    Examples
    --------
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = MultiTaskModule(MLP((4,)), n_outputs=1, n_tasks=3)
    >>> x = torch.randn(2, 4)
    >>> model(x).shape, model(TaskBatch(x, torch.tensor([2, 0]))).shape
    (torch.Size([2, 3]), torch.Size([2, 1]))
    """

    def __init__(self, backbone: Any, n_outputs: int, n_tasks: int) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.n_tasks = n_tasks
        self.backbone = backbone
        # Heads side by side: one product gives the scores of all.
        self.heads = nn.Linear(int(backbone.out_features), n_tasks * n_outputs)

    def forward(self, x: Tensor | TaskBatch) -> Tensor:
        """Return scores by the head of each row, or by all heads.

        Parameters
        ----------
        x : TaskBatch, or Tensor of shape (B, ...)
            Rows with or without tasks.

        Returns
        -------
        Tensor of shape (B, n_outputs), or (B, n_tasks * n_outputs)
            Scores; those of one head side by side.
        """
        if not isinstance(x, TaskBatch):
            return self.heads(self.backbone(x))
        scores = self.heads(self.backbone(x.values))
        if self.n_tasks == 1:
            return scores
        scores = scores.reshape(len(x), self.n_tasks, self.n_outputs)
        place = x.codes[:, None, None].expand(-1, 1, self.n_outputs)
        return scores.gather(1, place)[:, 0]
