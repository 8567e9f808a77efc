"""What a :class:`Bags` object stores and what can be read off it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from mlmi_sklearn.containers import _memmap, _store
from mlmi_sklearn.containers._files import FileStore


class BagAttributes:
    """State of :class:`Bags`, and its read-only attributes.

    ``_store``, ``_coords`` and ``_y_instances`` are aligned with the rows of the store;
    ``_starts``, ``_lengths``, ``_bag_ids`` and ``_groups`` with the bags of this view.
    """

    __slots__ = (
        "__weakref__",
        "_bag_ids",
        "_coords",
        "_feature_names",
        "_groups",
        "_lengths",
        "_packed",
        "_starts",
        "_store",
        "_y_instances",
    )
    _STATE: ClassVar = tuple(
        s for s in __slots__ if s not in ("__weakref__", "_packed")
    )
    _FLAT: ClassVar = ("_store", "_coords", "_y_instances")
    _COMPARED: ClassVar = (
        "lengths",
        "feature_names",
        "bag_ids",
        "groups",
        "coords",
        "y_instances",
    )

    _store: Any
    _starts: np.ndarray
    _lengths: np.ndarray
    _bag_ids: np.ndarray | None
    _groups: np.ndarray | None
    _coords: np.ndarray | None
    _y_instances: np.ndarray | None
    _feature_names: tuple[str, ...] | None

    @property
    def values(self) -> Any:
        """Instances of all bags in bag order; not copied where they are contiguous."""
        return self._flat(self._store)

    @property
    def lengths(self) -> np.ndarray:
        """Number of instances in each bag, an int64 array of shape (n_bags,)."""
        return self._lengths

    @property
    def offsets(self) -> np.ndarray:
        """Bag i is ``values[offsets[i]:offsets[i + 1]]``; shape (n_bags + 1,)."""
        return np.concatenate([[0], self._lengths.cumsum()])

    @property
    def bag_ids(self) -> np.ndarray | None:
        """Names of the bags, or None."""
        return self._bag_ids

    @property
    def groups(self) -> np.ndarray | None:
        """Group of each bag, or None."""
        return self._groups

    @property
    def coords(self) -> np.ndarray | None:
        """Positions of the instances in bag order, or None."""
        return None if self._coords is None else self._flat(self._coords)

    @property
    def y_instances(self) -> np.ndarray | None:
        """Labels of the instances in bag order, or None."""
        return None if self._y_instances is None else self._flat(self._y_instances)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the features, or None."""
        return self._feature_names

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_bags, 1)``: one row per bag."""
        return len(self._lengths), 1

    @property
    def n_instances(self) -> int:
        """Number of instances in all bags."""
        return int(self._lengths.sum())

    @property
    def instance_shape(self) -> tuple[int, ...]:
        """Shape of one instance."""
        return tuple(self._store.shape[1:])

    @property
    def n_features(self) -> int:
        """Number of values in one instance."""
        return int(np.prod(self.instance_shape))

    @property
    def instance_dtype(self) -> np.dtype[Any]:
        """Type of the numbers; reads nothing."""
        return np.dtype(self._store.dtype)

    @property
    def is_sparse(self) -> bool:
        """Whether the instances are kept in a CSR matrix."""
        return bool(sparse.issparse(self._store))

    @property
    def is_lazy(self) -> bool:
        """Whether the instances are in files, of which :attr:`values` reads all."""
        return isinstance(self._store, FileStore)

    @property
    def is_contiguous(self) -> bool:
        """Whether :attr:`values` is a view of one array and copies nothing."""
        steps = self._starts[:1].repeat(len(self._starts)) + self.offsets[:-1]
        return not self.is_lazy and np.array_equal(self._starts, steps)

    def _flat(self, field: Any) -> Any:
        """Return rows of a store-aligned field in bag order."""
        return _store.gather(field, self._starts, self._lengths, self._lengths.cumsum())

    def _shares_store(self, other: BagAttributes) -> bool:
        """Tell whether both are views of one store with one set of fields."""
        return all(getattr(self, name) is getattr(other, name) for name in self._FLAT)

    def _is_compact(self) -> bool:
        """Tell whether an in-memory store holds exactly these bags in this order."""
        in_memory = self.is_sparse or _memmap.root(self._store) is None
        in_memory = in_memory and not isinstance(self._store, FileStore)
        whole = self.n_instances == self._store.shape[0]
        ordered = np.array_equal(self._starts, self.offsets[:-1])
        return in_memory and whole and ordered

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BagAttributes):
            return NotImplemented
        # Instances last: they are many.
        return all(
            _same(getattr(self, name), getattr(other, name)) for name in self._COMPARED
        ) and _store.same_values(self.values, other.values)

    def __repr__(self) -> str:
        sizes = "no sizes"
        if self.shape[0]:
            low, mid, high = np.percentile(self._lengths, [0, 50, 100])
            sizes = f"sizes {low:g}/{mid:g}/{high:g}"
        features = "x".join(map(str, self.instance_shape))
        return (
            f"<Bags: {self.shape[0]} bags, {self.n_instances} instances, {features} "
            f"features ({sizes})>"
        )


def _same(left: Any, right: Any) -> bool:
    """Compare two optional fields, NaN equal to NaN."""
    if left is None or right is None or isinstance(left, tuple):
        return left is right or (isinstance(left, tuple) and left == right)
    floating = left.dtype.kind == "f" and right.dtype.kind == "f"
    return np.array_equal(left, right, equal_nan=floating)
