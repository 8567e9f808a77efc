"""Which instances made a bag what it is: the table."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..containers import Bags
from ._estimators import instance_values, position_of, reach, select

__all__ = ["top_instances"]

Array = NDArray[Any]


def top_instances(
    estimator: Any,
    bags: Any,
    k: int = 5,
    *,
    indices: Any = None,
    method: str = "instance_scores",
    class_index: int | None = None,
) -> pd.DataFrame:
    """List the k instances of each bag that score highest.

    Parameters
    ----------
    estimator : estimator
        Fitted, with the given method; in a Pipeline the last step has it.
    bags : Bags or what else the estimator takes
        The bags.
    k : int, default=5
        Instances listed of each bag; all of a bag that has fewer.
    indices : sequence of int or str, default=None
        Which bags, by number or bag id. None: all.
    method : str, default="instance_scores"
        ``"instance_scores"``, ``"predict_instances_proba"``, ``"attention"`` or
        another method that returns one array a bag.
    class_index : int, default=None
        Position in ``classes_`` where there is one value for each class. None: the
        second class of two, the predicted class of several.

    Returns
    -------
    DataFrame
        One row an instance, bag by bag, best first, with the columns ``bag`` (number),
        ``bag_id`` where known, ``rank`` from 1, ``instance`` (position in the bag),
        ``score``, ``attention`` where the estimator has it, ``x`` and ``y`` (or
        ``coord_0``, ...) where known, and ``y_instance`` where known. Equal scores are
        in the order of the bag.

    Raises
    ------
    BagError
        If there is no such bag.
    TypeError
        If the estimator has no such method.
    ValueError
        If k is below 1.

    Examples
    --------
    >>> from mlmi_sklearn import MILClassifier
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> from mlmi_sklearn.inspection import top_instances
    >>> bags, y = make_digit_bags(n_bags=20, random_state=0)
    >>> model = MILClassifier(max_epochs=5, random_state=0).fit(bags, y)
    >>> table = top_instances(model, bags, k=2, indices=[3])
    >>> table[["bag", "rank", "y_instance"]].shape
    (2, 3)
    """
    numbers = chosen_numbers(bags, indices)
    final, chosen = reach(estimator, select(bags, numbers))
    return table_of(final, chosen, numbers, k, method, class_index)


def chosen_numbers(bags: Any, indices: Any) -> list[int]:
    """Return numbers of bags, given by number or id; None means all."""
    if indices is None:
        return list(range(len(bags)))
    if isinstance(indices, str) or np.ndim(indices) == 0:
        indices = [indices]
    numbers = [position_of(bags, index) for index in indices]
    if not numbers:
        raise ValueError("indices is empty: name at least one bag.")
    return numbers


def table_of(
    final: Any,
    bags: Bags,
    numbers: list[int],
    k: int,
    method: str,
    class_index: int | None,
) -> pd.DataFrame:
    """Rank the instances of bags that are prepared already."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k={k!r} must be a whole number of at least 1.")
    scores = instance_values(final, bags, method, class_index).values
    rows = [_best(scores[a:b], k) for a, b in _spans(bags)]
    at = np.concatenate([a + r for (a, _), r in zip(_spans(bags), rows, strict=True)])
    sizes = [len(r) for r in rows]
    columns: dict[str, Any] = {"bag": np.repeat(numbers, sizes)}
    if bags.bag_ids is not None:
        columns["bag_id"] = np.repeat(bags.bag_ids, sizes)
    columns["rank"] = np.concatenate([np.arange(size) + 1 for size in sizes])
    columns["instance"] = np.concatenate(rows)
    columns["score"] = scores[at]
    if method != "attention" and hasattr(final, "attention"):
        weights = instance_values(final, bags, "attention", class_index).values
        columns["attention"] = weights[at]
    columns |= _positions(bags, at)
    if bags.y_instances is not None:
        columns["y_instance"] = bags.y_instances[at]
    return pd.DataFrame(columns)


def _best(scores: Array, k: int) -> Array:
    """Return the positions of the k highest scores, the first of equals first."""
    return np.argsort(-scores, kind="stable")[:k]


def _spans(bags: Bags) -> list[tuple[int, int]]:
    offsets = bags.offsets.tolist()
    return list(pairwise(offsets))


def _positions(bags: Bags, at: Array) -> dict[str, Any]:
    if bags.coords is None:
        return {}
    n_axes = bags.coords.shape[1]
    names = ["x", "y"] if n_axes == 2 else [f"coord_{axis}" for axis in range(n_axes)]
    return {name: bags.coords[at, axis] for axis, name in enumerate(names)}
