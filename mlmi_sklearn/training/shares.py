"""The share of a batch that one of several processes computes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .data import Batch, Targets
from .distributed import Ranks

__all__ = ["own_part", "share_blocks", "silence"]

Bounds = list[tuple[int, int]]


def own_part(order: Tensor, bounds: Bounds, ranks: Ranks) -> tuple[Tensor, Bounds]:
    """Keep this rank's rows of each batch of an epoch.

    Parameters
    ----------
    order : Tensor of shape (n,), int64
        Rows of the epoch.
    bounds : list of (int, int)
        Start and stop in ``order`` of every batch.
    ranks : Ranks
        The processes that share each.

    Returns
    -------
    order : Tensor of shape (m,), int64
        Rows of this rank, batch after batch.
    bounds : list of (int, int)
        Where its part of every batch is in them; none is empty.

    Examples
    --------
    >>> order = torch.tensor([4, 2, 0, 3, 1])
    >>> own_part(order, [(0, 4), (4, 5)], Ranks(1, 2))
    (tensor([0, 3, 1]), [(0, 2), (2, 3)])
    """
    parts, own, end = [], [], 0
    for start, stop in bounds:
        first, last = ranks.share(start, stop)
        parts.append(order[first : max(last, first + 1)])  # one stands in, see silence
        own.append((end, end + len(parts[-1])))
        end = own[-1][1]
    return torch.cat(parts), own


def silence(batches: Iterator[Batch], bounds: Bounds, ranks: Ranks) -> Iterator[Batch]:
    """Give weight 0 to rows that stand in for an empty share.

    Parameters
    ----------
    batches : iterator of batches
        Those of :func:`own_part`.
    bounds : list of (int, int)
        Start and stop of the whole batches.
    ranks : Ranks
        The processes that share each.

    Yields
    ------
    tuple of (object, Targets)
        The batches, all with weights if one of them needs them.
    """
    empty = [_is_empty(ranks.share(start, stop)) for start, stop in bounds]
    if not any(empty):
        yield from batches
        return
    for (x, (y, weight)), idle in zip(batches, empty, strict=True):
        given = _ones(y) if weight is None else weight
        yield x, Targets(y, torch.zeros_like(given) if idle else given)


def share_blocks(batches: Iterator[Batch], ranks: Ranks) -> Iterator[Batch]:
    """Keep this rank's rows of batches that are formed as they are read.

    Every rank reads all blocks: which rows a batch is made of is known only then.

    Parameters
    ----------
    batches : iterator of batches
        The same on all ranks.
    ranks : Ranks
        The processes that share each.

    Yields
    ------
    tuple of (Tensor, Targets)
        The parts.
    """
    for x, targets in batches:
        n = len(x)  # type: ignore[arg-type]
        start, stop = ranks.share(0, n)
        if start < stop:
            yield x[start:stop], targets.narrow(start, stop)  # type: ignore[index]
            continue
        y, _ = targets.narrow(0, 1)
        yield x[:1], Targets(y, torch.zeros_like(_ones(y)))  # type: ignore[index]


def _is_empty(bounds: tuple[int, int]) -> bool:
    return bounds[0] == bounds[1]


def _ones(y: Tensor | None) -> Tensor:
    if y is None:
        raise ValueError(
            "Several processes cannot share batches without targets that are smaller "
            "than their number. Start fewer processes, or raise batch_size."
        )
    return torch.ones(len(y), device=y.device)
