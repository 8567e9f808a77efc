"""Bags of different size as tensors, without padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from ..nn.segments import Segments

__all__ = ["InstanceSampler", "RaggedRows", "RaggedTensor", "SampledBags"]

InstanceSampler = Callable[[int], "Tensor | None"]
"""Size of a bag -> positions of the instances to keep, ascending; None for all."""


class RaggedTensor:
    """Bags of different size as one flat tensor of instances.

    Parameters
    ----------
    values : Tensor of shape (n_instances, ...)
        The instances of all bags, bag after bag.
    lengths : Tensor of shape (n_bags,), int64
        Instances in each bag, each at least 1. Kept on the CPU: slicing a batch
        must not wait for an accelerator.
    offsets : list of int or None, default=None
        Where each bag begins, and the end: ``n_bags + 1`` numbers. None counts them.
    fields : dict of str to Tensor of shape (n_instances, ...) or None, default=None
        What else is known of the instances, such as their labels; follows them.

    Notes
    -----
    Nothing is padded, so the answer for a bag cannot depend on its companions.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.training import RaggedTensor
    >>> bags = RaggedTensor(torch.arange(6.0)[:, None], torch.tensor([1, 3, 2]))
    >>> bags.take(torch.tensor([2, 0])).values.ravel()
    tensor([4., 5., 0.])
    >>> bags.segments.max(bags.values).ravel()
    tensor([0., 3., 5.])
    """

    __slots__ = ("_segments", "fields", "lengths", "offsets", "values")

    def __init__(
        self,
        values: Tensor,
        lengths: Tensor,
        offsets: list[int] | None = None,
        fields: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.values = values
        self.lengths = lengths
        if offsets is None:
            offsets = [0, *lengths.cumsum(0).tolist()]
        self.offsets = offsets
        self.fields = fields or {}
        self._segments: Segments | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def segments(self) -> Segments:
        """The bag structure, on the device of the values."""
        if self._segments is None:
            lengths = self.lengths.to(self.values.device, non_blocking=True)
            n = self.offsets[-1]
            index = torch.repeat_interleave(lengths, output_size=n)
            # Lengths were checked when the bags were; a batch need not check again.
            self._segments = Segments(
                lengths, index=index, on_host=self.lengths, check=False
            )
        return self._segments

    def take(self, index: Tensor) -> RaggedTensor:
        """Gather whole bags, in the order of ``index``.

        Parameters
        ----------
        index : Tensor of shape (m,), int64
            Positions of bags.

        Returns
        -------
        RaggedTensor
            The gathered bags, a copy.
        """
        index = index.cpu()
        lengths = self.lengths[index]
        ends = lengths.cumsum(0)
        starts = torch.as_tensor(self.offsets)[index]
        # Instance j of the new bag i sits at starts[i] + j in the old store.
        shift = torch.repeat_interleave(starts - (ends - lengths), lengths)
        rows = torch.arange(shift.shape[0]) + shift
        return self._rows(rows, lengths, [0, *ends.tolist()])

    def narrow(self, start: int, stop: int) -> RaggedTensor:
        """Return bags ``start`` to ``stop`` without copying instances.

        Parameters
        ----------
        start, stop : int
            First bag, and the one after the last.

        Returns
        -------
        RaggedTensor
            Views of the instances.
        """
        first, last = self.offsets[start], self.offsets[stop]
        offsets = [o - first for o in self.offsets[start : stop + 1]]
        fields = {name: field[first:last] for name, field in self.fields.items()}
        values = self.values[first:last]
        return RaggedTensor(values, self.lengths[start:stop], offsets, fields)

    def sampled(self, start: int, stop: int, sample: InstanceSampler) -> RaggedTensor:
        """Return bags ``start`` to ``stop`` with a part of their instances.

        Parameters
        ----------
        start, stop : int
            First bag, and the one after the last.
        sample : callable
            Size of a bag -> positions of the instances to keep, ascending; None for
            all.

        Returns
        -------
        RaggedTensor
            The bags, with the instances that were chosen.
        """
        batch = self.narrow(start, stop)
        kept = [sample(n) for n in batch.lengths.tolist()]
        return batch if all(k is None for k in kept) else batch.pick(kept)

    def pick(self, kept: list[Tensor | None]) -> RaggedTensor:
        """Keep the instances at given positions of each bag; None keeps all.

        Parameters
        ----------
        kept : list of (Tensor of shape (m,), int64, or None)
            For each bag the positions in it, ascending.

        Returns
        -------
        RaggedTensor
            As many bags, with those instances.
        """
        parts = [
            torch.arange(begin, end) if rows is None else rows + begin
            for rows, begin, end in zip(
                kept, self.offsets[:-1], self.offsets[1:], strict=True
            )
        ]
        lengths = torch.tensor([len(part) for part in parts])
        return self._rows(torch.cat(parts), lengths, None)

    def to(self, device: torch.device) -> RaggedTensor:
        """Move the instances to ``device``; the lengths stay on the CPU.

        Parameters
        ----------
        device : torch.device
            Where to.

        Returns
        -------
        RaggedTensor
            The bags there.
        """
        values = self.values.to(device, non_blocking=True)
        fields = {
            name: field.to(device, non_blocking=True)
            for name, field in self.fields.items()
        }
        return RaggedTensor(values, self.lengths, self.offsets, fields)

    @property
    def nbytes(self) -> int:
        """Size of the instances in bytes."""
        return self.values.numel() * self.values.element_size()

    def _rows(
        self, rows: Tensor, lengths: Tensor, offsets: list[int] | None
    ) -> RaggedTensor:
        """Gather instances that form bags of the given sizes."""
        rows = rows.to(self.values.device, non_blocking=True)
        values = self.values.index_select(0, rows)
        fields = {name: field[rows] for name, field in self.fields.items()}
        return RaggedTensor(values, lengths, offsets, fields)


class RaggedRows(Protocol):
    """Bags in memory or on disk that can be read in part."""

    def __len__(self) -> int:
        """Return the number of bags."""

    def take(self, index: Tensor) -> RaggedRows:
        """Select bags."""

    def sampled(self, start: int, stop: int, sample: InstanceSampler) -> RaggedTensor:
        """Read a part of the instances of some bags."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""


class SampledBags:
    """Bags of which each batch sees a new part.

    Parameters
    ----------
    bags : RaggedRows
        All instances.
    sample : callable
        Chooses instances of a bag.
    """

    def __init__(self, bags: RaggedRows, sample: InstanceSampler) -> None:
        self.bags = bags
        self.sample = sample

    def __len__(self) -> int:
        return len(self.bags)

    def take(self, index: Tensor) -> SampledBags:
        """Gather whole bags, in the order of ``index``."""
        return SampledBags(self.bags.take(index), self.sample)

    def narrow(self, start: int, stop: int) -> RaggedTensor:
        """Return a part of bags ``start`` to ``stop``."""
        return self.bags.sampled(start, stop, self.sample)

    def to(self, device: torch.device) -> SampledBags:
        """Return the bags as they are: batches move one by one."""
        return self

    @property
    def nbytes(self) -> int:
        """Size of the instances in bytes."""
        return self.bags.nbytes
