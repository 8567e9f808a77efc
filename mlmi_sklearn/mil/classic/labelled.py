"""Bags with their labels and weights, as the classical learners pass them around."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

from ...containers import Bags

__all__ = ["LabelledBags", "digests", "folds"]

Array = NDArray[Any]
Fold = tuple[Array, Array]


@dataclass(frozen=True)
class LabelledBags:
    """Training bags.

    Parameters
    ----------
    bags : Bags
        The bags; their ``y_instances``, where there are any, are known labels.
    codes : ndarray of int of shape (n_bags,)
        Numbers of classes, from 0.
    weight : ndarray of shape (n_bags,)
        Positive weights.
    ids : ndarray of int of shape (n_bags,)
        Equal for bags that are copies of each other; see :func:`digests`.
    """

    bags: Bags
    codes: Array
    weight: Array
    ids: Array

    def take(self, indices: Array) -> LabelledBags:
        """Return some of the bags.

        Parameters
        ----------
        indices : ndarray of int
            Positions.

        Returns
        -------
        LabelledBags
            A view; no instance is copied.
        """
        return LabelledBags(
            self.bags[indices],
            self.codes[indices],
            self.weight[indices],
            self.ids[indices],
        )

    def distinct(self) -> LabelledBags:
        """Return each bag once, with the weights of its copies added up.

        Returns
        -------
        LabelledBags
            Ordered by content, so that what is learned from it depends neither on the
            order of the bags nor, to the last bit, on whether a bag is repeated or
            weighs more.
        """
        key = np.column_stack([self.codes, self.ids])
        _, first, where = np.unique(key, axis=0, return_index=True, return_inverse=True)
        once = self.take(first)
        weight = np.bincount(where.reshape(-1), self.weight, len(first))
        return LabelledBags(once.bags, once.codes, weight, once.ids)

    def weight_of_instances(self, *, share: bool) -> Array:
        """Hand the weights of bags down to their instances.

        Parameters
        ----------
        share : bool
            Whether the instances of a bag share its weight, so that all bags of equal
            weight count alike; otherwise each instance has it.

        Returns
        -------
        ndarray of shape (n_instances,)
            Weights of the same sum either way, so that regularisation keeps its
            strength.
        """
        lengths = self.bags.lengths
        weight = self.weight
        if share:
            mean_length = (weight @ lengths) / weight.sum()
            weight = weight * mean_length / lengths
        return np.repeat(weight, lengths)


def digests(bags: Bags) -> Array:
    """Give bags numbers by content.

    Parameters
    ----------
    bags : Bags
        Bags of vectors, dense or CSR.

    Returns
    -------
    ndarray of int of shape (n_bags,)
        Equal numbers for bags of equal instances in equal order and of equal known
        labels. The order of the numbers depends on nothing but the contents.

    Examples
    --------
    >>> import numpy as np
    >>> a, b, c = digests(Bags(np.array([[1.0], [2.0], [1.0]]), [1, 1, 1]))
    >>> bool(a == c), bool(a == b)
    (True, False)
    """
    labels = bags.y_instances
    if labels is not None:
        labels = np.ascontiguousarray(labels, dtype=np.int64)
    names = [
        blake2b(
            content + (b"" if labels is None else labels[a:b].tobytes()),
            digest_size=16,
        ).digest()
        for content, a, b in _contents(bags)
    ]
    return np.unique(np.array(names, dtype="S16"), return_inverse=True)[1]


def _contents(bags: Bags) -> Iterable[tuple[bytes, int, int]]:
    """Yield the bytes of each bag, and where it begins and ends."""
    values = bags.values
    ends = np.cumsum(bags.lengths)
    spans = zip((ends - bags.lengths).tolist(), ends.tolist(), strict=True)
    if not sparse.issparse(values):
        values = np.ascontiguousarray(values)
        yield from ((values[a:b].tobytes(), a, b) for a, b in spans)
        return
    values = values.copy()
    values.sum_duplicates()
    values.eliminate_zeros()
    for a, b in spans:
        columns = slice(values.indptr[a], values.indptr[b])
        rows = np.diff(values.indptr[a : b + 1]).astype(np.int64)
        parts = (rows, values.indices[columns].astype(np.int64), values.data[columns])
        yield b"".join(part.tobytes() for part in parts), a, b


def folds(cv: Any, data: LabelledBags, y: Array, kept: Array) -> list[Fold] | None:
    """Split bags for scores out of fold.

    Parameters
    ----------
    cv : int, splitter or iterable of (train, test)
        A number asks for stratified folds, which keep together what has the same
        ``groups`` and copies of one bag; fewer folds if a class has fewer members.
    data : LabelledBags
        The bags that count.
    y : ndarray of shape (n_all,)
        Labels of all bags as the user passed them, to which splits refer.
    kept : ndarray of int of shape (n_bags,)
        Positions of the bags that count among all.

    Returns
    -------
    list of (train, test) or None
        Positions in `data`; None if a number of folds was asked for but classes, or
        groups, are too few to train without one part.

    Raises
    ------
    ValueError
        If a splitter leaves a class out of the training part of a fold.
    """
    n_classes = len(np.unique(data.codes))
    if isinstance(cv, (int, np.integer)):
        n_folds = _possible_folds(int(cv), data)
        found = _stratified(n_folds, data) if n_folds > 1 else []
        whole = [len(np.unique(data.codes[train])) == n_classes for train, _ in found]
        return found if found and all(whole) else None
    new = np.full(len(y), -1)
    new[kept] = np.arange(len(kept))
    groups = None
    if data.bags.groups is not None:
        groups = np.empty(len(y), dtype=data.bags.groups.dtype)
        groups[kept] = data.bags.groups
    found = []
    for parts in check_cv(cv, y, classifier=True).split(
        np.zeros((len(y), 1)), y, groups
    ):
        train, test = (new[part][new[part] >= 0] for part in parts)
        if len(np.unique(data.codes[train])) < n_classes:
            raise ValueError(
                f"cv={cv!r} leaves a class out of the training bags of a fold. Pass "
                "folds that hold every class, a number, or threshold=0.0."
            )
        found.append((train, test))
    return found


def _possible_folds(cv: int, data: LabelledBags) -> int:
    """Count folds so that each can be spared without losing a class."""
    units = data.ids if data.bags.groups is None else data.bags.groups
    members = [len(np.unique(units[data.codes == c])) for c in np.unique(data.codes)]
    return min(cv, *members)


def _stratified(n_folds: int, data: LabelledBags) -> list[Fold]:
    """Split distinct bags; copies go where the first one goes."""
    groups = data.bags.groups
    key = np.column_stack([data.codes, data.ids])
    if groups is not None:
        key = np.column_stack([key, np.unique(groups, return_inverse=True)[1]])
    _, first, where = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # as the bags came
    codes = data.codes[first[order]]
    if groups is None:
        split = StratifiedKFold(n_folds).split(codes, codes)
    else:
        split = StratifiedGroupKFold(n_folds).split(codes, codes, groups[first[order]])
    everything = np.arange(len(data.codes))
    found = []
    for _, test in split:
        inside = np.isin(where.reshape(-1), order[test])
        found.append((everything[~inside], everything[inside]))
    return found
