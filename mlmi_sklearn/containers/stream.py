"""Rows that stay where they are until a batch needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._sources import ParquetReader, RowReader, reader_of

__all__ = ["Stream"]

Array = NDArray[Any]


class Stream:
    """Samples that do not fit in memory, as ``X`` of ``fit`` and ``predict``.

    Large memory maps, dask collections and the data sets and loaders of PyTorch become
    streams by themselves when they are passed as ``X``. Make one yourself to choose how
    rows are shuffled, to transform blocks on their way (:meth:`map`), or to read
    Parquet files (:meth:`from_parquet`).

    Targets stay in memory: one number a row.

    Parameters
    ----------
    data : ndarray, dask array or data frame, torch Dataset, IterableDataset, DataLoader
        The samples. A data set yields ``(x, y)``, or ``x`` alone; a loader batches of
        these. An iterable one is read from its beginning in each epoch.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets. None if they come with the data, or are passed to ``fit``.
    block_rows : int, default=None
        Shuffle an array or a map-style data set in blocks of this many rows, as dask
        and Parquet are. None reads single rows in the very order in which an array in
        memory is visited, so the model is the same; on a disk that has to seek, blocks
        are faster.
    buffer_size : int, default=None
        Rows from different blocks that are shuffled together; None takes as many as
        fit in 4 MB.

    Attributes
    ----------
    y : ndarray or None
        The targets. If they come with an iterable data set, the first access reads it
        once.
    shape : tuple of int
        Number of rows, then the shape of a sample.
    dtype : numpy.dtype
        Type of the samples.
    feature_names : list of str or None
        Names of columns.

    Raises
    ------
    TypeError
        If the data is of another kind, or an iterator that can be read only once.
    ValueError
        If ``block_rows`` or ``buffer_size`` is below 1.

    See Also
    --------
    Bags.from_files : The same for bags.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import NetClassifier, Stream
    >>> X = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    >>> stream = Stream(X, y=X[:, 0] > 0, block_rows=50)
    >>> model = NetClassifier(max_epochs=20, lr=0.02, random_state=0).fit(stream)
    >>> model.score(stream, stream.y) > 0.9
    True
    """

    def __init__(
        self,
        data: Any,
        y: Any = None,
        *,
        block_rows: int | None = None,
        buffer_size: int | None = None,
    ) -> None:
        for name, value in [("block_rows", block_rows), ("buffer_size", buffer_size)]:
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        self._reader = reader_of(data, block_rows)
        single_rows = isinstance(self._reader, RowReader) and block_rows is None
        self.reads_single_rows = single_rows
        self.buffer_size = buffer_size
        self._y = None if y is None else np.asarray(y)
        self._looked_for_y = y is not None
        self._functions: tuple[Callable[[Any], Any], ...] = ()
        self._rows: Array | None = None
        self._n: int | None = None
        self._head: Array | None = None

    @classmethod
    def from_parquet(
        cls,
        path: str | Path,
        target: str | None = None,
        columns: Sequence[str] | None = None,
        *,
        buffer_size: int | None = None,
    ) -> Stream:
        """Read a Parquet file, or all ``*.parquet`` files in a folder.

        Row groups are visited in a new order in each epoch, and rows shuffled among
        those of a buffer. Needs pyarrow.

        Parameters
        ----------
        path : str or Path
            File or folder; files are taken in the order of their names.
        target : str, default=None
            Column that holds the targets.
        columns : list of str, default=None
            Columns that hold the features; None for all but ``target``.
        buffer_size : int, default=None
            As in the constructor.

        Returns
        -------
        Stream
            The rows, with the targets in ``y``.

        Raises
        ------
        ValueError
            If there is no such column, or no file.
        """
        chosen = None if columns is None else list(columns)
        reader = ParquetReader(path, target, chosen)
        return cls(reader, buffer_size=buffer_size)

    # -- size -----------------------------------------------------------------------

    @property
    def y(self) -> Array | None:
        """The targets."""
        if self._y is None and not self._looked_for_y:
            self._looked_for_y = True
            found = self._reader.targets()
            chosen = slice(None) if self._rows is None else self._rows
            self._y = None if found is None else found[chosen]
        return self._y

    @property
    def y_in_data(self) -> bool:
        """Whether each pass brings its targets along, perhaps in another order."""
        return self._reader.sizes is None

    @property
    def is_selection(self) -> bool:
        """Whether these are some of the rows of the data only."""
        return self._rows is not None

    @property
    def feature_names(self) -> list[str] | None:
        """Names of columns, unless a function may have changed them."""
        return None if self._functions else self._reader.names

    def __len__(self) -> int:
        if self._rows is not None:
            return len(self._rows)
        if self._n is None:
            sizes = self._reader.sizes
            if sizes is not None:
                self._n = int(sum(sizes))
            elif self.y is not None:
                self._n = len(self.y)
            else:
                self._n = sum(len(values) for values, _ in self._reader.pieces(0))
        return self._n

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of a sample."""
        return (len(self), *self.sample_shape)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a sample; found without counting rows."""
        return self.head().shape[1:]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.sample_shape) + 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples."""
        return self.head().dtype

    def head(self) -> Array:
        """Return the first row.

        Returns
        -------
        ndarray of shape (1, ...)
            One sample.
        """
        if self._head is None:
            self._head = self._apply(self._reader.head())
        return self._head

    # -- parts ----------------------------------------------------------------------

    def map(self, function: Callable[[Any], Any]) -> Stream:
        """Transform blocks when they are read.

        Parameters
        ----------
        function : callable
            Array of rows -> array of as many rows, such as ``scaler.transform``.

        Returns
        -------
        Stream
            The transformed rows; nothing is read yet.
        """
        new = self._copy()
        new._functions = (*self._functions, function)
        new._head = None
        return new

    def __getitem__(self, rows: Any) -> Stream:
        """Select rows without reading them."""
        if isinstance(rows, tuple):  # scikit-learn asks for [rows, ...]
            if len(rows) != 2 or rows[1] is not Ellipsis:
                raise TypeError(
                    "A stream is indexed by rows alone. Choose features with "
                    "Stream.map, or columns= of Stream.from_parquet."
                )
            rows = rows[0]
        index = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index
        if index.ndim != 1:
            raise TypeError("A stream is indexed by several rows: a list, or a slice.")
        if not self.reads_single_rows and (np.diff(index) <= 0).any():
            raise ValueError(
                "Rows of a stream that is read in blocks can be selected in ascending "
                "order only. Sort them."
            )
        new = self._copy()
        new._y = None if self._y is None else self._y[index]
        new._rows = index if self._rows is None else self._rows[index]
        return new

    def _copy(self) -> Stream:
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        return new

    # -- reading --------------------------------------------------------------------

    def read(self, rows: Array) -> Array:
        """Read single rows of an array or a map-style data set.

        Parameters
        ----------
        rows : ndarray of int
            Which, in any order. The file is read in ascending order.

        Returns
        -------
        ndarray of shape (n_rows, ...)
            In the order of ``rows``.

        Raises
        ------
        TypeError
            If the data can be read in blocks only.
        """
        reader = self._row_reader()
        rows = rows if self._rows is None else self._rows[rows]
        if len(rows) == 1 or (np.diff(rows) > 0).all():
            return self._apply(reader.read(rows))
        ascending, place = np.unique(rows, return_inverse=True)
        return self._apply(reader.read(ascending)[place])

    def _row_reader(self) -> RowReader:
        if isinstance(self._reader, RowReader):
            return self._reader
        raise TypeError(
            "Single rows of this stream cannot be read: its data come in blocks. Use "
            "Stream.blocks."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Refuse what would read everything, or one row after the other."""
        raise TypeError(
            "A Stream is not turned into an array, which would read all of it into "
            "memory. NetClassifier, NetRegressor and their kin take one as X; for "
            "others read what fits: stream.read(rows), or stream.blocks()."
        )

    def blocks(
        self, order: Callable[[int], Array] | None = None
    ) -> Iterator[tuple[Array, Array, Array | None]]:
        """Read everything once, in pieces of a few MB (of dask: in its blocks).

        Parameters
        ----------
        order : callable, default=None
            Number of blocks -> order in which to visit them. None for the order of
            the data; an iterable data set has no other.

        Yields
        ------
        rows : ndarray of int
            Numbers of the rows of the piece.
        X : ndarray
            The samples.
        y : ndarray or None
            Targets.
        """
        sizes = self._reader.sizes
        if self._rows is not None and (np.diff(self._rows) <= 0).any():
            yield from self._selected()
            return
        starts = [0] if sizes is None else [0, *np.cumsum(sizes).tolist()][:-1]
        count = len(starts)
        for block in range(count) if order is None else order(count).tolist():
            start = starts[block]
            for values, y in self._reader.pieces(block):
                yield from self._piece(start, values, y)
                start += len(values)
        if sizes is None:
            self._require_same_length(start)

    def _require_same_length(self, n: int) -> None:
        """Raise a ValueError if an iterable changed its length since the first pass."""
        expected = self._n if self._rows is None else None
        if expected is not None and n != expected:
            raise ValueError(
                f"The data set yielded {n} rows in this pass, but {expected} in the "
                "first. A stream must have the same rows in each epoch."
            )

    def _selected(self) -> Iterator[tuple[Array, Array, Array | None]]:
        """Read rows that were selected in another order than that of the data."""
        n, y = len(self), self.y
        size = self._row_reader().block_rows
        for start in range(0, n, size):
            rows = np.arange(start, min(start + size, n))
            yield rows, self.read(rows), None if y is None else y[rows]

    def _piece(
        self, start: int, values: Array, y: Array | None
    ) -> Iterator[tuple[Array, Array, Array | None]]:
        """Cut a piece down to the selected rows, and transform it."""
        rows = np.arange(start, start + len(values))
        if self._rows is not None:
            low, high = np.searchsorted(self._rows, [start, start + len(values)])
            chosen = self._rows[low:high] - start
            rows, values = np.arange(low, high), values[chosen]
            y = None if y is None else y[chosen]
        if not len(rows):
            return
        if y is None and self._y is not None:
            y = self._y[rows]
        yield rows, self._apply(values), y

    def _apply(self, values: Array) -> Array:
        for function in self._functions:
            n = len(values)
            values = np.asarray(function(values))
            if len(values) != n:
                raise ValueError(
                    f"A function passed to Stream.map made {len(values)} rows of {n}. "
                    "It must keep the number of rows."
                )
        return values
