"""Scaling all values of a table: column by column, or with the user's transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .scaling import Scale, fit_scale

__all__ = [
    "PREPROCESS",
    "ByColumn",
    "ByTransformer",
    "check_preprocess",
    "fit_scaling",
]

Array = NDArray[Any]

PREPROCESS = ("auto", "standard", "minmax", "none")


@dataclass
class ByColumn:
    """One scale for each column of values.

    Parameters
    ----------
    scales : list of Scale
        They.
    """

    scales: list[Scale]

    @property
    def kinds(self) -> list[str]:
        """Kinds of the blocks of the columns in model space."""
        return [scale.block for scale in self.scales]

    def encode(self, columns: list[Array]) -> Array:
        """Return scaled values (n, n_values); 0 where there is none (NaN)."""
        scaled = np.empty((len(columns[0]), len(columns)))
        for j, (scale, values) in enumerate(zip(self.scales, columns, strict=True)):
            scaled[:, j] = scale.encode(values)
        return np.nan_to_num(scaled, copy=False, nan=0.0)

    def decode(self, scaled: Array) -> list[Array]:
        """Return the columns of values."""
        return [
            scale.decode(scaled[:, j].astype(np.float64))
            for j, scale in enumerate(self.scales)
        ]


@dataclass
class ByTransformer:
    """A transformer of scikit-learn for all values together.

    Parameters
    ----------
    transformer : transformer
        Fitted.
    fill : ndarray of shape (n_values,)
        Stand-ins for values that there are not.
    width : int
        Columns it returns.
    """

    transformer: Any
    fill: Array
    width: int

    @property
    def kinds(self) -> list[str]:
        """Kinds of the blocks of the columns in model space."""
        return ["linear"] * self.width

    def encode(self, columns: list[Array]) -> Array:
        """Return transformed values (n, width)."""
        values = np.stack(columns, 1)
        values = np.where(np.isnan(values), self.fill, values)
        return _dense(self.transformer.transform(values))

    def decode(self, scaled: Array) -> list[Array]:
        """Return the columns of values."""
        values = _dense(self.transformer.inverse_transform(scaled))
        # Beyond what it can invert, such as Yeo-Johnson beyond its bound.
        return list(np.where(np.isnan(values), self.fill, values).T)


def check_preprocess(preprocess: Any) -> Any:
    """Return ``preprocess`` if it is a known name or an invertible transformer.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(preprocess, str) and preprocess in PREPROCESS:
        return preprocess
    methods = ("fit", "transform", "inverse_transform")
    if isinstance(preprocess, type) or not all(hasattr(preprocess, m) for m in methods):
        raise ValueError(
            f"preprocess must be one of {', '.join(map(repr, PREPROCESS))} or a "
            f"transformer with {', '.join(methods)}, got {preprocess!r}."
        )
    return preprocess


def fit_scaling(
    columns: list[Array], preprocess: Any, shared: list[tuple[float, float] | None]
) -> ByColumn | ByTransformer:
    """Return the scaling of values.

    Parameters
    ----------
    columns : list of ndarray of shape (n,)
        Values, NaN where there are none.
    preprocess : str or transformer
        As :class:`~.table.TableCodec` takes it.
    shared : list of ((low, high) or None)
        For each column the range that it shares.
    """
    known = [values[~np.isnan(values)] for values in columns]
    if isinstance(preprocess, str) or not columns:
        mode = preprocess if isinstance(preprocess, str) else "auto"
        pairs = zip(known, shared, strict=True)
        return ByColumn([fit_scale(values, mode, common) for values, common in pairs])
    fill = np.array([np.median(values) for values in known])
    values = np.stack(columns, 1)
    values = np.where(np.isnan(values), fill, values)
    transformer = clone(preprocess).fit(values)
    width = _dense(transformer.transform(values[:1])).shape[1]
    return ByTransformer(transformer, fill, width)


def _dense(values: Any) -> Array:
    """Return the output of a transformer as an array."""
    values = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(values, dtype=np.float64)
