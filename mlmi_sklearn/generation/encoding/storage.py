"""How the cells of a column are kept, and how to write others in the same way.

Three roles are enough: numbers, times (whole numbers of a unit) and labels (anything
that can only be equal or not). A column is read into plain cells and a mask of missing
ones, and written back in the type it had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Storage", "storage_of"]

Array = NDArray[Any]

_MARKERS: dict[str, Any] = {"None": None, "nan": np.nan, "NA": pd.NA, "NaT": pd.NaT}
_NUMBERS = ("integer", "floating", "mixed-integer-float")


@dataclass
class Storage:
    """Type of a column.

    Parameters
    ----------
    role : {"number", "time", "label"}
        What cells are.
    dtype : str
        As NumPy or pandas writes it; "category" for one with the fields below.
    marker : str, default="nan"
        What stands for a missing cell where the type leaves a choice.
    categories : list, default=None
        All categories of a categorical type, in order.
    categories_dtype : str, default="object"
        Their type.
    ordered : bool, default=False
        Whether their order has a meaning.
    integers : bool, default=False
        Whether a column of objects holds whole numbers.
    """

    role: str
    dtype: str
    marker: str = "nan"
    categories: list[Any] | None = None
    categories_dtype: str = "object"
    ordered: bool = False
    integers: bool = False

    @property
    def whole(self) -> bool:
        """Whether cells are whole numbers by their type."""
        by_type = self.role == "time" or self._dtype().kind in "iu"
        return by_type or self.integers

    @property
    def number_type(self) -> Any:
        """Type of NumPy to the precision of which numbers are kept."""
        dtype = self._dtype()
        dtype = getattr(dtype, "numpy_dtype", dtype)
        return dtype if dtype.kind == "f" else np.dtype(np.float64)

    def read(self, column: Any) -> tuple[Array, Array]:
        """Return cells and a mask of missing ones, whose cells mean nothing.

        Parameters
        ----------
        column : Series or ndarray of shape (n,)
            A column; of another type than in training, it is converted.

        Returns
        -------
        cells : ndarray of shape (n,)
            int64 or float64 numbers, int64 counts of the unit of a time, or objects.
        missing : ndarray of bool of shape (n,)
            Where there is no cell.
        """
        missing = np.asarray(pd.isna(column), dtype=bool)
        if self.role == "label":
            return np.asarray(column, dtype=object), missing
        if self.role == "time":
            return self._read_times(column), missing
        return _read_numbers(column, missing, self.whole), missing

    def write(self, cells: Array, missing: Array | None, frame: bool) -> Any:
        """Return cells in the type of the column.

        Parameters
        ----------
        cells : ndarray of shape (n,)
            As ``read`` returns them.
        missing : ndarray of bool of shape (n,) or None
            Where to write none.
        frame : bool
            Whether a Series is wanted rather than an array.
        """
        if self.role == "time":
            return self._write_times(cells, missing, frame)
        dtype = self._dtype()
        plain = isinstance(dtype, np.dtype)
        if self.integers and self.role == "number":
            cells = cells.astype(np.int64)
        if missing is not None and missing.any():
            cells = self._with_missing(cells, missing, plain)
        elif plain and dtype.kind in "iu" and cells.dtype.kind == "f":
            cells = _inside(np.rint(cells), dtype)
        if plain:
            array = cells.astype(dtype)
            return pd.Series(array, dtype=dtype, copy=False) if frame else array
        if cells.dtype.kind == "f" and dtype.kind in "iu":
            cells = np.rint(cells).astype(np.int64)
        return pd.Series(pd.array(cells, dtype=dtype), copy=False)

    def _dtype(self) -> Any:
        if self.categories is not None:
            categories = pd.Index(self.categories, dtype=self.categories_dtype)
            return pd.CategoricalDtype(categories, self.ordered)
        return pd.api.types.pandas_dtype(self.dtype)

    def _with_missing(self, cells: Array, missing: Array, plain: bool) -> Array:
        """Return a copy of cells with the marker in it."""
        if plain and cells.dtype.kind == "f" and self.dtype != "object":
            return np.where(missing, np.nan, cells)
        holed = cells.astype(object)
        holed[missing] = _MARKERS[self.marker] if plain else None
        return holed

    # -- times ----------------------------------------------------------------------

    def _read_times(self, column: Any) -> Array:
        dtype = self._dtype()
        if isinstance(dtype, np.dtype):
            return np.asarray(column).astype(dtype).view(np.int64)
        series: Any = pd.Series(column).astype(dtype)
        if isinstance(dtype, pd.DatetimeTZDtype):
            # Through UTC, where no hour comes twice.
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return series.to_numpy().view(np.int64)

    def _write_times(self, cells: Array, missing: Array | None, frame: bool) -> Any:
        dtype = self._dtype()
        zoned = isinstance(dtype, pd.DatetimeTZDtype)
        plain = np.dtype(f"M8[{dtype.unit}]") if zoned else dtype
        values = cells.astype(np.int64).view(plain)
        if missing is not None:
            values = np.where(missing, np.array("NaT", plain), values)
        if not frame:
            return values
        series: Any = pd.Series(values)
        return series.dt.tz_localize("UTC").dt.tz_convert(dtype.tz) if zoned else series


def storage_of(column: Any, name: Any, categorical: bool = False) -> Storage:
    """Return how a column is kept.

    Parameters
    ----------
    column : Series or ndarray of shape (n,)
        A column.
    name : object
        How to name it in errors.
    categorical : bool, default=False
        Whether numbers and times in it are labels, too.

    Raises
    ------
    ValueError
        If the column holds complex numbers or is sparse.

    Examples
    --------
    >>> storage_of(pd.Series([1, 2, None], dtype="Int64"), "age").role
    'number'
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        index = dtype.categories
        return Storage(
            "label",
            "category",
            categories=list(index),
            categories_dtype=str(index.dtype),
            ordered=bool(dtype.ordered),
        )
    kind = dtype.kind
    _refuse(dtype, name)
    text = _text(dtype)
    if kind == "O":
        found = pd.api.types.infer_dtype(column, skipna=True)
        numbers = text == "object" and found in _NUMBERS and not categorical
        return Storage(
            "number" if numbers else "label",
            text,
            _marker_of(column),
            integers=numbers and found == "integer",
        )
    role = {"M": "time", "m": "time"}.get(kind, "number" if kind in "iuf" else "label")
    return Storage("label" if categorical else role, text)


def _inside(cells: Array, dtype: np.dtype[Any]) -> Array:
    """Return floats that an integer type can hold; its last ones may round up."""
    bounds = np.iinfo(dtype)
    top = float(bounds.max)
    return np.clip(
        cells, bounds.min, top if top <= bounds.max else np.nextafter(top, 0)
    )


def _refuse(dtype: Any, name: Any) -> None:
    """Raise for types that no cell can be drawn in."""
    if dtype.kind == "c":
        raise ValueError(
            f"X: column {name!r} holds complex data, which is not supported. Pass real "
            "and imaginary parts as two columns."
        )
    if isinstance(dtype, pd.SparseDtype):
        raise ValueError(
            f"X: column {name!r} is sparse. Pass it dense: X.sparse.to_dense()."
        )


def _text(dtype: Any) -> str:
    """Return what ``pandas_dtype`` reads as the same type."""
    if isinstance(dtype, np.dtype):
        return dtype.str if dtype.kind in "US" else str(dtype)
    for text in (str(dtype), repr(dtype)):
        try:
            if pd.api.types.pandas_dtype(text) == dtype:
                return text
        except (TypeError, ValueError):
            continue
    return str(dtype)


def _marker_of(column: Any) -> str:
    """Return the name of the first missing cell."""
    gaps = np.flatnonzero(pd.isna(column))
    if not len(gaps):
        return "nan"
    first = np.asarray(column, dtype=object)[gaps[0]]
    return next((n for n, marker in _MARKERS.items() if first is marker), "nan")


def _read_numbers(column: Any, missing: Array, whole: bool) -> Array:
    """Return int64 where the type says so and they fit, otherwise float64."""
    series = pd.Series(column)
    if whole and series.dtype.kind in "iu":
        values = series.fillna(0) if missing.any() else series
        top = np.iinfo(np.int64).max
        if values.dtype.kind == "i" or not len(values) or values.max() <= top:
            return values.to_numpy(dtype=np.int64)
    if missing.any():
        series = series.mask(missing, 0)
    return series.to_numpy(dtype=np.float64)
