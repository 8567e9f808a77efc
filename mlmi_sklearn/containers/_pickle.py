"""What a pickle of :class:`Bags` holds: enough, and not the rest of the store.

A view that covers less than half of its store is compacted first. A user's memory
map is stored as a reference to its file; arrays in memory are left in the state as
they are, so joblib can hand the one big store to its workers as a memory map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmi_sklearn.containers import _memmap
from mlmi_sklearn.containers._fields import sealed
from mlmi_sklearn.containers._files import FileStore
from mlmi_sklearn.containers._store import frozen

if TYPE_CHECKING:
    from mlmi_sklearn.containers.bags import Bags


def get_state(bags: Bags) -> dict[str, Any]:
    """Return the attributes to pickle."""
    reference = _memmap.reference(bags._store)
    lazy = reference is not None or isinstance(bags._store, FileStore)
    if not lazy and 2 * bags.n_instances < bags._store.shape[0]:
        # Made once: joblib writes each array once, and knows it by its identity.
        if bags._packed is None:
            bags._packed = bags.compact()
        bags = bags._packed
    state = {name: getattr(bags, name) for name in bags._STATE}
    return {**state, "_store": reference or bags._store}


def set_state(bags: Bags, state: dict[str, Any]) -> None:
    """Restore attributes, and the protection against writing, after unpickling."""
    for name, value in state.items():
        if isinstance(value, _memmap.MemmapReference):
            value = value.open()
        if isinstance(value, np.ndarray):
            value = frozen(value) if name in bags._FLAT else sealed(value)
        setattr(bags, name, value)
    bags._packed = None
