"""Other ids, groups, coordinates or labels for the same bags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmi_sklearn.containers import _fields, _store
from mlmi_sklearn.exceptions import BagError

if TYPE_CHECKING:
    from mlmi_sklearn.containers.bags import Bags

_OF_BAGS = ("bag_ids", "groups")
_OF_INSTANCES = ("coords", "y_instances")


def with_fields(self: Bags, /, **fields: Any) -> Bags:
    """Return the same bags with other fields; copies no instance.

    Parameters
    ----------
    **fields
        Any of ``bag_ids``, ``groups``, ``coords`` and ``y_instances``, as in
        :class:`Bags`; None removes a field, and those not named stay.

    Returns
    -------
    Bags
        A view with the new fields.

    Raises
    ------
    BagError
        If a name is not one of these, or a field has the wrong length.

    Examples
    --------
    >>> from mlmi_sklearn.containers import Bags
    >>> bags = Bags(np.ones((3, 2)), [1, 2])
    >>> bags = bags.with_fields(y_instances=[0, 1, -1], groups=["ann", "bob"])
    >>> bags.y_instances, bags[1:].groups
    (array([ 0,  1, -1]), array(['bob'], dtype='<U3'))
    """
    unknown = set(fields) - {*_OF_BAGS, *_OF_INSTANCES}
    if unknown:
        raise BagError(
            f"with_fields knows {', '.join((*_OF_BAGS, *_OF_INSTANCES))}, not "
            f"{', '.join(sorted(unknown))}. For other features use with_values."
        )
    view = self._view(self._starts, self._lengths, self._bag_ids, self._groups)
    if "bag_ids" in fields:
        view._bag_ids = _fields.unique_ids(fields["bag_ids"], len(self))
    if "groups" in fields:
        view._groups = _fields.per_bag(fields["groups"], "groups", len(self))
    if "coords" in fields:
        coords = fields["coords"]
        given = _fields.per_instance(coords, "coords", self._lengths, ndim=2)
        view._coords = _placed(self, given, 0)
    if "y_instances" in fields:
        labels = fields["y_instances"]
        given = _fields.per_instance(labels, "y_instances", self._lengths)
        view._y_instances = _placed(self, given, -1)
    return view


def _placed(bags: Bags, field: np.ndarray | None, filler: int) -> np.ndarray | None:
    """Bring a field from bag order into the order of the store."""
    if field is None:
        return None
    rows = _store.row_index(bags._starts, bags._lengths, bags._lengths.cumsum())
    placed = np.full((bags._store.shape[0], *field.shape[1:]), filler, field.dtype)
    placed[rows] = field
    return _store.frozen(placed)
