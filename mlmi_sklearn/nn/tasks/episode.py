"""What models of tasks are given, and what they give."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Episode", "Support", "TaskPass", "joined"]


class Support(NamedTuple):
    """Rows of several tasks.

    Parameters
    ----------
    x : Tensor of shape (T, N, ...)
        Inputs.
    y : Tensor of shape (T, N) or (T, N, M)
        Codes of classes, or numbers.
    rows : Tensor of shape (T, N) or None, default=None
        0 for rows that only fill up the batch; None if all count.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.nn.tasks import Support
    >>> tasks = Support(torch.arange(6.0).reshape(3, 2, 1), torch.zeros(3, 2))
    >>> tasks.narrow(1, 2).x.flatten()
    tensor([2., 3.])
    """

    x: Tensor
    y: Tensor
    rows: Tensor | None = None

    def narrow(self, start: int, stop: int) -> Support:
        """Return tasks `start` to `stop`.

        Parameters
        ----------
        start, stop : int
            First task, and the one after the last.

        Returns
        -------
        Support
            Views of their rows.
        """
        rows = None if self.rows is None else self.rows[start:stop]
        return Support(self.x[start:stop], self.y[start:stop], rows)


class Episode(NamedTuple):
    """Several tasks of one shape.

    Parameters
    ----------
    support, query : Support
        Rows to learn from, and to be judged by.
    n_outputs : int
        Scores of every task.

    Examples
    --------
    Three tasks with four rows to learn from and six to be judged by:

    >>> import torch
    >>> from mlmi_sklearn.nn.tasks import Episode, Support
    >>> support = Support(torch.zeros(3, 4, 2), torch.zeros(3, 4, dtype=int))
    >>> query = Support(torch.zeros(3, 6, 2), torch.zeros(3, 6, dtype=int))
    >>> Episode(support, query, n_outputs=5).narrow(0, 2).query.x.shape
    torch.Size([2, 6, 2])
    """

    support: Support
    query: Support
    n_outputs: int

    def narrow(self, start: int, stop: int) -> Episode:
        """Return tasks `start` to `stop`.

        Parameters
        ----------
        start, stop : int
            First task, and the one after the last.

        Returns
        -------
        Episode
            Views of their rows.
        """
        support, query = (part.narrow(start, stop) for part in self[:2])
        return Episode(support, query, self.n_outputs)


class TaskPass(NamedTuple):
    """What one pass over tasks gives.

    Parameters
    ----------
    losses : Tensor of shape (T,)
        On the query.
    objective : Tensor of shape (T,)
        What the outer loop lowers; the losses, but for methods that interpolate.
    raw : Tensor of shape (T, N, K)
        Scores of the query.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> from mlmi_sklearn.nn.tasks import Episode, PrototypeModel, Support, TaskPass
    >>> rows = Support(torch.randn(3, 4, 2), torch.tensor([[0, 0, 1, 1]] * 3))
    >>> loss = torch.nn.CrossEntropyLoss(reduction="none")
    >>> found = PrototypeModel(MLP((2,))).episode(Episode(rows, rows, 2), loss)
    >>> isinstance(found, TaskPass), found.losses.shape, found.raw.shape
    (True, torch.Size([3]), torch.Size([3, 4, 2]))
    """

    losses: Tensor
    objective: Tensor
    raw: Tensor


def joined(support: Support, query: Support) -> Support:
    """Put support and query of each task one after the other."""
    rows = None
    if support.rows is not None or query.rows is not None:
        rows = torch.cat([_ones(support), _ones(query)], 1)
    x = torch.cat([support.x, query.x], 1)
    return Support(x, torch.cat([support.y, query.y], 1), rows)


def _ones(part: Support) -> Tensor:
    if part.rows is not None:
        return part.rows
    return torch.ones(part.x.shape[:2], dtype=part.x.dtype, device=part.x.device)
