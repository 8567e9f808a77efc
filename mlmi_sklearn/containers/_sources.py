"""Where the rows of a stream come from: one small reader for each kind of source.

A reader knows three things: its first row, how many rows each of its blocks has, and
how to read one block, in pieces that fit in memory. A :class:`RowReader` can also read
single rows anywhere. Libraries are imported by those who pass
their objects, never by this module before that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ArrayReader",
    "DaskReader",
    "DatasetReader",
    "IterableReader",
    "ParquetReader",
    "Piece",
    "Reader",
    "RowReader",
    "reader_of",
    "split_item",
]

Array = NDArray[Any]
# Samples, and their targets if these come along.
Piece = tuple[Array, Array | None]

# Size of a piece that is read at once. Small enough for a shuffle buffer to hold some.
PIECE_BYTES = 2**18


def split_item(item: Any) -> tuple[Any, Any]:
    """Split what a data set yields into a sample and its target, if there is one."""
    if isinstance(item, tuple | list):
        if len(item) == 2:
            return item[0], item[1]
        raise ValueError(
            f"The data set yields tuples of {len(item)}; a stream needs (x, y), or x "
            "alone. Wrap it in a data set that returns these."
        )
    return item, None


class Reader:
    """Base of all readers.

    Parameters
    ----------
    names : list of str or None, default=None
        Names of the features.
    """

    def __init__(self, names: list[str] | None = None) -> None:
        self.names = names

    @property
    def sizes(self) -> list[int] | None:
        """Rows of each block; None if that takes a pass over the data."""
        raise TypeError(f"{type(self).__name__} must say how large its blocks are.")

    def pieces(self, block: int) -> Iterator[Piece]:
        """Read one block, in order and bit by bit."""
        raise TypeError(f"{type(self).__name__} must read blocks.")

    def targets(self) -> Array | None:
        """Return the targets of all rows, if they come with the data."""
        return None

    def head(self) -> Array:
        """Return the first row, as an array of one row."""
        for block in range(len(self.sizes or [0])):
            for values, _ in self.pieces(block):
                if len(values):
                    return values[:1]
        raise ValueError("The stream has no rows. Pass at least one sample.")


def _rows_in_piece(head: Array) -> int:
    return max(1, PIECE_BYTES // max(head.nbytes, 1))


class RowReader(Reader):
    """Base of readers that can read any row, so that blocks are what one makes them.

    Parameters
    ----------
    data : sized
        The samples.
    block_rows : int or None
        Rows of a block; None for as many as are read at once.
    """

    def __init__(self, data: Any, block_rows: int | None = None) -> None:
        super().__init__()
        self.data = data
        self.piece_rows = _rows_in_piece(self.head())
        self.block_rows = block_rows or self.piece_rows

    @property
    def sizes(self) -> list[int]:
        """Rows of each block."""
        n, size = len(self.data), self.block_rows
        return [min(size, n - start) for start in range(0, n, size)]

    def pieces(self, block: int) -> Iterator[Piece]:
        """Read one block."""
        start = block * self.block_rows
        stop = min(start + self.block_rows, len(self.data))
        step = min(self.block_rows, self.piece_rows)
        for low in range(start, stop, step):
            yield self.piece(np.arange(low, min(low + step, stop)))

    def head(self) -> Array:
        """Return the first row."""
        if not len(self.data):
            raise ValueError("The stream has no rows. Pass at least one sample.")
        return self.read(np.array([0]))

    def read(self, rows: Array) -> Array:
        """Read rows in ascending order."""
        return self.piece(rows)[0]

    def piece(self, rows: Array) -> Piece:
        """Read rows in ascending order, with their targets if these come along."""
        raise TypeError(f"{type(self).__name__} must read rows.")


class ArrayReader(RowReader):
    """Rows of an array, such as a memory map."""

    def __init__(self, array: Array, block_rows: int | None = None) -> None:
        # Plain even for a memory map: slicing np.memmap runs Python code every time.
        super().__init__(array.view(np.ndarray), block_rows)

    def piece(self, rows: Array) -> Piece:
        """Read rows in ascending order; neighbours are a view."""
        first, last = int(rows[0]), int(rows[-1])
        if last - first + 1 == len(rows):
            return self.data[first : last + 1], None
        return self.data[rows], None


class DatasetReader(RowReader):
    """Rows of a map-style data set of PyTorch."""

    def piece(self, rows: Array) -> Piece:
        """Read rows in ascending order."""
        many = getattr(self.data, "__getitems__", None)
        numbers = rows.tolist()
        items = many(numbers) if many else (self.data[i] for i in numbers)
        return _stacked([split_item(item) for item in items])

    def targets(self) -> Array | None:
        """Return the targets: from ``targets``, as in torchvision, or in one pass."""
        if split_item(self.data[0])[1] is None:
            return None
        known = getattr(self.data, "targets", None)
        if known is not None and len(known) == len(self.data):
            return np.asarray(known)
        n = len(self.data)
        # A Python object for each row would take more memory than a few features.
        parts = [range(start, min(start + 1024, n)) for start in range(0, n, 1024)]
        return np.concatenate([self._targets_of(rows) for rows in parts])

    def _targets_of(self, rows: range) -> Array:
        return np.array([np.asarray(split_item(self.data[i])[1]) for i in rows])


class IterableReader(Reader):
    """Rows that come one after the other: an iterable data set, or a loader.

    Parameters
    ----------
    source : iterable
        Gives a new iterator each time it is asked for one.
    batched : bool
        Whether it yields batches, as a ``DataLoader`` does.
    """

    sizes = None

    def __init__(self, source: Iterable[Any], *, batched: bool) -> None:
        super().__init__()
        if hasattr(source, "__next__"):
            raise TypeError(
                "A stream is read once an epoch, but an iterator can be read only "
                "once. Pass a torch IterableDataset or DataLoader, or train on the "
                "parts with partial_fit."
            )
        self.source = source
        self.batched = batched

    def pieces(self, block: int) -> Iterator[Piece]:
        """Read everything, in the order in which it comes."""
        if self.batched:
            for item in self.source:
                values, y = split_item(item)
                yield np.asarray(values), None if y is None else np.asarray(y)
            return
        waiting: list[tuple[Any, Any]] = []
        limit = 1
        for item in self.source:
            waiting.append(split_item(item))
            if len(waiting) == 1:
                limit = _rows_in_piece(np.asarray(waiting[0][0]))
            if len(waiting) == limit:
                yield _stacked(waiting)
                waiting = []
        if waiting:
            yield _stacked(waiting)

    def targets(self) -> Array | None:
        """Return all targets, in one pass."""
        # Copies, since targets may be views of batches with all their features.
        parts = [np.array(y) for _, y in self.pieces(0) if y is not None]
        return np.concatenate(parts) if parts else None


def _stacked(items: list[tuple[Any, Any]]) -> Piece:
    values = np.stack([np.asarray(x) for x, _ in items])
    if items[0][1] is None:
        return values, None
    return values, np.array([np.asarray(y) for _, y in items])


class DaskReader(Reader):
    """Blocks of rows of a dask array or data frame."""

    def __init__(self, data: Any) -> None:
        names = list(map(str, data.columns)) if hasattr(data, "columns") else None
        super().__init__(names)
        if names is None and data.ndim > 1:
            data = data.rechunk(dict.fromkeys(range(1, data.ndim), -1))
        self.data = data

    @cached_property
    def sizes(self) -> list[int]:
        """Rows of each block; of a data frame, in one pass."""
        if self.names is None and not np.isnan(self.data.shape[0]):
            return list(self.data.chunks[0])
        count = self.data.npartitions if self.names else self.data.numblocks[0]
        return [len(self._block(number)) for number in range(count)]

    def pieces(self, block: int) -> Iterator[Piece]:
        """Compute one block."""
        values = self._block(block)
        step = _rows_in_piece(values[:1])
        for start in range(0, len(values), step):
            yield values[start : start + step], None

    def _block(self, number: int) -> Array:
        data = self.data
        part = data.get_partition(number) if self.names else data.blocks[number]
        # In this thread: blocks computed at the same time would all be in memory.
        return np.asarray(part.compute(scheduler="synchronous"))


class ParquetReader(Reader):
    """Row groups of a Parquet file, or of all those in a folder.

    Parameters
    ----------
    path : str or Path
        File or folder.
    target : str or None
        Column of the targets.
    columns : list of str or None
        Columns of the features; None for all others.
    """

    def __init__(
        self, path: str | Path, target: str | None, columns: list[str] | None
    ) -> None:
        from pyarrow.parquet import ParquetFile

        path = Path(path)
        files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"The folder {path} holds no file named *.parquet.")
        with ParquetFile(files[0]) as first:
            found = list(first.schema_arrow.names)
        wanted = [*(columns or []), *([] if target is None else [target])]
        missing = [name for name in wanted if name not in found]
        if missing:
            raise ValueError(
                f"{files[0]} has no column {missing[0]!r}; it has {found}."
            )
        super().__init__(columns or [name for name in found if name != target])
        self.files = files
        self.target = target
        self.groups: list[tuple[Path, int]] = []
        self._sizes: list[int] = []
        for file in files:
            self._register(file)

    def _register(self, path: Path) -> None:
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                self.groups.append((path, number))
                self._sizes.append(file.metadata.row_group(number).num_rows)

    @property
    def sizes(self) -> list[int]:
        """Rows of each row group."""
        return self._sizes

    def pieces(self, block: int) -> Iterator[Piece]:
        """Read one row group."""
        from pyarrow.parquet import ParquetFile

        names = self.names or []
        rows = max(1, PIECE_BYTES // (8 * len(names)))
        path, number = self.groups[block]
        with ParquetFile(path) as file:
            # In this thread, since others read ahead of what memory allows.
            batches = file.iter_batches(
                rows, row_groups=[number], columns=names, use_threads=False
            )
            for batch in batches:
                yield batch.to_pandas()[names].to_numpy(), None

    def targets(self) -> Array | None:
        """Return the column of targets."""
        if self.target is None:
            return None
        from pyarrow.parquet import ParquetFile

        parts = []
        for path in self.files:
            with ParquetFile(path) as file:
                parts.append(file.read([self.target])[self.target].to_numpy())
        return np.concatenate(parts)


def reader_of(data: Any, block_rows: int | None) -> Reader:
    """Find the reader for what the user passed."""
    if isinstance(data, Reader):
        return data
    if isinstance(data, np.ndarray):
        return ArrayReader(data, block_rows)
    kinds = type(data).__mro__
    if any(kind.__module__.startswith("dask.") for kind in kinds):
        return DaskReader(data)
    # By their names, since this module does without PyTorch.
    names = {k.__name__ for k in kinds if k.__module__.startswith("torch.utils.data")}
    if "DataLoader" in names:
        return IterableReader(data, batched=data.batch_size is not None)
    if "IterableDataset" in names:
        return IterableReader(data, batched=False)
    if "Dataset" in names:
        return DatasetReader(data, block_rows)
    raise TypeError(
        f"Stream cannot read a {type(data).__name__}. Pass a NumPy array or memory "
        "map, a dask array or data frame, or a Dataset, IterableDataset or DataLoader "
        "of PyTorch; for Parquet files use Stream.from_parquet."
    )
