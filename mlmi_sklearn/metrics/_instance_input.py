"""Reading instance labels and scores, flat or one array per bag."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlmi_sklearn.containers import Bags


def flatten(
    y_instances: Any, scores: Any, bags: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return known labels, their scores, and the bag of each where that is known."""
    labels, label_lengths = _read(y_instances, "y_instances")
    values, value_lengths = _read(scores, "scores")
    lengths = _agreed(
        None if bags is None else _lengths(bags), label_lengths, value_lengths
    )
    _check(labels, values, lengths)
    known = labels != -1
    owner = None if lengths is None else np.repeat(np.arange(len(lengths)), lengths)
    return labels[known], values[known], None if owner is None else owner[known]


def _agreed(*candidates: np.ndarray | None) -> np.ndarray | None:
    """Return the bag lengths that all inputs which have some share."""
    given = [lengths for lengths in candidates if lengths is not None]
    if any(not np.array_equal(lengths, given[0]) for lengths in given):
        raise ValueError(
            "y_instances, scores and bags disagree about the number of bags or of "
            "instances in a bag."
        )
    return given[0] if given else None


def _check(labels: np.ndarray, values: np.ndarray, lengths: np.ndarray | None) -> None:
    """Refuse flat inputs of different length, odd labels and NaN."""
    total = len(labels) if lengths is None else int(lengths.sum())
    if not len(labels) == len(values) == total:
        raise ValueError(
            f"y_instances has {len(labels)} instances, scores has {len(values)}"
            + ("." if lengths is None else f", the bags have {total}.")
        )
    if not np.isin(labels, (-1, 0, 1)).all():
        raise ValueError(
            "y_instances must hold 0, 1 and -1 (unknown) only. For one class of "
            "several pass (y_instances == that_class)."
        )
    if np.isnan(values).any():
        raise ValueError("scores contains NaN.")


def _read(field: Any, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a flat array, and the bag lengths if the input was ragged."""
    if field is None:
        raise ValueError(
            f"{name} is None. Bags without labels of instances cannot be judged by "
            "them: pass Bags(..., y_instances=...)."
        )
    if isinstance(field, list | tuple) and len(field) and np.ndim(field[0]) > 0:
        parts = [np.asarray(part) for part in field]
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
        array = np.concatenate(parts)
    else:
        array, lengths = np.asarray(field), None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{name} must have one entry per instance, got shape {array.shape}. For "
            "several classes pass one column at a time."
        )
    return array, lengths


def _lengths(bags: Any) -> np.ndarray:
    """Return bag lengths, given as such or as Bags."""
    return np.asarray(bags.lengths if isinstance(bags, Bags) else bags)


def required(owner: np.ndarray | None) -> np.ndarray:
    """Return the bag of each instance, or say how to provide it."""
    if owner is None:
        raise ValueError(
            "Which instances share a bag is unknown: pass bags=, the Bags or their "
            "lengths, or give y_instances as a list with one array per bag."
        )
    return owner


def per_bag(
    labels: np.ndarray, values: np.ndarray, owner: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut flat arrays into bags; bags without a known instance are left out."""
    cuts = np.flatnonzero(np.diff(owner)) + 1
    return list(zip(np.split(labels, cuts), np.split(values, cuts), strict=True))
