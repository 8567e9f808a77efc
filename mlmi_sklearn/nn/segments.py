"""Reductions over ragged bags without padding.

A batch of bags is one tensor ``values`` that holds the instances of all bags, bag
after bag, and a :class:`Segments` that says where each bag starts. Nothing is padded,
so no padding can leak into a result and no time goes into rows that do not exist.

A training loop makes one `Segments` a batch. Construction therefore only checks the
lengths; everything else (``offsets``, ``index``, ...) is made when first needed, kept,
and can be handed in by a caller who has it already.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ._segment_layout import SegmentLayout
from ._segment_ops import (
    segment_broadcast,
    segment_max,
    segment_sum,
    segment_weighted_sum,
    weighted_sum_by_piece,
)
from ._segment_order import largest_rows

__all__ = ["SegmentTopK", "Segments"]


class SegmentTopK(NamedTuple):
    """The largest values of every bag: again ragged, so again with segments.

    Parameters
    ----------
    values : Tensor of shape (T,) or (T, D)
        The kept values, bag after bag, largest first.
    indices : Tensor of shape (T,) or (T, D), dtype int64
        The rows they came from.
    segments : Segments
        How many were kept of each bag; they sum to ``T``.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.nn.segments import Segments, SegmentTopK
    >>> top = Segments([3, 1]).topk(torch.tensor([5.0, 9.0, 7.0, 1.0]), 2)
    >>> isinstance(top, SegmentTopK), top.values, top.indices
    (True, tensor([9., 7., 1.]), tensor([1, 2, 3]))
    """

    values: Tensor
    indices: Tensor
    segments: Segments


class Segments(SegmentLayout):
    """Consecutive, non-empty bags in a flat tensor of instances.

    Parameters
    ----------
    lengths : Tensor of shape (B,), dtype int64, or sequence of int
        Number of instances of each bag, at least 1.
    offsets : Tensor of shape (B + 1,), dtype int64, default=None
        Where each bag starts, and the total; made from `lengths` when needed.
    index : Tensor of shape (N,), dtype int64, default=None
        Bag of each instance; made from `lengths` when needed.
    on_host : Tensor of shape (B,), dtype int64, default=None
        The same lengths on the CPU; copied from `lengths` when needed, for which the
        processor waits for an accelerator.
    check : bool, default=True
        Check `lengths`. A caller who built them may save the few microseconds, and on
        an accelerator the wait for the device.

    Attributes
    ----------
    lengths, offsets, index, on_host : Tensor
        As above.
    n_segments, n_values : int
        ``B`` and ``N``.
    longest : int
        Size of the largest bag.
    is_plain : bool
        Whether every bag holds exactly one instance.
    is_even : bool
        Whether all bags are of the same size.

    Raises
    ------
    ValueError
        If `lengths` is not a one-dimensional, non-empty tensor of positive integers.

    Notes
    -----
    Every reduction takes ``values`` of shape ``(N,)``, ``(N, D)`` or more dimensions,
    of any floating type and on the device of `lengths`, and reduces the first one. Half
    precision is summed in single precision. Gradients flow through all of them, and on
    a CPU those of everything but :meth:`max` can be differentiated again.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.nn.segments import Segments
    >>> bags = Segments(torch.tensor([2, 1, 3]))
    >>> values = torch.tensor([1., 5., 2., 0., 7., 3.])
    >>> bags.max(values)
    tensor([5., 2., 7.])
    >>> bags.sum(values)
    tensor([ 6.,  2., 10.])
    >>> bags.broadcast(torch.tensor([10., 20., 30.]))
    tensor([10., 10., 20., 30., 30., 30.])
    """

    def sum(self, values: Tensor) -> Tensor:
        """Add up the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            One row an instance.

        Returns
        -------
        Tensor of shape (B, ...)
            One row a bag.

        Raises
        ------
        ValueError
            If the number of rows is not the sum of the lengths.

        Examples
        --------
        >>> Segments([2, 1]).sum(torch.tensor([[1., 2.], [3., 4.], [5., 6.]]))
        tensor([[4., 6.],
                [5., 6.]])
        """
        wide = self._wide(values)
        if self.is_plain:
            return values
        if self.is_even:
            return self._stacked(wide).sum(1).to(values.dtype)
        return self._sum(wide).to(values.dtype)

    def mean(self, values: Tensor) -> Tensor:
        """Average the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            One row an instance.

        Returns
        -------
        Tensor of shape (B, ...)
            One row a bag.

        Examples
        --------
        >>> Segments([2, 1]).mean(torch.tensor([1., 3., 5.]))
        tensor([2., 5.])
        """
        wide = self._wide(values)
        if self.is_plain:
            return values
        if self.is_even:
            return self._stacked(wide).mean(1).to(values.dtype)
        total = self._sum(wide)
        size = self.lengths.reshape(-1, *[1] * (values.ndim - 1))
        return (total / size).to(values.dtype)

    def weighted_sum(self, values: Tensor, weights: Tensor) -> Tensor:
        """Add up the values of each bag, every instance times its weight.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            One row an instance.
        weights : Tensor of shape (N,)
            One weight an instance.

        Returns
        -------
        Tensor of shape (B, ...)
            One row a bag. Equal to ``sum(weights[:, None] * values)``, and cheaper for
            large `values`.

        Examples
        --------
        >>> weights = torch.tensor([0.5, 0.5, 1.0])
        >>> Segments([2, 1]).weighted_sum(torch.tensor([1., 3., 5.]), weights)
        tensor([2., 5.])
        """
        wide, scale = self._wide(values), self._wide(weights)
        if self.is_long and values.ndim == 2:
            out = weighted_sum_by_piece(wide, scale, self.lengths.tolist())
        elif self.is_long:
            out = self._sum(wide * scale.reshape(-1, *[1] * (values.ndim - 1)))
        elif self.is_even and values.ndim == 2:
            factors = scale.reshape(self.n_segments, 1, -1)
            out = torch.bmm(factors, self._stacked(wide)).squeeze(1)
        else:
            out = segment_weighted_sum(wide, scale, self.index, self.lengths)
        return out.to(values.dtype)

    def max(self, values: Tensor) -> Tensor:
        """Take the maximum of each bag and column.

        The result equals the largest element bit for bit. Members that tie for the
        maximum share its gradient evenly, as in :func:`torch.amax`, so gradients do not
        depend on the order of the instances.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            One row an instance.

        Returns
        -------
        Tensor of shape (B, ...)
            One row a bag; NaN where a bag holds NaN.

        Examples
        --------
        >>> Segments([2, 1]).max(torch.tensor([[1., 9.], [3., 4.], [5., 6.]]))
        tensor([[3., 9.],
                [5., 6.]])
        """
        self._check_rows(values)
        if self.is_plain:
            return values
        if self.is_even:
            return self._stacked(values).amax(1)
        return segment_max(values, self.index, self.lengths)

    def argmax(self, values: Tensor) -> Tensor:
        """Find the first row of each bag that attains the maximum.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            One row an instance, without NaN.

        Returns
        -------
        Tensor of shape (B, ...), dtype int64
            Rows of `values`.

        Examples
        --------
        >>> Segments([2, 3]).argmax(torch.tensor([1., 2., 7., 0., 7.]))
        tensor([1, 2])
        """
        self._check_rows(values)
        if self.is_even:
            starts = self.offsets[:-1].reshape(-1, *[1] * (values.ndim - 1))
            return self._stacked(values.detach()).argmax(1) + starts
        hit = values.detach() == self.broadcast(self.max(values.detach()))
        rows = torch.arange(self.n_values, device=values.device)
        shape = (-1, *[1] * (values.ndim - 1))
        candidates = rows.reshape(shape).where(hit, self.n_values)
        first = candidates.new_full((self.n_segments, *values.shape[1:]), self.n_values)
        index = self.index.reshape(shape).expand_as(candidates)
        return first.scatter_reduce(0, index, candidates, "amin")

    def softmax(self, values: Tensor) -> Tensor:
        """Normalise exponentials within each bag and column.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            Logits of the instances.

        Returns
        -------
        Tensor of shape (N, ...)
            Non-negative, summing to 1 over each bag.

        Examples
        --------
        >>> Segments([2, 1]).softmax(torch.tensor([0., 0., 8.]))
        tensor([0.5000, 0.5000, 1.0000])
        """
        wide = self._wide(values)
        if self.is_even and not self.is_long:
            out = self._stacked(wide).softmax(1).reshape(values.shape)
            return out.to(values.dtype)
        index, lengths = self.index, self.lengths
        peak = segment_max(wide.detach(), index, lengths)
        power = (wide - segment_broadcast(peak, index)).exp()
        total = self._sum(power)
        return (power / segment_broadcast(total, index)).to(values.dtype)

    def logsumexp(self, values: Tensor) -> Tensor:
        """Take the logarithm of the sum of exponentials of each bag and column.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            Logits of the instances.

        Returns
        -------
        Tensor of shape (B, ...)
            One row a bag.

        Examples
        --------
        >>> Segments([2, 1]).logsumexp(torch.tensor([0., 0., 1000.]))
        tensor([6.9315e-01, 1.0000e+03])
        """
        wide = self._wide(values)
        if self.is_even:
            return self._stacked(wide).logsumexp(1).to(values.dtype)
        index, lengths = self.index, self.lengths
        peak = segment_max(wide.detach(), index, lengths)
        # An infinite peak must not be subtracted from itself.
        peak = peak.masked_fill(peak.isinf(), 0.0)
        power = (wide - segment_broadcast(peak, index)).exp()
        return (self._sum(power).log() + peak).to(values.dtype)

    def topk(self, values: Tensor, k: int | Tensor) -> SegmentTopK:
        """Keep the `k` largest values of each bag and column.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            One row an instance.
        k : int or Tensor of shape (B,), dtype int64
            How many to keep, at least 1; a smaller bag is kept whole. Numbers are
            wanted on the CPU: for those on an accelerator the processor waits.

        Returns
        -------
        SegmentTopK
            ``values`` and ``indices`` of the kept entries, largest first within a bag,
            and the ``segments`` to reduce them with. Which of several equal values is
            kept is not specified.

        Raises
        ------
        ValueError
            If `k` is not an integer of at least 1.

        Examples
        --------
        >>> top = Segments([3, 1]).topk(torch.tensor([1., 3., 2., 9.]), k=2)
        >>> top.values, top.indices
        (tensor([3., 2., 9.]), tensor([1, 2, 3]))
        >>> top.segments.mean(top.values)
        tensor([2.5000, 9.0000])
        """
        self._check_rows(values)
        wanted = torch.as_tensor(k, device="cpu")
        if wanted.is_floating_point() or bool((wanted < 1).any()):
            raise ValueError(f"k must be a positive integer or one a bag, got {k}.")
        sizes = torch.minimum(self.on_host, wanted)
        kept = Segments.from_host(sizes, self.lengths.device)
        flat = values.detach().reshape(self.n_values, -1)
        rows = largest_rows(flat, self.on_host, sizes)
        indices = rows.reshape(-1, *values.shape[1:])
        return SegmentTopK(values.gather(0, indices), indices, kept)

    def _sum(self, values: Tensor) -> Tensor:
        """Add up the values of each bag of any size, those of long bags in pieces."""
        if not self.is_long:
            return segment_sum(values, self.index, self.lengths)
        pieces, bags = self._pieces
        return bags._sum(pieces._sum(values))
