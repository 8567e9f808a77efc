"""Checks for what accompanies the instances: lengths, ids, groups, coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlmi_sklearn.containers._store import as_numeric, as_numpy, frozen
from mlmi_sklearn.exceptions import BagError


def bag_lengths(lengths: Any, n_instances: int) -> np.ndarray:
    """Validate bag sizes: whole numbers of at least one that add up."""
    array = np.asarray(as_numpy(lengths))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise BagError(
            "lengths must be one whole number per bag, got "
            f"dtype {array.dtype} and shape {array.shape}."
        )
    array = array.astype(np.int64)
    if array.size and array.min() < 1:
        raise BagError(
            f"lengths: bag {int(array.argmin())} is empty (length {array.min()}). "
            "Drop empty bags, and their labels, first."
        )
    if array.sum() != n_instances:
        raise BagError(
            f"lengths add up to {array.sum()}, but values has {n_instances} instances."
        )
    return sealed(array)


def sealed(array: np.ndarray) -> np.ndarray:
    """Make a freshly made array read-only."""
    array.flags.writeable = False
    return array


def per_bag(field: Any, name: str, n_bags: int) -> np.ndarray | None:
    """Validate a field with one entry per bag, such as groups; copies."""
    if field is None:
        return None
    array = np.array(as_numpy(field))
    if array.shape != (n_bags,):
        raise BagError(
            f"{name} must have one entry per bag: expected shape ({n_bags},), got "
            f"{array.shape}."
        )
    return sealed(array)


def unique_ids(bag_ids: Any, n_bags: int) -> np.ndarray | None:
    """Validate bag ids, which must name one bag each."""
    ids = per_bag(bag_ids, "bag_ids", n_bags)
    if ids is None:
        return None
    repeated = pd.Index(ids).duplicated()
    if repeated.any():
        raise BagError(
            f"bag_ids must differ, but {ids[repeated][0]!r} names several bags. If "
            "their instances are one bag, join them (Bags.from_frame does); otherwise "
            "rename them."
        )
    return ids


def per_instance(
    field: Any, name: str, lengths: np.ndarray, *, ndim: int = 1
) -> np.ndarray | None:
    """Validate a flat or ragged field with one row per instance.

    `ndim` is the number of axes of the flat form: 1 for labels, 2 for coordinates.
    """
    if field is None:
        return None
    if _is_ragged(field, ndim):
        field = _flatten(field, name, lengths)
    array = as_numeric(np.asarray(as_numpy(field)), name)
    total = int(lengths.sum())
    if array.ndim < ndim or len(array) != total:
        shape = "(n_instances,)" if ndim == 1 else "(n_instances, n_axes)"
        raise BagError(
            f"{name} must have one row per instance: expected shape {shape} with "
            f"{total} instances, or a list with one array per bag; got {array.shape}."
        )
    return frozen(array)


def _is_ragged(field: Any, ndim: int) -> bool:
    """Tell a list with one array per bag from an array with one row per instance."""
    dtype = getattr(field, "dtype", None)
    listed = isinstance(field, list | tuple) or (
        isinstance(dtype, np.dtype) and dtype.kind == "O"
    )
    return listed and len(field) > 0 and as_numpy(next(iter(field))).ndim == ndim


def _flatten(field: Sequence[Any], name: str, lengths: np.ndarray) -> np.ndarray:
    """Join a field given per bag, checking the length of every part."""
    parts = [as_numpy(part) for part in field]
    if len(parts) != len(lengths):
        raise BagError(f"{name} lists {len(parts)} bags, but there are {len(lengths)}.")
    for index, (part, length) in enumerate(zip(parts, lengths.tolist(), strict=True)):
        if len(part) != length:
            raise BagError(
                f"{name}[{index}] has {len(part)} rows, but bag {index} has {length} "
                "instances."
            )
    return np.concatenate(parts)


def names_of_features(names: Any, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """Validate feature names against the shape of one instance."""
    if names is None:
        return None
    labels = tuple(str(name) for name in names)
    if len(shape) != 1 or len(labels) != shape[0]:
        raise BagError(
            f"feature_names has {len(labels)} names, but instances have shape {shape}."
        )
    return labels
