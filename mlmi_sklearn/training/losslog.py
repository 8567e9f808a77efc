"""Weighted losses, and those of one epoch, left on the device until its end."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["LossLog", "weighted_mean"]


def weighted_mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    """Average unreduced losses: sum(w * l) / sum(w).

    With this average a row of weight 2 counts exactly like the row given twice.

    Parameters
    ----------
    losses : Tensor of shape (n,)
        One loss a row.
    weight : Tensor of shape (n,) or None
        Non-negative weights; None means equal ones.

    Returns
    -------
    Tensor
        A scalar.

    Examples
    --------
    >>> weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0])).item()
    2.0
    """
    if weight is None or losses.ndim == 0:
        return losses.mean()
    return torch.dot(losses, weight.to(losses.dtype)) / weight.sum()


class LossLog:
    """Collect the losses of batches; average them with one synchronisation.

    Reading a loss back after each batch would make an accelerator wait for the
    processor and the processor for the accelerator.

    Parameters
    ----------
    in_one_piece : bool, default=False
        Copy what comes into one growing piece of memory. Small tensors that outlive
        large batches leave holes between these, and a process that reads data larger
        than its memory runs out of it.

    Examples
    --------
    >>> log = LossLog()
    >>> log.add(torch.tensor([1.0, 3.0]), None, 2)
    >>> log.add(torch.tensor([5.0]), None, 1)
    >>> log.mean()
    3.0
    """

    def __init__(self, in_one_piece: bool = False) -> None:
        kind = _Piece if in_one_piece else _Parts
        self._losses, self._weights = kind(), kind()
        self._sizes: list[int] = []

    @classmethod
    def of_batches(cls, rows: list[dict[str, float]], prefix: str) -> LossLog:
        """Collect what skorch recorded batch by batch in its history."""
        log = cls()
        for row in rows:
            if f"{prefix}_loss" in row:
                loss = torch.tensor(row[f"{prefix}_loss"], dtype=torch.float64)
                log.add(loss, None, int(row[f"{prefix}_batch_size"]))
        return log

    def add(self, losses: Tensor, weight: Tensor | None, size: int) -> None:
        """Note one batch.

        Parameters
        ----------
        losses : Tensor of shape (size,) or ()
            One loss a row, or the mean of the batch.
        weight : Tensor of shape (size,) or None
            Weights of the rows.
        size : int
            Rows in the batch.
        """
        self._losses.append(losses)
        self._sizes.append(size)
        if weight is not None and losses.ndim:
            self._weights.append(weight)

    def mean(self) -> float:
        """Return sum(w * l) / sum(w) over the rows of the epoch; 0.0 if none."""
        if not self._sizes:
            return 0.0
        losses = self._losses.joined()
        if self._weights:
            weights = self._weights.joined()
        elif self._losses.of_rows:
            return float(losses.mean())
        else:
            weights = torch.tensor(self._sizes, dtype=losses.dtype)
            weights = weights.to(losses.device)
        return float(torch.dot(losses, weights.to(losses.dtype)) / weights.sum())

    def weight(self) -> float:
        """Return how much the rows of the epoch weigh together."""
        if self._weights:
            return float(self._weights.joined().sum())
        return float(sum(self._sizes))

    def first_bad_step(self) -> int:
        """Return the first batch, counted from 1, with a loss that is not finite."""
        for step, losses in enumerate(self._losses, start=1):
            if not bool(torch.isfinite(losses).all()):
                return step
        return len(self._sizes)


class _Parts(list[Tensor]):
    """Tensors as they came."""

    @property
    def of_rows(self) -> bool:
        return bool(self[0].ndim)

    def joined(self) -> Tensor:
        return torch.cat(self) if self.of_rows else torch.stack(list(self))


class _Piece:
    """Tensors copied one after the other into one, which doubles when it is full."""

    _FIRST = 1024

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._used = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.joined().split(self._lengths))

    def append(self, part: Tensor) -> None:
        if not self._lengths:
            self.of_rows = bool(part.ndim)
            self._piece = part.new_empty(max(self._FIRST, part.numel()))
        end = self._used + part.numel()
        if end > len(self._piece):
            larger = self._piece.new_empty(2 * end)
            larger[: self._used] = self.joined()
            self._piece = larger
        self._piece[self._used : end] = part
        self._used = end
        self._lengths.append(part.numel())

    def joined(self) -> Tensor:
        return self._piece[: self._used]
