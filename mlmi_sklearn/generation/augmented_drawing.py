"""Synthetic rows from any kind of sampler.

Three kinds are known by their methods alone:

- ``fit(X, y)`` and ``sample(n, y=...)``: asked for a target row by row;
- ``fit(X)`` and ``sample(n)``, as :class:`~sklearn.mixture.GaussianMixture` and
  :class:`~sklearn.neighbors.KernelDensity`: one for each class, or for quantities one
  of X and y side by side;
- ``fit_resample(X, y)``, as in imbalanced-learn: told how many rows each class needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

__all__ = ["Drawn", "Order", "draw"]

Array = NDArray[Any]


class Order(NamedTuple):
    """What is wanted of a sampler.

    Parameters
    ----------
    X : DataFrame or array of shape (n, ...)
        Real rows to learn from.
    y : ndarray of shape (n,) or (n, k)
        Their targets.
    rows : ndarray of int of shape (m,)
        Real rows whose targets the synthetic ones shall have.
    classes : bool
        Whether targets are classes.
    params : mapping
        Further parameters of the sampler's ``fit``; ``condition`` also of ``sample``.
    """

    X: Any
    y: Array
    rows: Array
    classes: bool
    params: Mapping[str, Any]


class Drawn(NamedTuple):
    """What a sampler returned.

    Parameters
    ----------
    sampler : estimator or dict
        Fitted; one for each class if it takes no targets.
    X : DataFrame or array of shape (m, ...)
        Synthetic rows.
    y : ndarray of shape (m,) or (m, k)
        Their targets.
    rows : ndarray of int of shape (m,)
        The real row that goes with each.
    """

    sampler: Any
    X: Any
    y: Array
    rows: Array


def draw(sampler: Any, order: Order, rng: np.random.RandomState) -> Drawn:
    """Fit a sampler and draw rows.

    Parameters
    ----------
    sampler : estimator
        Is fitted in place, or copies of it.
    order : Order
        What is wanted.
    rng : RandomState
        Where a method wants random numbers from outside.

    Returns
    -------
    Drawn
        The rows.

    Raises
    ------
    ValueError
        If the sampler returns other rows than asked.
    """
    if not hasattr(sampler, "sample"):
        return _resampled(sampler, order, rng)
    if "y" in signature(sampler.sample).parameters:
        return _asked(sampler, order)
    if order.params:
        raise TypeError(
            f"sampler={sampler!r} is fitted without targets and without "
            f"{sorted(order.params)}. Leave them away."
        )
    return (
        _by_class(sampler, order, rng)
        if order.classes
        else _beside(sampler, order, rng)
    )


def _asked(sampler: Any, order: Order) -> Drawn:
    fitted = sampler.fit(order.X, order.y, **order.params)
    more = {}
    if order.params.get("condition") is not None:
        more["condition"] = np.asarray(order.params["condition"])[order.rows]
    wanted = order.y[order.rows]
    found = fitted.sample(len(wanted), y=wanted, **more)
    X, y = found if isinstance(found, tuple) else (found, wanted)
    _require_length(sampler, X, len(wanted))
    return Drawn(fitted, X, np.asarray(y), order.rows)


def _by_class(sampler: Any, order: Order, rng: np.random.RandomState) -> Drawn:
    """Fit a copy to each class."""
    table, wanted = _numbers(sampler, order), order.y[order.rows]
    fitted, X = {}, np.empty((len(wanted), table.shape[1]))
    for label in np.unique(wanted):
        here = wanted == label
        model = clone(sampler).fit(table[order.y == label])
        X[here] = _plain_sample(model, int(here.sum()), rng)
        fitted[label.item() if hasattr(label, "item") else label] = model
    return Drawn(fitted, _as_given(X, order.X), wanted, order.rows)


def _beside(sampler: Any, order: Order, rng: np.random.RandomState) -> Drawn:
    """Fit X and y side by side, and draw both."""
    table, targets = _numbers(sampler, order), order.y.reshape(len(order.y), -1)
    fitted = sampler.fit(np.concatenate([table, targets], 1))
    found = _plain_sample(fitted, len(order.rows), rng)
    X, y = found[:, : table.shape[1]], found[:, table.shape[1] :]
    y = y.reshape(len(y), *order.y.shape[1:])
    return Drawn(fitted, _as_given(X, order.X), y, order.rows)


def _plain_sample(model: Any, n: int, rng: np.random.RandomState) -> Array:
    seeded = "random_state" in signature(model.sample).parameters
    more = {"random_state": rng.randint(2**31 - 1)} if seeded else {}
    found = model.sample(n, **more)
    # A mixture also tells the component of each row, which is no target.
    return np.asarray(found[0] if isinstance(found, tuple) else found)


def _numbers(sampler: Any, order: Order) -> Array:
    try:
        table = np.asarray(order.X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"sampler={sampler!r} draws numbers only, but X has other columns, or is "
            "sparse. Use CGANSampler(), or encode them first."
        ) from error
    if table.ndim != 2:
        raise ValueError(
            f"sampler={sampler!r} draws rows of a table, but X has shape "
            f"{table.shape}. Use CGANSampler()."
        )
    return table


def _as_given(X: Array, like: Any) -> Any:
    """Bring drawn numbers to the columns and types of real rows."""
    if not isinstance(like, pd.DataFrame):
        return _in_type(X, like.dtype)
    columns = [_in_type(c, t) for c, t in zip(X.T, like.dtypes, strict=True)]
    return pd.DataFrame(dict(enumerate(columns))).set_axis(like.columns, axis=1)


def _in_type(values: Array, dtype: Any) -> Array:
    """Round where a type holds whole numbers, which a cast would cut off."""
    if dtype.kind == "b":
        return values > 0.5
    if dtype.kind not in "iu":
        return values
    whole = np.rint(values)
    return np.maximum(whole, 0) if dtype.kind == "u" else whole


def _resampled(sampler: Any, order: Order, rng: np.random.RandomState) -> Drawn:
    """Tell a resampler how many rows of each class to return."""
    classes, sizes = np.unique(order.y, return_counts=True)
    added = (order.y[order.rows] == classes[:, None]).sum(1)
    if "sampling_strategy" in sampler.get_params():
        wanted = dict(zip(classes.tolist(), (sizes + added).tolist(), strict=True))
        sampler.set_params(sampling_strategy=wanted)
    X, y = sampler.fit_resample(order.X, order.y, **order.params)[:2]
    n, y = len(order.y), np.asarray(y)
    if len(y) < n or not np.array_equal(y[:n], order.y):
        raise ValueError(
            f"sampler={sampler!r} removed or moved real rows. Use one that only adds "
            "rows, or put it into a pipeline of imbalanced-learn."
        )
    rows = np.empty(len(y) - n, np.intp)
    for label in np.unique(y[n:]):
        here = y[n:] == label
        rows[here] = rng.choice(np.flatnonzero(order.y == label), here.sum())
    return Drawn(sampler, X[n:] if not hasattr(X, "iloc") else X.iloc[n:], y[n:], rows)


def _require_length(sampler: Any, X: Any, n: int) -> None:
    if _num_samples(X) != n:
        raise ValueError(
            f"sampler={sampler!r} was asked for {n} rows and returned "
            f"{_num_samples(X)}. sample(n, y=...) must return a row for each target."
        )
