"""Joining several :class:`Bags` into one; becomes the class method ``Bags.concat``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmi_sklearn.containers import _store
from mlmi_sklearn.exceptions import BagError

if TYPE_CHECKING:
    from mlmi_sklearn.containers.bags import Bags


def concat(cls: type[Bags], /, parts: Iterable[Bags]) -> Bags:
    """Put the bags of several containers one after another.

    Views of one store, such as a training and a test set, are joined without copying.

    Parameters
    ----------
    parts : iterable of Bags
        Containers whose instances have the same shape and which carry the same
        fields (`groups`, `coords`, ...).

    Returns
    -------
    Bags
        All bags, in the order of the parts. Feature names are those of the first.

    Raises
    ------
    BagError
        If there is nothing to join, or shapes or fields differ.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.containers import Bags
    >>> bags = Bags(np.zeros((5, 2)), [3, 2])
    >>> Bags.concat([bags, bags[:1]]).lengths
    array([3, 2, 3])
    """
    parts = list(parts)
    _check_alike(parts)
    first = parts[0]
    joined = {
        name: _join([getattr(part, name) for part in parts])
        for name in ("bag_ids", "groups")
    }
    lengths = np.concatenate([part.lengths for part in parts])
    if all(part._shares_store(first) for part in parts):
        starts = np.concatenate([part._starts for part in parts])
        return first._view(starts, lengths, joined["bag_ids"], joined["groups"])
    whole = cls(
        _store.stack([part.values for part in parts]),
        lengths,
        coords=_join([part.coords for part in parts]),
        y_instances=_join([part.y_instances for part in parts]),
        feature_names=first.feature_names,
    )
    # Not through the constructor: a bootstrap rightly repeats ids.
    return whole._view(whole._starts, lengths, joined["bag_ids"], joined["groups"])


def _join(fields: Sequence[Any]) -> Any:
    """Concatenate a field that all parts have, or none."""
    return None if fields[0] is None else np.concatenate(fields)


def _check_alike(parts: Sequence[Bags]) -> None:
    """Refuse parts that cannot stand in one container."""
    if not parts:
        raise BagError("parts is empty: pass at least one Bags object.")
    first = parts[0]
    for index, part in enumerate(parts):
        if part.instance_shape != first.instance_shape or part.is_sparse != (
            first.is_sparse
        ):
            raise BagError(
                f"parts[{index}] has instances of shape {part.instance_shape} "
                f"(sparse: {part.is_sparse}), parts[0] of {first.instance_shape} "
                f"(sparse: {first.is_sparse})."
            )
        for name in ("bag_ids", "groups", "coords", "y_instances"):
            if (getattr(part, name) is None) != (getattr(first, name) is None):
                raise BagError(
                    f"{name} is present in some parts only (see parts[{index}]): give "
                    f"it to all of them, or drop it with Bags(part.values, "
                    "part.lengths)."
                )
