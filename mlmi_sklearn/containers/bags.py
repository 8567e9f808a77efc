"""The container of bags that scikit-learn can split like a table.

scikit-learn asks three things of an ``X``: how many rows it has, what ``X[rows, ...]``
is, and what ``numpy.asarray(X)`` is. :class:`Bags` answers them as an object column of
shape (n_bags, 1) would, so splitters, searches and pipelines need no changes.

Inside, all instances lie in one *store*, and a bag is a start and a length. Selecting
bags permutes these and touches no instance, so a split of gigabytes costs microseconds,
and joblib can share the one store between workers as a memory map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlmi_sklearn.containers import (
    _build,
    _concat,
    _convert,
    _fields,
    _frames,
    _pickle,
    _refield,
    _store,
)
from mlmi_sklearn.containers._attributes import BagAttributes
from mlmi_sklearn.containers._index import bag_key
from mlmi_sklearn.exceptions import BagError

__all__ = ["Bags"]


class Bags(BagAttributes):
    """Immutable container of bags of instances, of different sizes.

    Indexing with an int gives the array of one bag; with a slice, an integer array or
    a mask of booleans it gives another `Bags` over the same instances, copying none.
    Arrays handed out are read-only. `Bags` compare by content and are not hashable.

    Parameters
    ----------
    values : array-like or CSR matrix of shape (n_instances, n_features)
        The instances of all bags, one bag after another; more axes for images. Not
        copied: memory maps stay on disk, and `values` must not be modified afterwards.
    lengths : array-like of int of shape (n_bags,), default=None
        Number of instances in each bag, at least 1. Must be given.
    bag_ids : array-like of shape (n_bags,), default=None
        Names of the bags, all different.
    groups : array-like of shape (n_bags,), default=None
        What the bags belong to, such as the patient, for group-wise splitting.
    coords : array-like of shape (n_instances, n_axes), default=None
        Positions of the instances, or a list with one array per bag.
    y_instances : array-like of shape (n_instances,), default=None
        Numeric labels of the instances, -1 where unknown, or a list with one array
        per bag.
    feature_names : sequence of str, default=None
        Names of the features.

    Attributes
    ----------
    shape : tuple of int
        ``(n_bags, 1)``.
    ndim : int
        2.
    dtype : numpy.dtype
        ``object``; the type of the numbers is ``values.dtype``.

    Raises
    ------
    BagError
        If a bag is empty, lengths do not add up, values are not numeric or have no
        feature axis, ids repeat, or a field has the wrong length.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import Bags
    >>> bags = Bags(np.arange(12).reshape(6, 2), lengths=[3, 1, 2])
    >>> bags
    <Bags: 3 bags, 6 instances, 2 features (sizes 1/2/3)>
    >>> bags[1]
    array([[6, 7]])
    >>> bags[[2, 0]].lengths
    array([2, 3])
    >>> from sklearn.model_selection import train_test_split
    >>> train, test = train_test_split(bags, random_state=0)
    >>> len(train), np.shares_memory(train[0], bags.values)
    (2, True)
    """

    __slots__ = ()

    # Arithmetic on bags is refused rather than applied to an object column.
    __array_ufunc__ = None
    ndim = 2
    dtype = np.dtype(object)

    def __init__(
        self,
        values: Any,
        lengths: Any = None,
        *,
        bag_ids: Any = None,
        groups: Any = None,
        coords: Any = None,
        y_instances: Any = None,
        feature_names: Any = None,
    ) -> None:
        if lengths is None:
            raise BagError(
                "lengths is missing: pass the number of instances of each bag, or use "
                "Bags.from_list for a list of arrays."
            )
        self._store = _store.as_store(values, "values")
        self._lengths = _fields.bag_lengths(lengths, self._store.shape[0])
        self._starts = self._lengths.cumsum() - self._lengths
        self._bag_ids = _fields.unique_ids(bag_ids, len(self))
        self._groups = _fields.per_bag(groups, "groups", len(self))
        self._coords = _fields.per_instance(coords, "coords", self._lengths, ndim=2)
        self._y_instances = _fields.per_instance(
            y_instances, "y_instances", self._lengths
        )
        self._feature_names = _fields.names_of_features(
            feature_names, self.instance_shape
        )
        self._packed: Bags | None = None

    from_list = classmethod(_build.from_list)
    from_frame = classmethod(_frames.from_frame)
    from_padded = classmethod(_build.from_padded)
    from_files = classmethod(_build.from_files)
    concat = classmethod(_concat.concat)
    to_list = _convert.to_list
    to_frame = _frames.to_frame
    to_padded = _convert.to_padded
    with_fields = _refield.with_fields

    def take(self, indices: Any) -> Bags:
        """Return the bags at the given positions, without copying instances.

        Parameters
        ----------
        indices : array-like of int
            Positions, which may repeat and may count from the end.

        Returns
        -------
        Bags
            The selected bags, in the order of `indices`.
        """
        return self[np.atleast_1d(np.asarray(indices))]

    def compact(self) -> Bags:
        """Return equal bags that own their instances, in memory and in order.

        Frees a big store, or a file, of which only a part is needed.

        Returns
        -------
        Bags
            A copy, or the object itself if it is compact already.
        """
        if self._is_compact():
            return self
        values = self.values.copy() if self.is_sparse else np.array(self.values)
        new = self.with_values(values, feature_names=self._feature_names)
        for name in ("_coords", "_y_instances"):
            field = getattr(new, name)
            setattr(new, name, None if field is None else _store.frozen(field.copy()))
        return new

    def with_values(self, values: Any, *, feature_names: Any = None) -> Bags:
        """Return bags of the same structure with other instances.

        Parameters
        ----------
        values : array-like of shape (n_instances, ...)
            One row for each row of ``self.values``, for example transformed features.
        feature_names : sequence of str, default=None
            Names of the new features.

        Returns
        -------
        Bags
            The new bags; ids, groups, coordinates and instance labels are kept.

        Examples
        --------
        >>> import numpy as np
        >>> from mlmi_sklearn.containers import Bags
        >>> bags = Bags(np.ones((3, 2)), [1, 2])
        >>> bags.with_values(bags.values.sum(axis=1, keepdims=True))[1]
        array([[2.], [2.]])
        """
        fields = {"coords": self.coords, "y_instances": self.y_instances}
        new = Bags(values, self._lengths, feature_names=feature_names, **fields)
        new._bag_ids, new._groups = self._bag_ids, self._groups
        return new

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[Any]:
        ends = self._starts + self._lengths
        for start, end in zip(self._starts.tolist(), ends.tolist(), strict=True):
            yield self._store[start:end]

    def __getitem__(self, key: Any) -> Any:
        chosen = bag_key(key, len(self))
        if isinstance(chosen, int):
            start = int(self._starts[chosen])
            return self._store[start : start + int(self._lengths[chosen])]
        ids, groups = (
            None if field is None else field[chosen]
            for field in (self._bag_ids, self._groups)
        )
        return self._view(self._starts[chosen], self._lengths[chosen], ids, groups)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if dtype is not None and np.dtype(dtype) != object:
            raise BagError(
                f"Bags are a column of arrays and cannot become {np.dtype(dtype)}. Use "
                ".values for the instances, or InstanceWise(...) to apply a "
                "transformer to them."
            )
        if copy is False:
            raise ValueError("An object column of bags cannot be made without a copy.")
        return _convert.object_column(self, len(self))

    def __copy__(self) -> Bags:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return _pickle.get_state(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        _pickle.set_state(self, state)

    def _view(
        self, starts: np.ndarray, lengths: np.ndarray, bag_ids: Any, groups: Any
    ) -> Bags:
        """Return other bags over the same store."""
        view = object.__new__(Bags)
        view._store, view._coords = self._store, self._coords
        view._y_instances, view._feature_names = self._y_instances, self._feature_names
        view._starts, view._lengths = starts, lengths
        view._bag_ids, view._groups, view._packed = bag_ids, groups, None
        for array in (lengths, bag_ids, groups):
            if array is not None:
                _fields.sealed(array)
        return view
