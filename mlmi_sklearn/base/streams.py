"""Streams as inputs of an estimator: recognised, validated, and turned into rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from ..containers import Stream
from ..training.batches import GATHER_LIMIT
from ..training.data import Targets
from ..training.streams import BlockRows, StreamRows
from .inputs import as_tensor, read_array, require_shape
from .targets import Encoded

__all__ = ["Recoder", "as_stream", "read_stream", "stream_rows", "stream_targets"]

Array = NDArray[Any]


def as_stream(X: Any) -> Any:
    """Make a stream of what is too large for memory, or not there at all.

    Parameters
    ----------
    X : object
        What the user passed.

    Returns
    -------
    Stream or object
        ``X`` itself unless it is a large memory map, a dask collection, or a data set
        or loader of PyTorch.

    Examples
    --------
    >>> X = np.zeros((4, 2))
    >>> as_stream(X) is X
    True
    >>> as_stream(torch.utils.data.TensorDataset(torch.zeros(4, 2), torch.ones(4))).y
    array([1., 1., 1., 1.], dtype=float32)
    """
    if isinstance(X, np.memmap):
        # A memory map of few bytes is sooner read than treated as one.
        size = X.size * max(X.dtype.itemsize, 4)
        return Stream(X) if X.ndim > 1 and size > GATHER_LIMIT else X
    kind = type(X).__module__
    if kind.startswith(("dask.array", "dask.dataframe")):
        return Stream(X)
    return Stream(X) if isinstance(X, (Dataset, DataLoader)) else X


def read_stream(
    estimator: Any, X: Stream, shape: tuple[int, ...] | None, *, reset: bool
) -> Stream:
    """Validate what the first row shows; numbers are checked when they are read.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : Stream
        The samples.
    shape : tuple of int or None
        Shape of a sample in training; None if this is training.
    reset : bool
        Whether this is training data.

    Returns
    -------
    Stream
        The same.
    """
    head = X.head()
    if head.ndim < 2:
        raise ValueError(
            f"Expected samples of at least one dimension, but those of the stream are "
            f"single numbers (the first is {head[0]!r}). Reshape them to (1,) each, "
            "say with Stream(X).map(lambda x: x[:, None])."
        )
    if shape is not None:
        require_shape(estimator, head, shape)
    names = X.feature_names
    read_array(
        estimator,
        head if names is None else pd.DataFrame(head, columns=names),
        reset=reset,
    )
    return X


def stream_rows(
    inputs: Stream, dtype: torch.dtype, encoded: Encoded | None = None
) -> StreamRows:
    """Turn a stream into rows for batches.

    Parameters
    ----------
    inputs : Stream
        The samples.
    dtype : torch.dtype
        Type of the batches.
    encoded : Encoded, default=None
        Targets, if this is training.

    Returns
    -------
    StreamRows or BlockRows
        By whether single rows can be read.
    """
    if inputs.reads_single_rows:
        return StreamRows(inputs, dtype)
    if encoded is None or not inputs.y_in_data or inputs.y is None:
        return BlockRows(inputs, dtype)
    recode = Recoder(inputs.y, encoded, dtype, strict=inputs.is_selection)
    return BlockRows(inputs, dtype, recode=recode)


def stream_targets(X: Stream, y: Any) -> Any:
    """Return the targets of a fit: those passed, or else those of the stream.

    Parameters
    ----------
    X : Stream
        The samples.
    y : array-like or None
        What was passed as y.

    Returns
    -------
    array-like or None
        One target a row.

    Raises
    ------
    ValueError
        If an iterable data set yields targets, and others were passed.
    """
    if y is None:
        return X.y
    if X.y_in_data and X.y is not None and not np.array_equal(np.asarray(y), X.y):
        raise ValueError(
            "The data set yields targets, and y holds others. Pass y=None, or a data "
            "set that yields samples alone."
        )
    return y


class Recoder:
    """Encodes targets that each pass brings along, perhaps in another order.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, n_outputs)
        Targets of the first pass.
    encoded : Encoded
        The same, encoded.
    dtype : torch.dtype
        Of numbers and weights.
    strict : bool, default=False
        Whether rows must come in the same order in each pass.

    Examples
    --------
    >>> y = np.array(["no", "yes"])
    >>> recode = Recoder(y, Encoded(np.array([0, 1]), 1), torch.float32)
    >>> rows = np.array([0, 1])
    >>> recode(rows, y), recode(rows, y[::-1]).y
    (None, tensor([1, 0]))
    """

    def __init__(
        self, y: Array, encoded: Encoded, dtype: torch.dtype, *, strict: bool = False
    ) -> None:
        self.y = y
        self.encoded = encoded
        self.dtype = dtype
        self.strict = strict

    def select(self, rows: Array) -> Recoder:
        """Return the same for some of the rows, which must keep their places."""
        weight = self.encoded.weight
        part = replace(
            self.encoded,
            y=self.encoded.y[rows],
            weight=None if weight is None else weight[rows],
        )
        return Recoder(self.y[rows], part, self.dtype, strict=True)

    def __call__(self, rows: Array, y: Array) -> Targets | None:
        """Return targets; None where they stand at the same rows as in the first.

        Parameters
        ----------
        rows : ndarray of int
            Places of the rows in this pass.
        y : ndarray
            Their targets.

        Returns
        -------
        Targets or None
            Encoded.
        """
        if rows[-1] < len(self.y) and np.array_equal(self.y[rows], y):
            return None
        if self.strict or not self._weights_follow_y:
            raise ValueError(_OTHER_ORDER)
        keys, first = self._table
        found = _keys(y.astype(self.y.dtype, copy=False))
        place = np.searchsorted(keys, found).clip(max=len(keys) - 1)
        if (keys[place] != found).any():
            raise ValueError(
                "The data set yields targets that it did not yield in its first pass. "
                "A stream must have the same rows in each epoch, in any order."
            )
        weight = self.encoded.weight
        codes = as_tensor(self.encoded.y[first[place]])
        return Targets(
            codes.to(self.dtype) if codes.is_floating_point() else codes,
            None if weight is None else as_tensor(weight[first[place]], self.dtype),
        )

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """Sorted targets, and a row of each."""
        return np.unique(_keys(self.y), return_index=True)

    @cached_property
    def _weights_follow_y(self) -> bool:
        """Whether rows of one target have one weight, as from class_weight."""
        weight = self.encoded.weight
        if weight is None:
            return True
        keys, first = self._table
        return bool(
            (weight == weight[first[np.searchsorted(keys, _keys(self.y))]]).all()
        )


def _keys(y: Array) -> Array:
    """View rows of several targets as one sortable value each."""
    if y.ndim == 1:
        return y
    y = np.ascontiguousarray(y)
    return y.view([(f"y{i}", y.dtype) for i in range(y.shape[1])]).reshape(-1)


_OTHER_ORDER = (
    "The data set yields its rows in another order in each pass, so that those of "
    "sample_weight, early_stopping or a split cannot be told apart. Pass one that does "
    "not shuffle: rows are shuffled on their way."
)
