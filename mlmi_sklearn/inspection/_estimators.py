"""Reaching the bags and the instance scores inside pipelines and searches."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from ..containers import Bags, check_bags
from ..exceptions import BagError
from ..preprocessing import TileGrid

Array = NDArray[Any]

_USUAL = ("instance_scores", "predict_instances_proba", "attention")
_NAMES = {"instance_scores": "Instance score", "attention": "Attention"}


@dataclass(frozen=True)
class InstanceValues:
    """One number for each instance of some bags, and how to read it.

    Parameters
    ----------
    values : ndarray of shape (n_instances,)
        In the order of ``Bags.values``.
    name : str
        What it is called on a colour bar.
    center : float or None
        Where a decision would change; None if there is no such number.
    """

    values: Array
    name: str
    center: float | None


def reach(estimator: Any, X: Any) -> tuple[Any, Bags]:
    """Return the last step of a fitted estimator, and the bags that it would see."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            return estimator, check_bags(X)


def grid_in(estimator: Any) -> tuple[TileGrid | None, bool]:
    """Return the TileGrid among the steps, if any, and whether it is the first step."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    for number, (_, step) in enumerate(getattr(estimator, "steps", [])):
        if isinstance(step, TileGrid) and step.tile_shape_ is not None:
            return step, number == 0
        grid, first = grid_in(step)
        if grid is not None:
            return grid, first and number == 0
    return None, False


def position_of(X: Any, index: Any) -> int:
    """Return the position of one bag, given by number or, as text, by its id."""
    if isinstance(index, str):
        ids = getattr(X, "bag_ids", None)
        known = np.empty(0) if ids is None else np.asarray(ids)
        found = np.flatnonzero(known == index)
        if not len(found):
            raise BagError(f"index={index!r} is not among the bag_ids.")
        return int(found[0])
    n_bags = len(X)
    if not isinstance(index, Integral) or not -n_bags <= int(index) < n_bags:
        raise BagError(
            f"index={index!r} must be the number of one of the {n_bags} bags, from 0 "
            f"to {n_bags - 1}, or its bag id."
        )
    return int(index) % n_bags


def select(X: Any, positions: list[int]) -> Any:
    """Return some of the bags, or images, in the container they came in."""
    if hasattr(X, "iloc"):
        return X.iloc[positions]
    if isinstance(X, list | tuple):
        return [X[position] for position in positions]
    return X[positions]


def instance_values(
    estimator: Any, bags: Bags, method: str, class_index: int | None
) -> InstanceValues:
    """Call a method for instances; choose the column of one class."""
    result = _call(estimator, bags, method)
    classes = getattr(estimator, "classes_", None)
    name = name_of(method)
    probability = method == "predict_instances_proba"
    center = {"instance_scores": 0.0, "predict_instances_proba": 0.5}.get(method)
    if not is_classifier(estimator):
        center = None
    if result.ndim == 2 and result.shape[1] > 1:
        columns = _columns(estimator, bags, result.shape[1], class_index, probability)
        several = result.shape[1] > 2
        result = result[np.arange(len(result)), columns]
        chosen = np.unique(columns)
        if len(chosen) == 1 and classes is not None:
            label = classes[chosen[0]]
            name = f"P({label})" if probability else f"{name} for {label}"
        elif len(chosen) > 1:
            name += " for the predicted class"
        center = None if several else center
    return InstanceValues(result.reshape(len(result)), name, center)


def name_of(method: str) -> str:
    """Return what the values of a method are called."""
    if method == "predict_instances_proba":
        return "Instance probability"
    return _NAMES.get(method, method.replace("_", " "))


def predictions(estimator: Any, bags: Bags) -> list[str]:
    """Say what the estimator predicts for each bag."""
    classes = getattr(estimator, "classes_", None)
    if hasattr(estimator, "predict_proba") and classes is not None:
        table = np.asarray(estimator.predict_proba(bags))
        if table.ndim == 2 and len(classes) == table.shape[1]:
            shown = np.ones(len(table), dtype=int)
            if len(classes) != 2:
                shown = table.argmax(axis=1)
            return [
                f"P({classes[c]}) {_probability(row[c])}"
                for row, c in zip(table, shown, strict=True)
            ]
    if hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(bags))
        if scores.ndim == 1:
            return [f"score = {score:.2f}" for score in scores]
    found = np.asarray(estimator.predict(bags))
    number = found.dtype.kind == "f" and found.ndim == 1
    return [f"predicted {p:.3g}" if number else f"predicted {p}" for p in found]


def _probability(value: float) -> str:
    """Write a probability without calling it certain before it is."""
    if value > 0.995:
        return "> 0.99"
    return "< 0.01" if value < 0.005 else f"= {value:.2f}"


def _call(estimator: Any, bags: Bags, method: str) -> Array:
    """Call a method and return its result flat; refuse what does not fit the bags."""
    function = getattr(estimator, method, None)
    if function is None:
        offered = [name for name in _USUAL if hasattr(estimator, name)]
        advice = (
            f"It offers {', '.join(offered)}."
            if offered
            else "Pass one that scores instances, such as MILClassifier."
        )
        name = type(estimator).__name__
        raise TypeError(f"method={method!r}: {name} has no such method. {advice}")
    result = function(bags)
    flat = np.concatenate(result) if isinstance(result, list | tuple) else result
    flat = np.asarray(flat)
    if len(flat) != bags.n_instances:
        raise BagError(
            f"method={method!r} returned {len(flat)} values for {bags.n_instances} "
            "instances; it must return one array a bag."
        )
    return flat


def _columns(
    estimator: Any, bags: Bags, n_columns: int, chosen: int | None, probability: bool
) -> Array:
    """Return the column to look at for each instance."""
    if chosen is not None:
        if not isinstance(chosen, Integral) or not 0 <= int(chosen) < n_columns:
            raise ValueError(
                f"class_index={chosen!r} must be from 0 to {n_columns - 1}."
            )
        return np.full(bags.n_instances, int(chosen))
    if probability and n_columns == 2 and len(getattr(estimator, "classes_", ())) == 2:
        return np.ones(bags.n_instances, dtype=int)
    found = np.asarray(estimator.predict(bags))
    if not is_classifier(estimator) or found.ndim != 1:
        raise ValueError(
            f"There are {n_columns} values for each instance: choose one with "
            "class_index=."
        )
    columns = np.searchsorted(estimator.classes_, found)
    return np.repeat(columns, bags.lengths)
