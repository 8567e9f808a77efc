"""From tables to vectors for a generator, and back to tables like the first."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.inputs import as_host_array
from ...nn.generation.blocks import Block
from .container import Container, read_table
from .detection import count_numbers, detect
from .grids import Steps
from .kinds import CategoricalColumn, ColumnKind
from .preprocessing import ByColumn, check_preprocess, fit_scaling
from .scaling import shared_range
from .selection import categorical_positions
from .storage import Storage, storage_of

__all__ = ["TableCodec"]

Array = NDArray[Any]
Cells = tuple[Any, Storage, Array, Array]

_MANY_CATEGORIES = 50
# float32 tells no more steps apart than sixteen times this.
_SINGLE_STEPS = 2**20


class TableCodec:
    """Turn tables into vectors for a net and vectors into tables.

    What each column is gets found out from its type and from how often its numbers
    repeat. Categories, missing cells and numbers that are
    events of their own become probabilities, all other numbers values on a scale on
    which a generator trains well. A decoded table has the columns, types and
    categories of the training table; numbers lie on its grid and within its range.

    Parameters
    ----------
    categorical_features : "from_dtype", None, sequence or callable, \
            default="from_dtype"
        Columns of numbers that are categories: names, positions or a mask, or a
        function of X that returns such. Columns of type category, bool or string, and
        of objects other than numbers, always are.
    preprocess : {"auto", "standard", "minmax", "none"} or transformer, default="auto"
        Scales of numbers. ``"auto"``: pixels share one from 0 to 1, those
        of images; others are standardised, those with heavy tails
        through an inverse hyperbolic sine. A transformer with ``inverse_transform`` is
        fitted to all columns of numbers together.

    Attributes
    ----------
    columns_ : list of ColumnKind
        What each column was taken for.
    blocks_ : list of Block
        Model space.
    width_ : int
        Its columns.
    shared_range_ : tuple of (float, float) or None
        Range of the scale that columns share.

    Raises
    ------
    ValueError
        In ``fit``, if an argument is wrong, or a column is sparse, complex or infinite.
    TypeError
        If the table is sparse, or cells are neither numbers nor hashable.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame(
    ...     {"sex": ["m", "f", "f", "f"], "age": [30, 41, 56, 29], "unit": "mg"}
    ... )
    >>> codec = TableCodec().fit(X)
    >>> [(column.name, column.kind) for column in codec.columns_]
    [('sex', 'categorical'), ('age', 'integer'), ('unit', 'constant')]
    >>> Z = codec.encode(X)
    >>> Z.shape
    (4, 3)
    >>> codec.decode(Z + 0.01).equals(X)
    True
    """

    def __init__(
        self, categorical_features: Any = "from_dtype", preprocess: Any = "auto"
    ) -> None:
        self.categorical_features = categorical_features
        self.preprocess = preprocess

    def fit(self, X: Any) -> TableCodec:
        """Find out what the columns are.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, n_columns)
            The training table.

        Returns
        -------
        TableCodec
            The codec itself.
        """
        preprocess = check_preprocess(self.preprocess)
        X = read_table(X)
        self.container_ = Container.of(X)
        columns = self.container_.columns(X)
        cells = self._read(X, columns)
        self._detect(cells, preprocess)
        self._set_dtype(cells)
        self._warn_of_identifiers(len(X))
        values = [c.split(x)[1] for c, x in zip(self.columns_, columns, strict=True)]
        pairs = zip(values, self._shared, strict=True)
        known = [(v, shared) for v, shared in pairs if v is not None]
        self.scaling_ = fit_scaling(
            [v for v, _ in known], preprocess, [shared for _, shared in known]
        )
        self._lay_out()
        return self

    def encode(self, X: Any) -> Array:
        """Return vectors.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, n_columns)
            A table like that of ``fit``.

        Returns
        -------
        ndarray of shape (n, width_)
            Of float64 if the training table held any, or needs it for long ranges of
            whole numbers; otherwise float32.

        Raises
        ------
        ValueError
            If columns are other ones, or hold categories, missing cells or infinity
            that training did not have.
        """
        X = read_table(X)
        Z = np.zeros((len(X), self.width_), dtype=self.dtype_)
        rows = np.arange(len(X))
        found = []
        for column, cells in zip(
            self.columns_, self.container_.columns(X), strict=True
        ):
            states, values = column.split(cells)
            if column.states is not None:
                Z[rows, column.states[0] + np.asarray(states)] = 1
            if values is not None:
                found.append(values)
        if found:
            start = self.n_states_
            Z[:, start : start + len(self.scaling_.kinds)] = self.scaling_.encode(found)
        return Z

    def decode(self, Z: Any) -> Any:
        """Return a table.

        Parameters
        ----------
        Z : array-like of shape (n, width_)
            Vectors; of probabilities the largest counts.

        Returns
        -------
        DataFrame or ndarray of shape (n, n_columns)
            As in training; a DataFrame has the index 0 to n - 1.

        Raises
        ------
        ValueError
            If the shape is wrong or numbers are not finite.
        """
        Z = np.asarray(as_host_array(Z))
        if Z.ndim != 2 or Z.shape[1] != self.width_:
            raise ValueError(
                f"Z must have shape (n, {self.width_}), as encode returns it, got "
                f"{Z.shape}."
            )
        if not np.isfinite(Z).all():
            raise ValueError("Z must be finite, got NaN or infinity.")
        # Twice as quick: columns one by one would each read the memory of all rows.
        by_column = np.ascontiguousarray(Z.T)
        stop = self.n_states_ + len(self.scaling_.kinds)
        scaled = by_column[self.n_states_ : stop].T
        values = iter(self.scaling_.decode(scaled) if scaled.shape[1] else [])
        frame, n = self.container_.is_frame, len(Z)
        columns = []
        for column in self.columns_:
            states = None
            if column.states is not None:
                states = by_column[slice(*column.states)].argmax(0)
            own = next(values) if column.has_value else None
            columns.append(column.join(states, own, n, frame))
        return self.container_.assemble(columns, n)

    # -- stages of fit --------------------------------------------------------------

    def _read(self, X: Any, columns: list[Any]) -> list[Cells]:
        """Return name, storage, cells and gaps of the columns."""
        names = self.container_.names
        chosen = categorical_positions(
            self.categorical_features, X, names, len(columns)
        )
        found = []
        for j, column in enumerate(columns):
            name = j if names is None else names[j]
            storage = storage_of(column, name, j in chosen)
            found.append((name, storage, *storage.read(column)))
        return found

    def _detect(self, cells: list[Cells], preprocess: Any) -> None:
        counted = [
            None if storage.role == "label" else count_numbers(name, known, missing)
            for name, storage, known, missing in cells
        ]
        numbers = [
            pair
            for pair, (_, storage, _, _) in zip(counted, cells, strict=True)
            if pair is not None and storage.role == "number"
        ]
        auto = isinstance(preprocess, str) and preprocess == "auto"
        self.shared_range_ = shared_range(numbers) if auto else None
        self._shared = [
            self.shared_range_ if column[1].role == "number" else None
            for column in cells
        ]
        self.columns_: list[ColumnKind] = [
            detect(*column, counts, shared=shared is not None)
            for column, counts, shared in zip(cells, counted, self._shared, strict=True)
        ]

    def _set_dtype(self, cells: list[Cells]) -> None:
        """Compute in the float type of the table, as the estimators do."""
        types = {s.dtype.lower() for _, s, _, _ in cells if s.role == "number"}
        doubles = {"float64", "double[pyarrow]"}
        grids = [getattr(column, "grid", None) for column in self.columns_]
        long = any(isinstance(g, Steps) and g.count > _SINGLE_STEPS for g in grids)
        self.dtype_ = "float64" if types & doubles or long else "float32"

    def _warn_of_identifiers(self, n: int) -> None:
        for column in self.columns_:
            many = isinstance(column, CategoricalColumn) and column.n_states
            if many and column.n_states > max(_MANY_CATEGORIES, n / 2):
                warnings.warn(
                    f"X: column {column.name!r} has {column.n_states} categories in "
                    f"{n} rows, like an identifier or free text: samples will repeat "
                    "those of training. Drop it unless that is what you want.",
                    UserWarning,
                    stacklevel=3,
                )

    def _lay_out(self) -> None:
        """Give the columns their places: first all states, then all values."""
        at = 0
        self.blocks_: list[Block] = []
        for column in self.columns_:
            if column.n_states:
                column.states = (at, at + column.n_states)
                self.blocks_.append(Block("softmax", *column.states))
                at += column.n_states
        self.n_states_ = at
        gates = [-1] * len(self.scaling_.kinds)
        if isinstance(self.scaling_, ByColumn):
            valued = [column for column in self.columns_ if column.has_value]
            for k, column in enumerate(valued):
                column.value = at + k
            # The first state is that of an ordinary number.
            gates = [c.states[0] if c.states else -1 for c in valued]
        for kind, gate in zip(self.scaling_.kinds, gates, strict=True):
            _append(self.blocks_, Block(kind, at, at + 1, gate))
            at += 1
        if not at:  # nothing but constants; a net needs something to learn
            self.blocks_.append(Block("linear", 0, 1))
        self.width_ = max(at, 1)


def _append(blocks: list[Block], block: Block) -> None:
    """Append a block, or widen the last one if both are alike and have no gate."""
    if blocks and block.gate == -1 and blocks[-1][::3] == (block.kind, -1):
        block = Block(block.kind, blocks.pop().start, block.stop)
    blocks.append(block)
