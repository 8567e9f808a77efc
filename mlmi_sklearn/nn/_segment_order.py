"""Bags of similar size side by side, for what no segment kernel can do.

Sorting and self-attention need a bag as a row of a matrix. Padding all bags to the
largest would multiply the work where sizes vary; one bag at a time pays the overhead
of many small operations. So bags are sorted by size and cut into a few groups, each
padded to its own largest bag, where the padding costs less than another group would.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["SizeGroup", "group_by_size", "largest_rows"]

# Elements that can be sorted in the time that one more group costs.
_SORTED_FOR_A_GROUP = 8192


class SizeGroup(NamedTuple):
    """Bags ``start`` to ``stop`` in the order of their size; none is over `longest`."""

    start: int
    stop: int
    longest: int


def group_by_size(
    lengths: Tensor, *, power: int, slack: float
) -> tuple[Tensor, list[SizeGroup]]:
    """Cut bags into groups of similar size.

    Parameters
    ----------
    lengths : Tensor of shape (B,), dtype int64
        Sizes of the bags, on the CPU.
    power : int
        A bag of `m` instances costs ``m ** power``.
    slack : float
        How much cost of padding a group may hold: about what a further group costs.

    Returns
    -------
    order : Tensor of shape (B,), dtype int64
        The bags from the largest to the smallest.
    groups : list of SizeGroup
        Consecutive ranges of `order`.

    Examples
    --------
    >>> lengths = torch.tensor([2, 90, 3, 88])
    >>> order, groups = group_by_size(lengths, power=1, slack=10)
    >>> order.tolist(), [tuple(group) for group in groups]
    ([1, 3, 2, 0], [(0, 2, 90), (2, 4, 3)])
    """
    order = lengths.argsort(descending=True, stable=True)
    sizes, counts = lengths[order].unique_consecutive(return_counts=True)
    groups: list[SizeGroup] = []
    start = stop = longest = 0
    waste = 0.0
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        waste += count * (longest**power - size**power)
        if stop == start or waste > slack:
            if stop > start:
                groups.append(SizeGroup(start, stop, longest))
            start, longest, waste = stop, size, 0.0
        stop += count
    groups.append(SizeGroup(start, stop, longest))
    return order, groups


def largest_rows(values: Tensor, lengths: Tensor, kept: Tensor) -> Tensor:
    """Return the rows of the largest values of each bag, largest first.

    Parameters
    ----------
    values : Tensor of shape (N, D)
        One row an instance, without gradient.
    lengths : Tensor of shape (B,), dtype int64
        Size of each bag. On the CPU, as is `kept`: an accelerator that is asked for
        sizes has to finish all that it has been given before.
    kept : Tensor of shape (B,), dtype int64
        How many of each bag, 1 to its size.

    Returns
    -------
    Tensor of shape (sum of kept, D), dtype int64
        Rows of `values`, bag after bag and column by column.
    """
    width = values.shape[1]
    slack = _SORTED_FOR_A_GROUP / width
    order, groups = group_by_size(lengths, power=1, slack=slack)
    offsets, ends = lengths.cumsum(0) - lengths, kept.cumsum(0)
    found = torch.empty(int(kept.sum()), width, dtype=torch.int64, device=values.device)
    for start, stop, longest in groups:
        bags = order[start:stop]
        first, keep = offsets[bags], kept[bags]
        most = int(keep.max())
        block = _block(values, first, lengths[bags], longest)
        top = block.topk(most, dim=2).indices.movedim(1, 2)
        top = top + _moved(first, values.device)[:, None, None]
        ranks = torch.arange(most)
        taken = (ranks < keep[:, None]).flatten().nonzero().squeeze(1)
        places = ((ends[bags] - keep)[:, None] + ranks).flatten()[taken]
        places, taken = (_moved(rows, values.device) for rows in (places, taken))
        found.index_copy_(0, places, top.flatten(0, 1).index_select(0, taken))
    return found


def _block(values: Tensor, first: Tensor, lengths: Tensor, longest: int) -> Tensor:
    """Return bags side by side, (b, D, longest): columns are sorted where they lie."""
    if len(first) == 1:
        row = int(first[0])
        return values[row : row + longest].T.unsqueeze(0)
    ranks = torch.arange(longest)
    rows = (first[:, None] + ranks).clamp_(max=len(values) - 1)
    block = values[_moved(rows, values.device)].movedim(2, 1)
    if int(lengths[-1]) == longest:  # sorted by size, so all are of this size
        return block
    # An instance at minus infinity still comes before padding.
    block = block.clamp(min=torch.finfo(values.dtype).min)
    outside = _moved((ranks >= lengths[:, None])[:, None], values.device)
    return block.masked_fill_(outside, -torch.inf)


def _moved(rows: Tensor, device: torch.device) -> Tensor:
    return rows.to(device, non_blocking=True)
