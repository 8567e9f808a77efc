"""Finding out what a column is.

The rules look at how often numbers repeat, never at names:

- one number: constant;
- two numbers, or up to ten that repeat: modelled like categories, so that their shares
  come back exactly;
- whole numbers, or few that repeat: numbers that are snapped to where training data
  lie;
- a number that occurs five times as often as the next one and in 3 % of the rows: an
  event of its own, such as a zero among amounts; at an end of the range the column is
  called bounded;
- everything else: continuous, with as many decimals as the training data have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .grids import Grid, Levels, Range, Steps, decimals_of
from .kinds import CategoricalColumn, ColumnKind, ConstantColumn, NumericColumn
from .storage import Storage

__all__ = ["CATEGORY_LIKE", "count_numbers", "detect"]

Array = NDArray[Any]

# So many different numbers are modelled like categories.
CATEGORY_LIKE = 10
# Each number of a grid occurs so often on average.
_REPEATS = 2
_FREQUENT_SHARE, _FREQUENT_RATIO, _MOST_FREQUENT = 0.03, 5.0, 4
# Differences of larger numbers may overflow.
_WIDEST = 2**62


def detect(
    name: Any,
    storage: Storage,
    cells: Array,
    missing: Array,
    counted: tuple[Array, Array] | None = None,
    shared: bool = False,
) -> ColumnKind:
    """Return the kind of a column.

    Parameters
    ----------
    name : object
        Its name.
    storage : Storage
        How its cells are kept.
    cells : ndarray of shape (n,)
        Its cells.
    missing : ndarray of bool of shape (n,)
        Which of them are missing.
    counted : tuple of (numbers, counts), default=None
        Numbers that occur, in ascending order, and how often; labels have none.
    shared : bool, default=False
        Whether it shares its scale with other columns, like a pixel: then it is a
        number, however few it holds.

    Raises
    ------
    ValueError
        If numbers are infinite.
    TypeError
        If labels are not hashable.
    """
    known = cells[~missing] if missing.any() else cells
    nullable = bool(missing.any())
    about = (name, storage, nullable)
    if counted is None:
        return _categorical(*about, known)
    numbers, counts = counted
    if len(numbers) < 2:
        return _constant_or_gap(*about, numbers, numeric=True)
    repeats = _REPEATS * len(numbers) <= len(known)
    if shared:
        return _numeric(*about, *_grid_of(storage, numbers, repeats), numbers[:0])
    if len(numbers) <= CATEGORY_LIKE and repeats:
        kind = "binary" if len(numbers) == 2 else "quantised"
        return _labelled(*about, kind, numbers, numeric=True)
    frequent = _frequent(numbers, counts)
    kind, grid = _grid_of(storage, numbers, repeats)
    if np.isin(frequent, [numbers[0], numbers[-1]]).any() and kind != "datetime":
        kind = "bounded"
    return _numeric(*about, kind, grid, frequent)


def count_numbers(name: Any, cells: Array, missing: Array) -> tuple[Array, Array]:
    """Return the numbers of a column in ascending order, and how often they occur.

    Raises
    ------
    ValueError
        If one is infinite.
    """
    known = cells[~missing] if missing.any() else cells
    if known.dtype.kind == "f" and not np.isfinite(known).all():
        raise ValueError(
            f"X: column {name!r} holds infinity. Replace it by a large number or by a "
            "missing cell."
        )
    return np.unique(known, return_counts=True)


def _labelled(
    name: Any, storage: Storage, nullable: bool, kind: str, cells: Array, numeric: bool
) -> ColumnKind:
    return CategoricalColumn(
        name, kind, storage, nullable, categories=cells, numeric=numeric
    )


def _numeric(
    name: Any,
    storage: Storage,
    nullable: bool,
    kind: str,
    grid: Grid,
    frequent: Array,
) -> ColumnKind:
    return NumericColumn(name, kind, storage, nullable, grid=grid, frequent=frequent)


def _constant_or_gap(
    name: Any, storage: Storage, nullable: bool, cells: Array, numeric: bool
) -> ColumnKind:
    """Return a column of at most one cell, beside which others may be missing."""
    if nullable and len(cells):
        kind = "constant"
        return _labelled(name, storage, nullable, kind, cells, numeric)
    return ConstantColumn(name, "constant", storage, nullable, cell=cells)


def _categorical(name: Any, storage: Storage, nullable: bool, known: Array) -> Any:
    """Return a column of categories, in their order where there is one."""
    try:
        categories = np.asarray(pd.unique(known), dtype=object)
    except TypeError as error:
        odd = next(cell for cell in known if getattr(cell, "__hash__", None) is None)
        raise TypeError(
            f"X: column {name!r} holds a {type(odd).__name__}; each argument must be a "
            "string or a number, or something else that can be a category."
        ) from error
    if storage.categories is not None:
        rank = {category: i for i, category in enumerate(storage.categories)}
        order: Any = sorted(range(len(categories)), key=lambda i: rank[categories[i]])
        categories = categories[np.asarray(order, dtype=np.intp)]
    else:
        categories = _sorted(categories)
    if len(categories) < 2:
        return _constant_or_gap(name, storage, nullable, categories, numeric=False)
    kind = "categorical"
    return _labelled(name, storage, nullable, kind, categories, numeric=False)


def _sorted(categories: Array) -> Array:
    """Return categories in order; by type and text where they cannot be compared."""
    try:
        return np.sort(categories)
    except TypeError:
        order = sorted(
            range(len(categories)),
            key=lambda i: (type(categories[i]).__name__, str(categories[i])),
        )
        return categories[np.asarray(order, dtype=np.intp)]


def _grid_of(storage: Storage, numbers: Array, repeats: bool) -> tuple[str, Grid]:
    """Return kind and grid of numbers in ascending order."""
    whole = _as_integers(numbers)
    kind = "datetime" if storage.role == "time" else "integer"
    if whole is not None:
        step = int(np.gcd.reduce(np.diff(whole)))
        count = (int(whole[-1]) - int(whole[0])) // step
        # Where numbers repeat, one that never occurred is no part of the grid.
        grid = Levels(numbers) if repeats else Steps(int(whole[0]), step, count)
        return kind, grid
    if repeats:
        return "quantised", Levels(numbers)
    dtype = np.float64 if storage.role == "time" else storage.number_type
    decimals = decimals_of(numbers.astype(np.float64), dtype)
    return "continuous", Range(float(numbers[0]), float(numbers[-1]), decimals)


def _as_integers(numbers: Array) -> Array | None:
    """Return whole numbers as int64, None if some are not whole or are too large."""
    low, high = numbers[0], numbers[-1]
    if max(abs(float(low)), abs(float(high))) >= _WIDEST:
        return None
    if numbers.dtype.kind == "i":
        return numbers
    # Beyond 2**53 all floats are whole, which says nothing.
    if max(abs(low), abs(high)) > 2**53 or (numbers != np.rint(numbers)).any():
        return None
    return numbers.astype(np.int64)


def _frequent(numbers: Array, counts: Array) -> Array:
    """Return the few numbers that stand out by how often they occur."""
    n = counts.sum()
    order = np.argsort(-counts, kind="stable")[: _MOST_FREQUENT + 1]
    top = np.append(counts[order], 0)
    standing_out = [
        k
        for k in range(1, min(_MOST_FREQUENT, len(numbers) - 2) + 1)
        if top[k - 1] >= max(_FREQUENT_SHARE * n, _FREQUENT_RATIO * top[k])
    ]
    return np.sort(numbers[order[: max(standing_out, default=0)]])
