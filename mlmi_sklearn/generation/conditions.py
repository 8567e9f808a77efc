"""What is asked of a generator, as numbers: classes, numbers, several columns.

A :class:`ConditionEncoder` learns from ``y`` what kind of condition it is and turns
it into the vector that the nets see: ones and zeros for classes, standardised values
for numbers, both side by side for a table of conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["ConditionColumn", "ConditionEncoder"]

Array = NDArray[Any]

# Fewer different numbers than this are labels even if they are floats.
_FEW = 20


@dataclass
class ConditionColumn:
    """One column of conditions.

    Parameters
    ----------
    kind : {"class", "continuous"}
        What it is.
    categories : ndarray or None
        Of a class column, sorted.
    mean, scale : float
        By which a continuous column is standardised.
    """

    kind: str
    categories: Array | None = None
    mean: float = 0.0
    scale: float = 1.0

    @property
    def width(self) -> int:
        """Numbers that it takes in the vector."""
        return 1 if self.categories is None else len(self.categories)

    def encode(self, values: Array, name: str) -> Array:
        """Return (n, width) numbers."""
        if self.categories is None:
            numbers = _as_numbers(values, name)
            return ((numbers - self.mean) / self.scale)[:, None]
        codes = self.codes(values, name)
        found = np.zeros((len(values), self.width))
        found[np.arange(len(values)), codes] = 1.0
        return found

    def codes(self, values: Array, name: str) -> Array:
        """Return the numbers of categories; an unknown one is an error."""
        assert self.categories is not None
        codes = pd.Index(self.categories).get_indexer(pd.Index(values))
        if (codes < 0).any():
            unknown = pd.unique(np.asarray(values)[codes < 0])[:5].tolist()
            known = self.categories[:20].tolist()
            raise ValueError(
                f"{name} contains {unknown}, which fit has not seen. Known values are "
                f"{known}{' and more' if len(self.categories) > 20 else ''}."
            )
        return codes


class ConditionEncoder:
    """Turn conditions into vectors.

    Parameters
    ----------
    kind : {"auto", "class", "continuous", "none"}, default="auto"
        What ``y`` is. "auto" takes strings, Booleans, integers and few different
        floats for classes, everything else for numbers, column by column.

    Attributes
    ----------
    columns_ : list of ConditionColumn
        One for each column of y; empty without y.
    ndim_ : int
        Dimensions of y, 0 if there is none.

    Examples
    --------
    >>> ConditionEncoder().fit(np.array(["a", "b", "a"])).encode(np.array(["b"]))
    array([[0., 1.]])
    >>> y = np.linspace(-1, 1, 21)
    >>> ConditionEncoder().fit(y).columns_[0].kind
    'continuous'
    """

    def __init__(self, kind: str = "auto") -> None:
        self.kind = kind

    def fit(self, y: Any) -> ConditionEncoder:
        """Learn kinds, categories and scales from (n,) or (n, k) conditions."""
        self.columns_: list[ConditionColumn] = []
        self.ndim_ = 0
        self.names_: list[Any] | None = None
        if y is None or self.kind == "none":
            return self
        columns = _columns_of(y)
        self.ndim_ = np.ndim(y)
        self.names_ = list(y.columns) if hasattr(y, "columns") else None
        for number, values in enumerate(columns):
            self.columns_.append(self._learn(values, self._name(number)))
        return self

    def _learn(self, values: Array, name: str) -> ConditionColumn:
        kind = _guess(values) if self.kind == "auto" else self.kind
        if kind == "class":
            return ConditionColumn("class", _categories(values, name))
        numbers = _as_numbers(values, name)
        scale = float(numbers.std())
        return ConditionColumn("continuous", None, float(numbers.mean()), scale or 1.0)

    def _name(self, number: int) -> str:
        if self.ndim_ == 1:
            return "y"
        label = number if self.names_ is None else repr(self.names_[number])
        return f"column {label} of y"

    @property
    def width(self) -> int:
        """Length of the vector."""
        return sum(column.width for column in self.columns_)

    @property
    def classes(self) -> Array | None:
        """Classes, if y is one column of them."""
        if self.ndim_ == 1 and self.columns_[0].kind == "class":
            return self.columns_[0].categories
        return None

    @property
    def is_continuous(self) -> bool:
        """Whether y is one column of numbers."""
        return self.ndim_ == 1 and self.columns_[0].kind == "continuous"

    def encode(self, y: Any) -> Array:
        """Return (n, width) numbers for (n,) or (n, k) conditions."""
        columns = self._checked(y)
        parts = [
            column.encode(values, self._name(number))
            for number, (column, values) in enumerate(
                zip(self.columns_, columns, strict=True)
            )
        ]
        return np.concatenate(parts, axis=1)

    def strata(self, y: Any) -> Array | None:
        """Return codes of the combinations of classes; None if there are none."""
        if not self.columns_:
            return None
        found = [
            column.codes(values, self._name(number))
            for number, (column, values) in enumerate(
                zip(self.columns_, self._checked(y), strict=True)
            )
            if column.kind == "class"
        ]
        if not found:
            return None
        if len(found) == 1:
            return np.unique(found[0], return_inverse=True)[1]
        return np.unique(np.stack(found, 1), axis=0, return_inverse=True)[1].ravel()

    def _checked(self, y: Any) -> list[Array]:
        columns = _columns_of(y)
        if len(columns) != len(self.columns_) or np.ndim(y) != self.ndim_:
            wanted = "(n,)" if self.ndim_ == 1 else f"(n, {len(self.columns_)})"
            raise ValueError(
                f"y has shape {np.shape(y)}, but in fit it was of shape {wanted}. Pass "
                "conditions of that shape."
            )
        return columns


def _columns_of(y: Any) -> list[Array]:
    if hasattr(y, "columns"):
        return [np.asarray(y.iloc[:, i]) for i in range(y.shape[1])]
    values = np.asarray(y)
    if values.ndim == 1:
        return [values]
    if values.ndim == 2:
        return list(values.T)
    raise ValueError(
        f"y has shape {values.shape}; conditions are one value or one row of values a "
        "sample. Pass maps as condition=."
    )


def _guess(values: Array) -> str:
    if values.dtype.kind in "biuUSO":
        if values.dtype.kind in "iu" and _too_many(values, 0.2):
            return "continuous"
        numeric = values.dtype.kind != "O" or _is_numeric(values)
        return (
            "class" if not numeric or values.dtype.kind != "O" else _guess_float(values)
        )
    return _guess_float(values)


def _guess_float(values: Array) -> str:
    numbers = np.asarray(values, dtype=np.float64)
    whole = bool(np.all(numbers == np.round(numbers)))
    few = len(np.unique(numbers)) <= _FEW and not _too_many(numbers, 0.5)
    return "class" if whole and few else "continuous"


def _too_many(values: Array, share: float) -> bool:
    """Tell whether values are too many for labels: measurements in whole numbers."""
    n = len(np.unique(values))
    return n > _FEW and n > share * len(values)


def _is_numeric(values: Array) -> bool:
    return all(isinstance(v, (int, float, np.number)) for v in values) and not any(
        isinstance(v, (bool, np.bool_)) for v in values
    )


def _as_numbers(values: Array, name: str) -> Array:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be numbers, since it is a continuous condition: {error}"
        ) from error
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"Input {name} contains NaN or infinity. Drop those rows, or pass a y "
            "without them."
        )
    return numbers


def _categories(values: Array, name: str) -> Array:
    if pd.isna(values).any():
        raise ValueError(
            f"Input {name} contains NaN. Drop those rows or name a class for them."
        )
    try:
        return np.unique(values)
    except TypeError as error:
        raise TypeError(
            f"{name} mixes values that cannot be sorted: {error}. Use one type."
        ) from error
