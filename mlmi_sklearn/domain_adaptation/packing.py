"""Stacking data sets of several places into one, and taking them apart again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from ..base.inputs import as_host_array
from .apart import stack_rows

__all__ = ["pack_domains", "unpack_domains"]

Array = NDArray[Any]

_EXAMPLES = {"source": '{"Basel": (X, y)}', "target": '{"Bern": X}'}


def pack_domains(
    source: Mapping[Any, Any], *, target: Mapping[Any, Any] | None = None
) -> tuple[Any, Array, Array]:
    """Stack labelled sources and targets, as estimators for several domains want them.

    Parameters
    ----------
    source : mapping of name to (X, y)
        One entry for each source domain.
    target : mapping of name to X or (X, y), default=None
        One entry for each target domain; ``y`` may be None, or hold the marker where
        a label is missing.

    Returns
    -------
    X : ndarray, DataFrame or CSR matrix of shape (n, ...)
        All rows, sources first.
    y : ndarray of shape (n,)
        Their targets. A missing one is -1 beside integers, NaN beside floats and None
        beside anything else.
    sample_domain : ndarray of int of shape (n,)
        1, 2, ... for the sources and -1, -2, ... for the targets, in their order.

    Raises
    ------
    ValueError
        If there is no source, or X and y of a domain differ in length, or integer
        targets hold -1, which would be taken for a missing one.
    TypeError
        If ``source`` or ``target`` is no mapping.

    Examples
    --------
    >>> X, y, sample_domain = pack_domains(
    ...     {"Basel": ([[0.0], [1.0]], [0, 1])}, target={"Bern": [[2.0], [3.0]]}
    ... )
    >>> y, sample_domain
    (array([ 0,  1, -1, -1]), array([ 1,  1, -1, -1]))
    """
    for role, given in (("source", source), ("target", target)):
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(
                f"{role} must map names of domains to their data, such as "
                f"{_EXAMPLES[role]}, got {type(given).__name__}."
            )
    if not source:
        raise ValueError("source is empty: pass at least one labelled domain.")
    parts = [(name, *_pair(name, data, True)) for name, data in source.items()]
    rest = target or {}
    others = [(name, *_pair(name, data, False)) for name, data in rest.items()]
    labels = np.concatenate([y for _, _, y in parts])
    marker = _marker(labels)
    columns = [labels]
    for _, X, y in others:
        columns.append(
            np.full((_num_samples(X), *labels.shape[1:]), marker) if y is None else y
        )
    ids = [np.full(_num_samples(X), k + 1) for k, (_, X, _) in enumerate(parts)]
    ids += [np.full(_num_samples(X), -k - 1) for k, (_, X, _) in enumerate(others)]
    X = parts[0][1]
    for name, more, _ in (parts + others)[1:]:
        X = stack_rows(X, more, (f"X of {parts[0][0]!r}", f"that of {name!r}"))
    return X, np.concatenate(columns), np.concatenate(ids)


def unpack_domains(X: Any, y: Any, sample_domain: Any) -> dict[Any, tuple[Any, Any]]:
    """Take a stack apart.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows.
    y : array-like of shape (n,)
        Their targets.
    sample_domain : array-like of shape (n,)
        Their domains.

    Returns
    -------
    dict of id to (X, y)
        One entry for each domain, in the order of ids.

    Examples
    --------
    >>> parts = unpack_domains([[0.0], [1.0], [2.0]], [0, 1, -1], [1, 1, -1])
    >>> parts[-1]
    ([[2.0]], [-1])
    """
    ids = np.asarray(sample_domain)
    rows = {i: np.flatnonzero(ids == i) for i in np.unique(ids).tolist()}
    return {
        i: (_safe_indexing(X, index), _safe_indexing(y, index))
        for i, index in rows.items()
    }


def _pair(name: Any, data: Any, labelled: bool) -> tuple[Any, Array | None]:
    """Return rows and targets of one domain."""
    both = isinstance(data, tuple) and len(data) == 2
    if labelled and not both:
        raise ValueError(f"source[{name!r}] must be a pair (X, y).")
    X, y = data if both else (data, None)
    if y is None:
        if labelled:
            raise ValueError(f"source[{name!r}] has no y. Pass it as a target.")
        return X, None
    y = np.asarray(as_host_array(y))
    if len(y) != _num_samples(X):
        raise ValueError(f"{name!r}: X has {_num_samples(X)} rows, but y has {len(y)}.")
    return X, y


def _marker(labels: Array) -> Any:
    """Return what stands for a missing target beside these."""
    if labels.dtype.kind == "f":
        return np.nan
    if labels.dtype.kind not in "iu":
        return np.array(None, dtype=object)
    if (labels == -1).any():
        raise ValueError(
            "y of a source holds -1, which would be taken for a missing label. "
            "Rename that class, or use strings."
        )
    return -1
