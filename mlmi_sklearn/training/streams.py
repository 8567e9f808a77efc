"""Rows on disk or elsewhere, read batch by batch.

Where single rows can be read (memory maps, map-style data sets), batches hold the very
rows they would hold if all were in memory, so that the model is the same. Where data
comes in blocks (dask, Parquet) or only from front to back (iterable data sets), blocks
are visited in a new order each epoch, and rows shuffled among those of a buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .data import Batch, Targets

__all__ = ["BUFFER_BYTES", "BlockRows", "Recodes", "RowSource", "StreamRows"]

Array = NDArray[Any]

# Rows that wait in the shuffle buffer.
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
            Rows in each shuffled batch; in order, batches are as they are read.
        generator : torch.Generator or None
            Source of the order; None for the order of the data.

        Yields
        ------
        tuple of (Tensor, Targets)
            One batch.
        """
        if generator is None:
            # As they are read: no row has to wait for others.
            for rows, values, y in self.source.blocks():
                yield self._tensor(values), self._targets(rows, y, targets)
            return
        wanted = iter(sizes)
        size = next(wanted)
        keep = self._buffer_size()
        pool = _Pool(generator, keep)
        for rows, values, y in self.source.blocks(_order(generator)):
            pool.add(self._tensor(values), self._targets(rows, y, targets))
            if len(pool) < max(size, keep):
                continue
            pool.mix()
            # What stays is mixed with the rows of blocks to come.
            while len(pool) >= max(size, keep // 2):
                yield pool.pop(size)
                size = next(wanted, size)
        pool.mix()
        while len(pool):
            yield pool.pop(min(size, len(pool)))
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


def _order(generator: torch.Generator) -> Callable[[int], Array]:
    return lambda count: torch.randperm(count, generator=generator).numpy()


class _Pool:
    """Rows between their blocks and their batches.

    They wait in memory that is taken once: pieces and buffers that come and go leave
    holes that the allocator cannot fill, until these hold more than the rows.

    Parameters
    ----------
    generator : torch.Generator
        Source of the order.
    size : int
        Rows to expect.
    """

    def __init__(self, generator: torch.Generator, size: int) -> None:
        self.generator = generator
        self.size = size
        self._columns: list[Tensor | None] = []
        self._waiting = self._free = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, values: Tensor, targets: Targets) -> None:
        """Put rows where there is room."""
        parts = [values, *targets]
        missing = len(values) - len(self._free)
        if missing > 0:
            self._grow(parts, missing if self._columns else missing + self.size)
        slots, self._free = self._free[: len(values)], self._free[len(values) :]
        for column, part in zip(self._columns, parts, strict=True):
            if column is not None and part is not None:
                column.index_copy_(0, slots.to(column.device), part)
        self._waiting = torch.cat([self._waiting, slots])

    def _grow(self, parts: Sequence[Tensor | None], by: int) -> None:
        have = len(self._waiting) + len(self._free)
        room = [None if p is None else p.new_empty((by, *p.shape[1:])) for p in parts]
        pairs = zip(self._columns or [None] * len(room), room, strict=True)
        self._columns = [
            new if old is None or new is None else torch.cat([old, new])
            for old, new in pairs
        ]
        self._free = torch.cat([self._free, torch.arange(have, have + by)])

    def mix(self) -> None:
        """Bring all rows into a new order."""
        order = torch.randperm(len(self._waiting), generator=self.generator)
        self._waiting = self._waiting[order]

    def pop(self, size: int) -> Batch:
        """Take rows from the front, as copies."""
        slots, self._waiting = self._waiting[:size], self._waiting[size:]
        self._free = torch.cat([self._free, slots])
        values, *targets = (
            None if column is None else column.index_select(0, slots.to(column.device))
            for column in self._columns
        )
        return values, Targets(*targets)
