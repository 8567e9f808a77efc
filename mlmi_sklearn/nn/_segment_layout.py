"""Where the bags of a flat batch lie: the part of `Segments` that reduces nothing."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from ._segment_ops import LONG, PIECE, segment_broadcast

__all__ = ["SegmentLayout"]


class SegmentLayout:
    """Consecutive, non-empty bags: their places, and moves between forms.

    Parameters
    ----------
    lengths : Tensor of shape (B,), dtype int64, or sequence of int
        Number of instances of each bag, at least 1.
    offsets, index : Tensor, default=None
        What `Segments` describes under these names, if it is known already.
    on_host : Tensor of shape (B,), dtype int64, default=None
        The same lengths on the CPU.
    check : bool, default=True
        Check `lengths`.
    """

    def __init__(
        self,
        lengths: Any,
        *,
        offsets: Tensor | None = None,
        index: Tensor | None = None,
        on_host: Tensor | None = None,
        check: bool = True,
    ) -> None:
        self.lengths: Tensor = torch.as_tensor(lengths)
        if check:
            self._check_lengths()
        # Whatever is stored under the name of a cached property replaces it.
        if offsets is not None:
            self.__dict__["offsets"] = offsets
        if on_host is not None:
            self.__dict__["on_host"] = on_host
        if index is not None:
            self.__dict__["index"] = index
            self.__dict__["n_values"] = index.shape[0]

    def _check_lengths(self) -> None:
        """Refuse lengths that do not describe bags; note their sum and maximum."""
        lengths = self.lengths
        if lengths.ndim != 1 or lengths.shape[0] == 0:
            raise ValueError(
                "lengths must be one-dimensional with one entry a bag and at least one "
                f"bag, got shape {tuple(lengths.shape)}."
            )
        if lengths.is_floating_point() or lengths.dtype == torch.bool:
            raise ValueError(
                f"lengths must be integers, got {lengths.dtype}; convert with .long()."
            )
        self.lengths = lengths.long()
        on_host = self.on_host
        shortest, longest = on_host.aminmax()
        if shortest < 1:
            where = int(on_host.argmin())
            raise ValueError(
                f"lengths must be at least 1, but bag {where} has length "
                f"{int(shortest)}; drop empty bags before batching."
            )
        self.__dict__["longest"] = int(longest)
        self.__dict__["n_values"] = int(on_host.sum())

    @classmethod
    def from_host(cls, lengths: Tensor, device: torch.device) -> Self:
        """Make segments on a device from lengths on the CPU, without waiting for it.

        Parameters
        ----------
        lengths : Tensor of shape (B,), dtype int64
            On the CPU, each at least 1; not checked.
        device : torch.device
            Where values will be.

        Returns
        -------
        Segments
            The bags.

        Examples
        --------
        >>> SegmentLayout.from_host(torch.tensor([2, 1]), torch.device("cpu"))
        SegmentLayout(n_segments=2, n_values=3)
        """
        moved = lengths.to(device, non_blocking=True)
        return cls(moved, on_host=lengths, check=False)

    # -- what is derived from the lengths ------------------------------------------

    @cached_property
    def on_host(self) -> Tensor:
        """The lengths on the CPU, where Python can read them without waiting."""
        return self.lengths.cpu()

    @property
    def n_segments(self) -> int:
        """Number of bags."""
        return self.lengths.shape[0]

    @cached_property
    def n_values(self) -> int:
        """Number of instances in all bags."""
        return int(self.on_host.sum())

    @cached_property
    def longest(self) -> int:
        """Size of the largest bag."""
        return int(self.on_host.max())

    @cached_property
    def offsets(self) -> Tensor:
        """Start of each bag, and the total at the end."""
        offsets = self.lengths.new_zeros(self.n_segments + 1)
        torch.cumsum(self.lengths, 0, out=offsets[1:])
        return offsets

    @cached_property
    def index(self) -> Tensor:
        """Bag of each instance."""
        return torch.repeat_interleave(self.lengths, output_size=self.n_values)

    @cached_property
    def is_plain(self) -> bool:
        """Whether every bag holds exactly one instance."""
        return self.n_values == self.n_segments

    @cached_property
    def is_even(self) -> bool:
        """Whether all bags are of the same size."""
        return self.n_values == self.n_segments * self.longest

    @cached_property
    def is_long(self) -> bool:
        """Whether some bag is so long that its sums are made in pieces; on CPUs."""
        if self.lengths.is_cuda or self.n_values <= LONG:
            return False
        return self.longest > LONG

    @cached_property
    def _pieces(self) -> tuple[Self, Self]:
        """Bags cut into pieces, and the bags of those pieces."""
        counts = (self.lengths + (PIECE - 1)) // PIECE
        ends = counts.cumsum(0)
        sizes = self.lengths.new_full((int(ends[-1]),), PIECE)
        sizes[ends - 1] = self.lengths - (counts - 1) * PIECE
        kind = type(self)
        return kind(sizes, check=False), kind(counts, check=False)

    @cached_property
    def outside(self) -> Tensor:
        """Matrix (B, N), float32: minus infinity outside of each bag, else zero.

        Added to scores, it makes a bag a row of a matrix. Meant for few bags: the
        matrix holds B times as many numbers as there are instances.
        """
        rows = torch.arange(self.n_segments, device=self.lengths.device)
        apart = self.index != rows.unsqueeze(1)
        zeros = torch.zeros(apart.shape, device=apart.device)
        return zeros.masked_fill_(apart, -torch.inf)

    @cached_property
    def _slots(self) -> Tensor:
        """Row of each instance in the flattened padded batch."""
        rows = torch.arange(self.n_values, device=self.lengths.device)
        starts = torch.arange(self.n_segments, device=rows.device) * self.longest
        return rows + (starts - self.offsets[:-1]).index_select(0, self.index)

    # -- between bags and instances ------------------------------------------------

    def broadcast(self, rows: Tensor) -> Tensor:
        """Repeat the row of each bag for all of its instances.

        Parameters
        ----------
        rows : Tensor of shape (B, ...)
            One row a bag.

        Returns
        -------
        Tensor of shape (N, ...)
            One row an instance.

        Raises
        ------
        ValueError
            If there is not one row a bag.

        Examples
        --------
        >>> SegmentLayout([2, 1]).broadcast(torch.tensor([4., 7.]))
        tensor([4., 4., 7.])
        """
        if rows.shape[0] != self.n_segments:
            raise ValueError(
                f"rows must have one row a bag ({self.n_segments}), got shape "
                f"{tuple(rows.shape)}."
            )
        return segment_broadcast(rows, self.index)

    def to_padded(self, values: Tensor, fill: float = 0.0) -> tuple[Tensor, Tensor]:
        """Pad all bags to the size of the largest.

        Parameters
        ----------
        values : Tensor of shape (N, ...)
            One row an instance.
        fill : float, default=0.0
            What stands where a bag has no instance.

        Returns
        -------
        padded : Tensor of shape (B, M, ...)
            ``M`` is the size of the largest bag.
        mask : Tensor of shape (B, M), dtype bool
            True where there is an instance, so ``padded[mask]`` is `values` again.

        Examples
        --------
        >>> padded, mask = SegmentLayout([2, 1]).to_padded(torch.tensor([1., 2., 3.]))
        >>> padded
        tensor([[1., 2.],
                [3., 0.]])
        >>> mask
        tensor([[ True,  True],
                [ True, False]])
        """
        self._check_rows(values)
        size, rest = (self.n_segments, self.longest), values.shape[1:]
        places = torch.arange(self.longest, device=self.lengths.device)
        mask = places < self.lengths.unsqueeze(1)
        if self.is_even:
            return self._stacked(values), mask
        empty = values.new_full((size[0] * size[1], *rest), fill)
        return empty.index_copy(0, self._slots, values).reshape(*size, *rest), mask

    def from_padded(self, padded: Tensor) -> Tensor:
        """Take the instances out of a padded batch: the inverse of `to_padded`.

        Parameters
        ----------
        padded : Tensor of shape (B, M, ...)
            ``M`` is the size of the largest bag.

        Returns
        -------
        Tensor of shape (N, ...)
            One row an instance.

        Examples
        --------
        >>> SegmentLayout([2, 1]).from_padded(torch.tensor([[1., 2.], [3., 0.]]))
        tensor([1., 2., 3.])
        """
        rows = padded.flatten(0, 1)
        return rows if self.is_even else rows.index_select(0, self._slots)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Move to a device.

        Parameters
        ----------
        device : torch.device or str
            Where to.
        non_blocking : bool, default=False
            As in :meth:`torch.Tensor.to`.

        Returns
        -------
        Segments
            Itself when it is there already.

        Examples
        --------
        >>> bags = SegmentLayout([2, 1])
        >>> bags.to("cpu") is bags
        True
        """
        lengths = self.lengths.to(device, non_blocking=non_blocking)
        if lengths is self.lengths:
            return self
        moved = type(self)(lengths, check=False)
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor) and name != "on_host":
                value = value.to(device, non_blocking=non_blocking)
            moved.__dict__[name] = value
        return moved

    # -- helpers -------------------------------------------------------------------

    def _check_rows(self, values: Tensor) -> None:
        """Refuse values that do not belong to these bags."""
        # The kernels read memory by the offsets: a wrong count must not reach them.
        if values.ndim == 0 or values.shape[0] != self.n_values:
            raise ValueError(
                f"values must have one row an instance ({self.n_values} in "
                f"{self.n_segments} bags), got shape {tuple(values.shape)}."
            )

    def _wide(self, values: Tensor) -> Tensor:
        """Check the values and widen half precision, in which sums lose digits."""
        self._check_rows(values)
        return values.float() if values.dtype.itemsize < 4 else values

    def _stacked(self, values: Tensor) -> Tensor:
        """View the values of bags of one size as (B, M, ...)."""
        return values.reshape(self.n_segments, self.longest, *values.shape[1:])

    def __len__(self) -> int:
        return self.n_segments

    def __repr__(self) -> str:
        name, sizes = type(self).__name__, (self.n_segments, self.n_values)
        return "{}(n_segments={}, n_values={})".format(name, *sizes)
