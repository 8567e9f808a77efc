"""Kernels under :class:`mlmi_sklearn.nn.segments.Segments`.

Every kernel takes ``values`` of shape ``(N, ...)`` and the ``index`` and ``lengths``
of consecutive, non-empty segments. Torch has several operations that reduce such
segments; which of them is fastest depends on the width, so the choice is made here,
by measurement (one CPU thread), and nowhere else:

* sums: ``index_add`` is never far from the best and can be differentiated any number
  of times;
* maxima of a few columns: ``segment_reduce``. It walks wide rows with a stride, which
  makes it four to ten times slower than ``scatter_reduce`` from about eight columns on;
  but the gradient of ``scatter_reduce`` is slower still, hence a gradient of our own;
* weighted sums of few segments: one matrix product with the weights laid out by
  segment. That multiplies many zeros, and is still the fastest up to a few dozen;
* weighted sums of large matrices: ``embedding_bag``, which never stores the weighted
  rows. Its own gradient sorts the indices it was given; ours does not.

A single-precision sum of 100,000 numbers, one after the other, is off by 1e-5. Bags
above :data:`LONG` instances are therefore added up in pieces, and the pieces then.

On CUDA the choice falls on operations without atomic additions, so that results repeat.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

__all__ = [
    "LONG",
    "PIECE",
    "segment_broadcast",
    "segment_max",
    "segment_sum",
    "segment_weighted_sum",
    "weighted_sum_by_piece",
]

LONG, PIECE = 1 << 14, 1 << 10
"""Instances of a bag that are added up in pieces, and those of a piece."""

# Below these sizes an operation costs its overhead, and native ones have less of it.
_NARROW = 4
_FEW = 1 << 15
_FEW_SEGMENTS = 24
_MANY = 1 << 18


def segment_broadcast(rows: Tensor, index: Tensor) -> Tensor:
    """Repeat the row of each segment for all of its members."""
    if rows.is_cuda:
        # The gradient of advanced indexing sorts; that of index_select adds atomically.
        return rows[index]
    return rows.index_select(0, index)


def segment_sum(values: Tensor, index: Tensor, lengths: Tensor) -> Tensor:
    """Add up the members of each segment."""
    if values.is_cuda:
        return torch.segment_reduce(values, "sum", lengths=lengths, unsafe=True)
    zeros = values.new_zeros((lengths.shape[0], *values.shape[1:]))
    return zeros.index_add(0, index, values)


def segment_max(values: Tensor, index: Tensor, lengths: Tensor) -> Tensor:
    """Take the maximum of each segment and column; ties share the gradient evenly."""
    on_cpu = values.device.type == "cpu"
    narrow = values[0].numel() <= _NARROW or values.numel() < _FEW
    if values.is_cuda or (on_cpu and narrow):
        return torch.segment_reduce(values, "max", lengths=lengths, unsafe=True)
    return _Max.apply(values, index, lengths.shape[0])


def segment_weighted_sum(
    values: Tensor, weights: Tensor, index: Tensor, lengths: Tensor
) -> Tensor:
    """Add up the members of each segment, each row times its weight."""
    on_cpu = values.device.type == "cpu"
    if on_cpu and values.ndim == 2 and lengths.shape[0] <= _FEW_SEGMENTS:
        return _block_weights(weights, index, lengths.shape[0]) @ values
    large = values.ndim == 2 and values.numel() >= _MANY
    if large and on_cpu and values.dtype == torch.float32:
        return _WeightedSum.apply(values, weights, index, lengths)
    scale = weights.reshape(-1, *[1] * (values.ndim - 1))
    return segment_sum(values * scale, index, lengths)


def weighted_sum_by_piece(values: Tensor, weights: Tensor, sizes: list[int]) -> Tensor:
    """Add up the members of segments of these sizes, one by one and in pieces."""
    out: Tensor = _SumByPiece.apply(values, weights, sizes)
    return out


def _weighted_row(rows: Tensor, scale: Tensor) -> Tensor:
    """Return the weighted sum (1, D) of rows (n, D)."""
    whole = rows.shape[0] // PIECE
    cut = [whole * PIECE, rows.shape[0] - whole * PIECE]
    (body, tail), (heavy, light) = rows.split(cut), scale.split(cut)
    shape = (whole, PIECE, rows.shape[1])
    parts = torch.bmm(heavy.reshape(whole, 1, PIECE), body.reshape(shape))
    return parts.sum(0) + light.unsqueeze(0) @ tail


def _block_weights(weights: Tensor, index: Tensor, n_segments: int) -> Tensor:
    """Return a matrix (B, N) that holds each weight in the row of its segment."""
    places = torch.arange(index.shape[0], device=index.device)
    blank = weights.new_zeros(n_segments, index.shape[0])
    return blank.index_put((index, places), weights)


class _Max(Function):
    """Maximum by scattering, with the gradient of ``torch.amax``."""

    @staticmethod
    def forward(values: Tensor, index: Tensor, n_segments: int) -> Tensor:
        """Scatter the members onto minus infinity."""
        shape = (n_segments, *values.shape[1:])
        lowest = values.new_full(shape, -torch.inf)
        rows = index.reshape(-1, *[1] * (values.ndim - 1)).expand_as(values)
        return lowest.scatter_reduce_(0, rows, values, "amax")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what tells which members attained the maximum."""
        values, index, _ = inputs
        ctx.save_for_backward(values, index, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Split the gradient among the members that attained the maximum."""
        values, index, top = ctx.saved_tensors
        hit = values == segment_broadcast(top, index)
        # As many hits as maxima: no ties, the common case, nothing to divide.
        if int(torch.count_nonzero(hit)) != top.numel():
            count = torch.zeros_like(top).index_add_(0, index, hit.to(top.dtype))
            grad = grad / count
        spread = segment_broadcast(grad, index)
        return torch.where(hit, spread, spread.new_zeros(())), None, None


class _WeightedSum(Function):
    """Weighted sum that keeps no weighted copy of the values."""

    @staticmethod
    def forward(
        values: Tensor, weights: Tensor, index: Tensor, lengths: Tensor
    ) -> Tensor:
        """Read the rows as an embedding table, each once and in order."""
        rows = torch.arange(values.shape[0], device=values.device)
        starts = lengths.cumsum(0) - lengths
        mode = 0  # sum
        bags = torch.embedding_bag(values, rows, starts, False, mode, False, weights)
        return bags[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep both factors."""
        values, weights, index, _ = inputs
        ctx.save_for_backward(values, weights, index)

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Product rule, row by row."""
        values, weights, index = ctx.saved_tensors
        spread = segment_broadcast(grad, index)
        to_weights = (spread * values).sum(1) if ctx.needs_input_grad[1] else None
        to_values = spread * weights.unsqueeze(1) if ctx.needs_input_grad[0] else None
        return to_values, to_weights, None, None


class _SumByPiece(Function):
    """Weighted sums one by one; gradients that are not put together from pieces."""

    @staticmethod
    def forward(values: Tensor, weights: Tensor, sizes: list[int]) -> Tensor:
        """Add up each segment."""
        pairs = zip(values.split(sizes), weights.split(sizes), strict=True)
        return torch.cat([_weighted_row(rows, scale) for rows, scale in pairs])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep both factors."""
        values, weights, ctx.sizes = inputs
        ctx.save_for_backward(values, weights)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Product rule, segment by segment."""
        values, weights = ctx.saved_tensors
        to_values = to_weights = None
        if ctx.needs_input_grad[0]:
            scales = weights.split(ctx.sizes)
            to_values = _joined(
                [torch.outer(*pair) for pair in zip(scales, grad, strict=True)]
            )
        if ctx.needs_input_grad[1]:
            rows = values.split(ctx.sizes)
            to_weights = _joined([part @ g for part, g in zip(rows, grad, strict=True)])
        return to_values, to_weights, None


def _joined(parts: list[Tensor]) -> Tensor:
    """Put parts together; a single one, of a whole slide say, is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)
