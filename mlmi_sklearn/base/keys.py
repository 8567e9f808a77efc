"""Whether parameters or data are the same, without asking for their digests."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator

from ..training.foreign import is_foreign

__all__ = ["key_of", "params_key", "same_data"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def key_of(value: Any) -> Hashable:
    """Return something hashable, equal for values that are the same parameter.

    Parameters
    ----------
    value : object
        Numbers, text, containers, estimators and what can be pickled are compared by
        content, functions and all else by identity, so that they must outlive the key.

    Returns
    -------
    hashable
        Of equal types and values.

    Examples
    --------
    >>> key_of({"hidden": (8,)}) == key_of({"hidden": (8,)})
    True
    >>> key_of(1) == key_of(True)
    False
    """
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind in (tuple, list):
        return kind, tuple(map(key_of, value))
    if kind is dict:
        return kind, tuple((key_of(k), key_of(v)) for k, v in value.items())
    if isinstance(value, BaseEstimator):
        return params_key(value)
    if isinstance(value, torch.nn.Module):
        return kind, _key_of_module(value)
    if callable(value):
        return kind, id(value)
    try:
        return kind, joblib.hash(value)
    except Exception:  # whatever pickling it raises
        return kind, id(value)


def _key_of_module(module: torch.nn.Module) -> Hashable:
    """Return a key of layers and weights; their pickles differ from copy to copy."""
    if any(is_foreign(part) for part in module.modules()):  # may have other settings
        return id(module)
    state = {k: v.detach().cpu().numpy() for k, v in module.state_dict().items()}
    return repr(module), joblib.hash(state)


def params_key(estimator: Any) -> Hashable:
    """Return a key of the class and the parameters of an estimator."""
    return type(estimator), key_of(estimator.get_params(deep=False))


def same_data(one: Any, other: Any) -> bool:
    """Tell whether two sets of samples or targets have the same content.

    Parameters
    ----------
    one, other : object
        Arrays, frames or sequences.

    Returns
    -------
    bool
        False also where that cannot be told cheaply.

    Examples
    --------
    >>> same_data(np.eye(2), np.eye(2)), same_data(np.eye(2), np.eye(2).tolist())
    (True, False)
    """
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "equals"):  # a frame or a series
        return bool(one.equals(other))
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return bool(joblib.hash(one) == joblib.hash(other))
