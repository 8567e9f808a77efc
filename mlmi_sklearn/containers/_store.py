"""The instance store: one array that holds the instances of all bags.

A store is an ``ndarray`` (also one over a memory map), a CSR matrix or a lazy
:class:`~mlmi_sklearn.containers._files.FileStore`. All three have ``shape``,
``dtype`` and ``ndim`` and can be sliced along their first axis; the functions here
are the only places that tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from mlmi_sklearn.containers._files import FileStore
from mlmi_sklearn.exceptions import BagError

Instances = Any
"""An array, CSR matrix or file store of shape (n_instances, ...)."""

# From this mean bag size on, copying slice by slice beats one fancy index.
_SLICE_FROM = 16


def as_numpy(array: Any) -> Any:
    """Turn a torch tensor, frame or nested list into an array, leave sparse as is."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        wide: Any = array.astype(np.result_type(array, np.float32))
        return wide.filled(np.nan)
    if isinstance(array, np.ndarray | FileStore) or sparse.issparse(array):
        return array
    if hasattr(array, "detach") and hasattr(array, "cpu"):
        array = array.detach().cpu()
        try:
            return array.numpy()
        except TypeError:  # bfloat16 has no numpy counterpart
            return array.float().numpy()
    try:
        return np.asarray(array)
    except ValueError as error:
        raise BagError(
            f"A {type(array).__name__} is no array: {error}. For a list with one array "
            "for each bag use Bags.from_list."
        ) from error


def numbers_of(df: pd.DataFrame) -> np.ndarray:
    """Return numeric columns as one array; missing values become NaN."""
    if df.isna().to_numpy().any():
        # Extension types need to be told; plain ones do not mind.
        return df.to_numpy(dtype=np.float64, na_value=np.nan)
    return df.to_numpy()


def as_numeric(array: Any, where: str) -> Any:
    """Return `array` with a numeric dtype, or say why it has none."""
    kind = array.dtype.kind
    if kind in "biuf":
        return array
    if kind == "c":
        raise BagError(
            f"Complex data not supported: {where} has dtype {array.dtype}. Pass real "
            "features, for example the modulus and the phase."
        )
    if kind == "O":
        try:
            return array.astype(np.float64)
        except (ValueError, OverflowError) as error:
            raise BagError(
                f"{where} holds values that are not numbers ({error}). Encode or drop "
                "them first."
            ) from error
    raise BagError(
        f"{where} has dtype {array.dtype}, but instances must be numbers. Encode text "
        "and dates first, for example with OrdinalEncoder."
    )


def as_store(values: Any, name: str) -> Instances:
    """Validate flat instances and return them as a read-only store, uncopied."""
    values = as_numpy(values)
    if values.ndim < 2:
        raise BagError(
            f"{name} must have shape (n_instances, n_features) or more axes, got "
            f"{values.shape}. For a single feature use {name}.reshape(-1, 1)."
        )
    values = as_numeric(values, name)
    if isinstance(values, FileStore):
        return values
    return values.tocsr() if sparse.issparse(values) else frozen(values)


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only plain view of `array`."""
    # Plain even for a memory map: slicing np.memmap runs Python code every time.
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def gather(
    store: Instances, starts: np.ndarray, lengths: np.ndarray, stops: np.ndarray
) -> Instances:
    """Return the rows of all bags one after another; uncopied where contiguous.

    `stops` are the ends of the bags in the result, ``lengths.cumsum()``.
    """
    total = int(stops[-1]) if len(stops) else 0
    first = int(starts[0]) if len(starts) else 0
    if np.array_equal(starts[1:], first + stops[:-1]):
        # Slicing CSR copies, so the whole matrix is handed out as it is.
        whole = first == 0 and total == store.shape[0]
        uncut = whole and sparse.issparse(store)
        return store if uncut else store[first : first + total]
    if not sparse.issparse(store) and total >= _SLICE_FROM * len(starts):
        ends = starts + lengths
        return np.concatenate(
            [store[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        )
    return store[row_index(starts, lengths, stops)]


def row_index(starts: np.ndarray, lengths: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return the store row of every instance, in bag order."""
    shift = np.repeat(starts - (stops - lengths), lengths)
    return shift + np.arange(len(shift))


def stack(parts: Sequence[Instances]) -> Instances:
    """Join instances of several bags or containers into one array."""
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(list(parts), format="csr")
    return np.concatenate(list(parts))


def same_values(left: Instances, right: Instances) -> bool:
    """Tell whether two flat arrays hold the same numbers, NaN equal to NaN."""
    if left.shape != right.shape or sparse.issparse(left) != sparse.issparse(right):
        return False
    if not sparse.issparse(left):
        floating = left.dtype.kind == "f" and right.dtype.kind == "f"
        return np.array_equal(left, right, equal_nan=floating)
    left, right = _canonical(left), _canonical(right)
    return all(
        np.array_equal(getattr(left, part), getattr(right, part), equal_nan=True)
        for part in ("indptr", "indices", "data")
    )


def _canonical(matrix: Any) -> Any:
    """Return a sorted copy of a CSR matrix without stored zeros or duplicates."""
    matrix = matrix.copy()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix
