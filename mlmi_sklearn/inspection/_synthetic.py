"""Samples of a generator, and which rows of real and synthetic data to show."""

from __future__ import annotations

import inspect
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _num_samples, check_is_fitted

__all__ = [
    "as_rows",
    "check_count",
    "draw_like",
    "group_codes",
    "reach_sampler",
    "rows_at_random",
    "take",
]

Array = NDArray[Any]

# Groups that continuous labels are cut into.
_QUANTILES = 4


def reach_sampler(estimator: Any) -> Any:
    """Return a fitted estimator with ``sample``, that of a search if it is one."""
    if hasattr(estimator, "best_estimator_"):
        return reach_sampler(estimator.best_estimator_)
    if not callable(getattr(estimator, "sample", None)):
        raise TypeError(
            f"{type(estimator).__name__} has no method sample. Pass a fitted "
            "CGANSampler, or another estimator that draws samples; for rows that you "
            "have drawn already, use from_data."
        )
    check_is_fitted(estimator)
    return estimator


def draw_like(
    estimator: Any, n: int, y: Any, condition: Any, random_state: Any
) -> tuple[Any, Any]:
    """Draw one sample for each condition; return samples and what was asked.

    Estimators that take no conditions, such as scikit-learn's mixtures, draw freely,
    and what they were asked is None.
    """
    accepted = inspect.signature(estimator.sample).parameters
    given: dict[str, Any] = {}
    if "y" in accepted and y is not None:
        given["y"] = y
    if condition is not None:
        if "condition" not in accepted:
            raise TypeError(
                f"{type(estimator).__name__}.sample takes no condition; leave it away."
            )
        given["condition"] = condition
    if "random_state" in accepted:
        given["random_state"] = random_state
    drawn = estimator.sample(n, **given)
    return drawn[0] if isinstance(drawn, tuple) else drawn, given.get("y")


def as_rows(X: Any, name: str) -> Any:
    """Return a table with an ``iloc``, or an array of two dimensions or more."""
    if hasattr(X, "iloc"):
        return X
    values = np.asarray(X)
    if values.ndim < 2 or not len(values):
        raise ValueError(
            f"{name} must hold rows of a table or images, got shape {values.shape}."
        )
    return values


def take(values: Any, rows: Array) -> Any:
    """Gather rows of a table or array; None stays None."""
    if values is None:
        return None
    if hasattr(values, "iloc"):
        return values.iloc[rows].reset_index(drop=True)
    return np.asarray(values)[rows]


def check_count(value: Any, name: str) -> int:
    """Return a whole number of 1 or more; refuse anything else."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number of 1 or more, got {value!r}.")
    return int(value)


def rows_at_random(n: int, most: int, rng: Any) -> Array:
    """Choose rows, in a random order, at most so many."""
    return np.asarray(check_random_state(rng).permutation(n)[:most])


def group_codes(y: Any, y_synthetic: Any, n: int) -> tuple[list[str], list[Array]]:
    """Return names of groups, and the group of each real and synthetic row.

    Classes are groups; numbers are cut at the quartiles of the real ones. Labels of
    several columns, or none, make one group without a name.

    Raises
    ------
    ValueError
        If labels and rows are not as many, or only one of the two has labels.
    """
    if y is None or np.ndim(y) != 1:
        return [""], [np.zeros(n, dtype=int)]
    if _num_samples(y) != n:
        raise ValueError(f"X has {n} rows, but y has {_num_samples(y)} entries.")
    every = [np.asarray(y)] + ([] if y_synthetic is None else [np.asarray(y_synthetic)])
    if type_of_target(every[0]).startswith("continuous"):
        return _cut([part.astype(float) for part in every])
    codes, names = pd.factorize(np.concatenate(every), sort=True)
    return [str(v) for v in names], np.split(codes, [n])[: len(every)]


def _cut(parts: list[Array]) -> tuple[list[str], list[Array]]:
    """Return numbers by quarter of the first."""
    edges = np.unique(np.quantile(parts[0], np.linspace(0, 1, _QUANTILES + 1)))
    names = [f"{a:.3g} to {b:.3g}" for a, b in pairwise(edges)]
    inner = edges[1:-1]
    return names or [f"{edges[0]:.3g}"], [
        np.searchsorted(inner, part, side="left") for part in parts
    ]
