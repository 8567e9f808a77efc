"""What a column is taken for: a constant, categories, or numbers.

Each kind splits a column into states, of which exactly one holds for a cell, and
values; and it joins them again. States are modelled as probabilities: categories, a
missing cell, or a number that occurs so often that it is an event of its own, such as
a zero among amounts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .grids import Grid, Levels
from .storage import Storage

__all__ = ["CategoricalColumn", "ColumnKind", "ConstantColumn", "NumericColumn"]

Array = NDArray[Any]


@dataclass
class ColumnKind(ABC):
    """A column of a table.

    Parameters
    ----------
    name : object
        Name of the column, its number in arrays.
    kind : str
        "constant", "categorical", "binary", "quantised", "integer", "bounded",
        "continuous" or "datetime".
    storage : Storage
        How its cells are kept.
    nullable : bool
        Whether cells were missing in training.
    states : tuple of (int, int), default=None
        First column of the states in model space and the one after the last.
    value : int, default=None
        Column of the value in model space.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.generation.encoding import ColumnKind, TableCodec
    >>> codec = TableCodec().fit(pd.DataFrame({"age": [20.1, 35.6, 61.2]}))
    >>> column = codec.columns_[0]
    >>> isinstance(column, ColumnKind), column.name
    (True, 'age')
    """

    name: Any
    kind: str
    storage: Storage
    nullable: bool
    states: tuple[int, int] | None = None
    value: int | None = None

    @property
    @abstractmethod
    def n_states(self) -> int:
        """Number of states, 0 if there is no choice."""

    @property
    def has_value(self) -> bool:
        """Whether there is a number to model."""
        return False

    def split(self, column: Any) -> tuple[Array | None, Array | None]:
        """Return states and values of a column, None for what there is not.

        Parameters
        ----------
        column : Series or ndarray of shape (n,)
            The cells.

        Returns
        -------
        states : ndarray of int of shape (n,) or None
            Category, or frequent number, of each cell.
        values : ndarray of shape (n,) or None
            Numbers; NaN in states that have none.

        Raises
        ------
        ValueError
            If the column holds what cannot be represented: missing cells, where none
            were in training, infinity, or new categories.
        """
        cells, missing = self.storage.read(column)
        if missing.any() and not self.nullable:
            raise ValueError(
                f"X: column {self.name!r} has {int(missing.sum())} missing cells, but "
                "had none in training. Fill them or drop the rows."
            )
        return self._split(cells, missing)

    @abstractmethod
    def _split(self, cells: Array, missing: Array) -> tuple[Array | None, Array | None]:
        """Do what ``split`` says, with cells as their storage reads them."""

    def join(
        self, states: Array | None, values: Array | None, n: int, frame: bool
    ) -> Any:
        """Return the column with these states and values.

        Parameters
        ----------
        states, values : ndarray of shape (n,) or None
            As ``split`` returns them; values may lie off the grid.
        n : int
            Number of rows.
        frame : bool
            Whether to return a Series rather than an array.

        Returns
        -------
        Series or ndarray of shape (n,)
            In the type of the training column.
        """
        cells, missing = self._join(states, values, n)
        return self.storage.write(cells, missing, frame)

    @abstractmethod
    def _join(
        self, states: Array | None, values: Array | None, n: int
    ) -> tuple[Array, Array | None]:
        """Return cells and where they are missing."""


@dataclass
class ConstantColumn(ColumnKind):
    """A column of one number or category, or of none.

    Parameters
    ----------
    name : object
        Name of the column. What comes first is described at :class:`ColumnKind`.
    kind : str
        How it is modelled.
    storage : Storage
        How it is kept.
    nullable : bool
        Whether cells were missing in training.
    states : tuple of (int, int), default=None
        Its states in model space.
    value : int, default=None
        Its value in model space.
    cell : ndarray of shape (1,) or (0,), default=None
        What it holds; empty if all cells are missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.generation.encoding import ConstantColumn, TableCodec
    >>> codec = TableCodec().fit(pd.DataFrame({"site": ["Ulm", "Ulm"]}))
    >>> column = codec.columns_[0]
    >>> isinstance(column, ConstantColumn), column.cell
    (True, array(['Ulm'], dtype=object))
    """

    cell: Array | None = None

    @property
    def n_states(self) -> int:
        """None."""
        return 0

    def _split(self, cells: Array, missing: Array) -> tuple[None, None]:
        # Other cells than in training have no place in model space: they are left out.
        return None, None

    def _join(
        self, states: Array | None, values: Array | None, n: int
    ) -> tuple[Array, Array | None]:
        assert self.cell is not None
        if len(self.cell):
            return np.repeat(self.cell, n), None
        blank: Any = np.float64 if self.storage.role == "number" else object
        if self.storage.role == "time":
            blank = np.int64
        return np.zeros(n, dtype=blank), np.ones(n, dtype=bool)


@dataclass
class CategoricalColumn(ColumnKind):
    """A column of categories, or of so few numbers that they are modelled like some.

    Parameters
    ----------
    name : object
        Name of the column. What comes first is described at :class:`ColumnKind`.
    kind : str
        How it is modelled.
    storage : Storage
        How it is kept.
    nullable : bool
        Whether cells were missing in training.
    states : tuple of (int, int), default=None
        Its states in model space.
    value : int, default=None
        Its value in model space.
    categories : ndarray of shape (n_categories,), default=None
        Those that occurred in training; numbers in ascending order.
    numeric : bool, default=False
        Whether they are numbers: one that is none of them counts as the nearest.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.generation.encoding import CategoricalColumn, TableCodec
    >>> codec = TableCodec().fit(pd.DataFrame({"sex": ["f", "m", "f"]}))
    >>> column = codec.columns_[0]
    >>> isinstance(column, CategoricalColumn), column.categories
    (True, array(['f', 'm'], dtype=object))
    """

    categories: Array | None = None
    numeric: bool = False

    @property
    def n_states(self) -> int:
        """One for each category, and one for missing cells."""
        assert self.categories is not None
        return len(self.categories) + self.nullable

    def _split(self, cells: Array, missing: Array) -> tuple[Array, None]:
        assert self.categories is not None
        if self.numeric:
            _require_finite(cells, self.name)
            states = Levels(self.categories).index(cells)
        else:
            # Built anew each time: an index is no plain state.
            index = pd.Index(self.categories, dtype=object)
            states = index.get_indexer(pd.Index(cells, dtype=object))
            new = (states < 0) & ~missing
            if new.any():
                raise ValueError(_unseen(self.name, cells[new], self.categories))
        return np.where(missing, len(self.categories), states), None

    def _join(
        self, states: Array | None, values: Array | None, n: int
    ) -> tuple[Array, Array | None]:
        assert self.categories is not None
        assert states is not None
        if not self.nullable:
            return self.categories[states], None
        missing = states == len(self.categories)
        return self.categories[np.where(missing, 0, states)], missing


@dataclass
class NumericColumn(ColumnKind):
    """A column of numbers.

    Parameters
    ----------
    name : object
        Name of the column. What comes first is described at :class:`ColumnKind`.
    kind : str
        How it is modelled.
    storage : Storage
        How it is kept.
    nullable : bool
        Whether cells were missing in training.
    states : tuple of (int, int), default=None
        Its states in model space.
    value : int, default=None
        Its value in model space.
    grid : Grid, default=None
        Where they lie.
    frequent : ndarray of shape (n_frequent,), default=None
        Numbers that occur so often that they are states of their own.

    Examples
    --------
    >>> import pandas as pd
    >>> from mlmi_sklearn.generation.encoding import NumericColumn, TableCodec
    >>> codec = TableCodec().fit(pd.DataFrame({"age": [20.1, 35.6, 61.2]}))
    >>> column = codec.columns_[0]
    >>> isinstance(column, NumericColumn), column.kind
    (True, 'continuous')
    """

    grid: Grid | None = None
    frequent: Array | None = None

    @property
    def n_states(self) -> int:
        """One for ordinary numbers, one for each frequent one, one for missing cells.

        None where there are only ordinary ones.
        """
        assert self.frequent is not None
        others = len(self.frequent) + self.nullable
        return 1 + others if others else 0

    @property
    def has_value(self) -> bool:
        """It has."""
        return True

    def _split(self, cells: Array, missing: Array) -> tuple[Array | None, Array]:
        assert self.grid is not None
        assert self.frequent is not None
        _require_finite(cells, self.name)
        values = self.grid.values(cells)
        if not self.n_states:
            return None, values
        states = np.zeros(len(cells), dtype=np.intp)
        for number, cell in enumerate(self.frequent.tolist(), 1):
            states[cells == cell] = number
        states[missing] = len(self.frequent) + 1
        return states, np.where(states > 0, np.nan, values)

    def _join(
        self, states: Array | None, values: Array | None, n: int
    ) -> tuple[Array, Array | None]:
        assert self.grid is not None
        assert self.frequent is not None
        assert values is not None
        cells = self.grid.cells(values)
        if states is None:
            return cells, None
        for number, cell in enumerate(self.frequent, 1):
            cells[states == number] = cell
        return cells, states == len(self.frequent) + 1 if self.nullable else None


def _require_finite(cells: Array, name: Any) -> None:
    """Raise if numbers are infinite."""
    if cells.dtype.kind == "f" and not np.isfinite(cells).all():
        raise ValueError(
            f"X: column {name!r} holds infinity. Replace it by a large number or by a "
            "missing cell."
        )


def _unseen(name: Any, cells: Array, categories: Array) -> str:
    """Return what to say of new categories."""
    new = ", ".join(repr(cell) for cell in pd.unique(cells)[:3])
    known = ", ".join(repr(c) for c in categories[:5].tolist())
    more = ", ..." if len(categories) > 5 else ""
    return (
        f"X: column {name!r} holds {new}, which training did not have. Known are "
        f"{known}{more}."
    )
