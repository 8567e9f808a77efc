"""Rows on disk or elsewhere, read batch by batch.

Where single rows can be read (memory maps, map-style data sets), batches hold the very
rows they would hold if all were in memory, so that the model is the same. Where data
comes in blocks (dask, Parquet) or only from front to back (iterable data sets), blocks
are visited in a new order each epoch, and rows shuffled among those of a buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .data import Batch, Targets

__all__ = ["BUFFER_BYTES", "BlockRows", "Recodes", "RowSource", "StreamRows"]

Array = NDArray[Any]

# Rows that wait in the shuffle buffer; putting them in order takes twice as much.
BUFFER_BYTES = 4 * 2**20
# Rows that are read one by one must never be gathered as a whole.
_UNGATHERABLE = 2**62


class RowSource(Protocol):
    """What :class:`~mlmi_sklearn.Stream` offers to the training loop."""

    buffer_size: int | None

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, rows: Any) -> RowSource:
        """Select rows without reading them."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a sample."""

    def read(self, rows: Array) -> Array:
        """Read single rows."""

    def blocks(
        self, order: Callable[[int], Array] | None = None
    ) -> Iterator[tuple[Array, Array, Array | None]]:
        """Read everything once."""


class Recodes(Protocol):
    """Encodes targets that come along with each pass."""

    def __call__(self, rows: Array, y: Array) -> Targets | None:
        """Return targets; None where they stand at the same rows as in the first."""

    def select(self, rows: Array) -> Recodes:
        """Return the same for some of the rows."""


class StreamRows:
    """Rows of which any can be read.

    Parameters
    ----------
    source : Stream
        Where they are.
    dtype : torch.dtype
        Type of the batches.
    device : torch.device, default=None
        Where batches go; None for the CPU.
    """

    def __init__(
        self, source: RowSource, dtype: torch.dtype, device: torch.device | None = None
    ) -> None:
        self.source = source
        self.dtype = dtype
        self.device = device or torch.device("cpu")

    def __len__(self) -> int:
        return len(self.source)

    def take(self, index: Tensor) -> StreamRows:
        """Select rows, in the order of ``index``; reads nothing."""
        chosen = self.source[index.cpu().numpy()]
        return StreamRows(chosen, self.dtype, self.device)

    def narrow(self, start: int, stop: int) -> Tensor:
        """Read rows ``start`` to ``stop``."""
        return self._tensor(self.source.read(np.arange(start, stop)))

    def to(self, device: torch.device) -> StreamRows:
        """Send batches to ``device``."""
        return StreamRows(self.source, self.dtype, device)

    @property
    def nbytes(self) -> int:
        """More than any memory, so that nobody gathers all rows."""
        return _UNGATHERABLE

    def _tensor(self, values: Array) -> Tensor:
        """Convert what was read, and check it in passing."""
        if values.dtype.kind not in "fiub":
            raise ValueError(
                f"X has dtype {values.dtype}; a stream must hold numbers. Encode text "
                "and categories with Stream.map."
            )
        wide = self.dtype == torch.float64
        with np.errstate(all="ignore"):
            kept = np.ascontiguousarray(values, np.float64 if wide else np.float32)
            # The sum is finite only if all are, and needs no second array of booleans.
            total = kept.sum(dtype=np.float64)
        if not np.isfinite(total) and not np.isfinite(kept).all():
            if np.isfinite(values).all():
                raise ValueError(
                    "X contains a value too large for float32. Scale it, or pass "
                    "dtype='float64' to the estimator."
                )
            raise ValueError(
                "Input X contains NaN or infinity. Fill it in on the way: "
                "Stream(X).map(imputer.transform)."
            )
        # PyTorch has no read-only tensors, and a memory map may be one.
        kept = kept if kept.flags.writeable else kept.copy()
        return torch.from_numpy(kept).to(self.device)


class BlockRows(StreamRows):
    """Rows that are read block by block.

    Parameters
    ----------
    source : Stream
        Where they are.
    dtype : torch.dtype
        Type of the batches.
    device : torch.device, default=None
        Where batches go; None for the CPU.
    recode : Recodes, default=None
        Encodes targets that come with the data: row numbers and targets -> Targets,
        or None where they are those of these rows in the first pass.
    """

    def __init__(
        self,
        source: RowSource,
        dtype: torch.dtype,
        device: torch.device | None = None,
        recode: Recodes | None = None,
    ) -> None:
        super().__init__(source, dtype, device)
        self.recode = recode

    def take(self, index: Tensor) -> BlockRows:
        """Select rows, in ascending order; reads nothing."""
        rows = index.cpu().numpy()
        recode = None if self.recode is None else self.recode.select(rows)
        return BlockRows(self.source[rows], self.dtype, self.device, recode)

    def narrow(self, start: int, stop: int) -> Tensor:
        """Read rows ``start`` to ``stop``, and skip all others."""
        values = [x for _, x, _ in self.source[slice(start, stop)].blocks()]
        return self._tensor(np.concatenate(values))

    def to(self, device: torch.device) -> BlockRows:
        """Send batches to ``device``."""
        return BlockRows(self.source, self.dtype, device, self.recode)

    def batches(
        self, targets: Targets, sizes: Iterable[int], generator: torch.Generator | None
    ) -> Iterator[Batch]:
        """Make one pass.

        Parameters
        ----------
        targets : Targets
            Those of all rows.
        sizes : iterable of int
            Rows in each batch; the last may turn out smaller.
        generator : torch.Generator or None
            Source of the order; None for the order of the data.

        Yields
        ------
        tuple of (Tensor, Targets)
            One batch.
        """
        wanted = iter(sizes)
        size = next(wanted)
        queue = _Queue(generator)
        keep = 0 if generator is None else self._buffer_size()
        for rows, values, y in self.source.blocks(_order(generator)):
            queue.add(self._tensor(values), self._targets(rows, y, targets))
            if len(queue) < max(size, keep):
                continue
            queue.mix()
            # What stays is mixed with the rows of blocks to come.
            while len(queue) >= max(size, keep // 2):
                yield queue.pop(size)
                size = next(wanted, size)
        queue.mix()
        while len(queue):
            yield queue.pop(min(size, len(queue)))
            size = next(wanted, size)

    def _buffer_size(self) -> int:
        """Return the number of rows that are shuffled together."""
        if self.source.buffer_size is not None:
            return self.source.buffer_size
        elements = int(np.prod(self.source.sample_shape)) or 1
        return max(1, BUFFER_BYTES // (elements * self.dtype.itemsize))

    def _targets(self, rows: Array, y: Array | None, targets: Targets) -> Targets:
        """Return the targets of rows just read."""
        if y is not None and self.recode is not None:
            fresh = self.recode(rows, y)
            if fresh is not None:
                return fresh.to(self.device)
        index = torch.from_numpy(rows)
        first = next((t for t in targets if t is not None), None)
        return targets.take(index if first is None else index.to(first.device))


def _order(generator: torch.Generator | None) -> Callable[[int], Array] | None:
    if generator is None:
        return None
    return lambda count: torch.randperm(count, generator=generator).numpy()


class _Queue:
    """Rows between their blocks and their batches.

    Parameters
    ----------
    generator : torch.Generator or None
        Source of the order; None for first in, first out.
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        self.generator = generator
        self._parts: list[tuple[Tensor, Targets]] = []
        self._start = self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, values: Tensor, targets: Targets) -> None:
        """Append rows."""
        self._parts.append((values, targets))
        self._n += len(values)

    def mix(self) -> None:
        """Join all parts, in a new order."""
        if not self._n:
            return
        (values, targets), *others = self._parts
        start, self._start = self._start, 0
        left = (values[start:], targets.narrow(start, len(values)))
        columns = zip(*((x, *t) for x, t in [left, *others]), strict=True)
        order = None
        if self.generator is not None:
            order = torch.randperm(self._n, generator=self.generator)
        x, *rest = (_join(column, order) for column in columns)
        self._parts = [(x, Targets(*rest))]

    def pop(self, size: int) -> Batch:
        """Take rows from the front; all are in one part since the last mixing."""
        values, targets = self._parts[0]
        start, stop = self._start, self._start + size
        self._start, self._n = stop, self._n - size
        return values[start:stop], targets.narrow(start, stop)


def _join(parts: Iterable[Any], order: Tensor | None) -> Any:
    """Join tensors; ``order`` says where each row goes."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    if order is None:
        return torch.cat(known)
    # Straight to their places: joining first would take as much memory again.
    first = known[0]
    joined = first.new_empty((len(order), *first.shape[1:]))
    places = order.to(first.device).split([len(part) for part in known])
    for place, part in zip(places, known, strict=True):
        joined.index_copy_(0, place, part)
    return joined
