"""What is known of instances beside their features, as tensors for the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from ..base.inputs import as_tensor
from ..containers import Bags
from ..exceptions import BagError
from ..training.ragged import RaggedTensor
from .objective import NEIGHBOURS
from .streaming import StreamedBags

__all__ = ["LabelledInstances", "attach", "encode_classes", "neighbours", "positions"]

Array = NDArray[Any]

# Tiles on a grid have this many around them.
_N_NEIGHBOURS = 8


@dataclass(frozen=True)
class LabelledInstances:
    """What a user passed as X, with labels of its instances."""

    X: Any
    y_instances: Any


def attach(
    rows: RaggedTensor | StreamedBags, fields: dict[str, Tensor]
) -> RaggedTensor | StreamedBags:
    """Return the same bags with further fields of their instances.

    Parameters
    ----------
    rows : RaggedTensor or StreamedBags
        The bags.
    fields : dict of str to Tensor of shape (n_instances, ...)
        The fields.

    Returns
    -------
    RaggedTensor or StreamedBags
        Shares the instances.
    """
    if isinstance(rows, StreamedBags):
        companion = attach(rows.companion, fields)
        return StreamedBags(rows.bags, rows.dtype, companion)  # type: ignore[arg-type]
    return RaggedTensor(
        rows.values, rows.lengths, rows.offsets, {**rows.fields, **fields}
    )


def encode_classes(labels: Array, classes: Array) -> Array:
    """Turn labels of instances into codes, -1 where unknown.

    Parameters
    ----------
    labels : ndarray of shape (n_instances,)
        Classes, or 0 and 1 for the first and second of two classes; -1 or NaN where
        unknown.
    classes : ndarray of shape (n_classes,)
        Classes of bags, sorted.

    Returns
    -------
    ndarray of int64 of shape (n_instances,)
        Positions in ``classes``, or -1.

    Raises
    ------
    BagError
        If a label is none of these.

    Examples
    --------
    >>> encode_classes(np.array([0, -1, 1]), np.array(["benign", "malignant"]))
    array([ 0, -1,  1])
    """
    labels = np.asarray(labels)
    unknown = (labels == -1) | np.isnan(labels.astype(float))
    values = np.unique(labels[~unknown])
    if classes.dtype.kind in "biuf" and np.isin(values, classes).all():
        codes = np.searchsorted(classes, labels)
    elif not len(values) or (len(classes) == 2 and np.isin(values, (0, 1)).all()):
        codes = labels
    else:
        raise BagError(
            f"y_instances holds {values.tolist()}, but the classes of bags are "
            f"{classes.tolist()}. Use these, or 0 and 1 for the first and second of "
            "two classes, and -1 where the label is unknown."
        )
    return np.where(unknown, -1, codes).astype(np.int64)


def positions(bags: Bags, wanted_by: str, instead: str) -> Array:
    """Return the coordinates of instances, where something cannot do without.

    Parameters
    ----------
    bags : Bags
        The bags.
    wanted_by, instead : str
        What needs them, and what to do where there are none, for messages.

    Returns
    -------
    ndarray of shape (n_instances, n_axes)
        All of them finite.

    Raises
    ------
    BagError
        If the bags have no coordinates, or some are not finite.
    """
    coords = bags.coords
    if coords is None:
        raise BagError(
            f"{wanted_by} needs positions of the instances: pass Bags with "
            f"coords=, or {instead}."
        )
    if not np.isfinite(coords).all():
        row = int(np.flatnonzero(~np.isfinite(coords).all(axis=1))[0])
        raise BagError(
            f"coords holds NaN or infinity, first for instance {row} of all; "
            f"{wanted_by} needs every position."
        )
    return coords


def neighbours(bags: Bags) -> dict[str, Tensor]:
    """Find the nearest instances of each instance in its bag.

    Parameters
    ----------
    bags : Bags
        With coordinates.

    Returns
    -------
    dict of str to Tensor of shape (n_instances, 9)
        Position in its bag of the instance, then of its neighbours; its own again in
        bags with fewer.

    Raises
    ------
    BagError
        If the bags have no coordinates, or some are not finite.
    """
    coords = positions(bags, "smoothness above 0", "set smoothness=0")
    found = np.empty((bags.n_instances, 1 + _N_NEIGHBOURS), dtype=np.int64)
    starts, ends = bags.offsets[:-1].tolist(), bags.offsets[1:].tolist()
    for start, end in zip(starts, ends, strict=True):
        found[start:end] = np.arange(end - start)[:, None]
        k = min(_N_NEIGHBOURS, end - start - 1)
        if k:
            points = coords[start:end]
            near = cKDTree(points).query(points, k=k + 1)[1]
            found[start:end, 1 : k + 1] = _others(near)
    return {NEIGHBOURS: as_tensor(found)}


def _others(near: Array) -> Array:
    """Drop each point from its own neighbours."""
    own = np.arange(len(near))[:, None]
    # A point that lies elsewhere twice may not find itself first, or not at all.
    is_own = near == own
    is_own[~is_own.any(axis=1), -1] = True
    return near[~is_own].reshape(len(near), -1)
