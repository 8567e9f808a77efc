"""From scores of instances to bags: which thresholds make a bag positive.

Whatever the assumption, a bag with given scores is positive for the thresholds of one
interval ``low <= t < high``. For the maximum that is everything below the highest
score; for "two to four positive instances" it is what lies between the fifth and the
second highest. So a threshold can be chosen (:mod:`.thresholds`) without knowing the
assumption, and the score of a bag is its distance from the nearer end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["POOLINGS", "BagRule", "ranks_in_bags"]

Array = NDArray[Any]


@dataclass(frozen=True)
class BagRule:
    """How scores of instances decide on a bag.

    Parameters
    ----------
    pooling : str or callable, default="max"
        A key of `POOLINGS`, ``"count"``, or a callable that maps the scores of one bag,
        of shape (n_instances, n_columns), to (n_columns,) numbers.
    min_positive : int, default=1
        For ``"count"``: fewest positive instances of a positive bag. A bag with fewer
        instances must be positive throughout.
    max_positive : int, default=None
        For ``"count"``: most positive instances of a positive bag; None sets no limit.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([[3.0], [1.0], [2.0], [5.0]])
    >>> low, high = BagRule("count", 1, 2).bounds(scores, np.array([3, 1]))
    >>> low[:, 0], high[:, 0]
    (array([  1., -inf]), array([3., 5.]))
    """

    pooling: str | Callable[[Array], Array] = "max"
    min_positive: int = 1
    max_positive: int | None = None

    def bounds(self, scores: Array, lengths: Array) -> tuple[Array, Array]:
        """Compute the thresholds for which bags are positive.

        Parameters
        ----------
        scores : ndarray of shape (n_instances, n_columns)
            Finite scores of the instances of all bags, column by column independent.
        lengths : ndarray of int of shape (n_bags,)
            Sizes of the bags.

        Returns
        -------
        low, high : ndarray of shape (n_bags, n_columns)
            A bag is positive for thresholds from `low`, which may be ``-inf``, up to
            but not including `high`.

        Raises
        ------
        ValueError
            If a callable pooling returns another shape.
        """
        if self.pooling == "count":
            return self._counted(scores, lengths)
        starts = np.cumsum(lengths) - lengths
        if callable(self.pooling):
            high = _by_callable(self.pooling, scores, starts)
        else:
            high = POOLINGS[self.pooling](scores, starts, lengths[:, None])
        return np.full_like(high, -np.inf), high

    def _counted(self, scores: Array, lengths: Array) -> tuple[Array, Array]:
        starts = np.cumsum(lengths) - lengths
        ordered = np.column_stack([_descending(s, lengths) for s in scores.T])
        high = ordered[starts + np.minimum(self.min_positive, lengths) - 1]
        low = np.full_like(high, -np.inf)
        if self.max_positive is not None:
            larger = lengths > self.max_positive
            low[larger] = ordered[starts[larger] + self.max_positive]
        return low, high


def ranks_in_bags(scores: Array, lengths: Array) -> Array:
    """Rank instances within their bags, the highest score first.

    Parameters
    ----------
    scores : ndarray of shape (n_instances,)
        Scores; may be infinite. Of equal ones the first ranks first.
    lengths : ndarray of int of shape (n_bags,)
        Sizes of the bags.

    Returns
    -------
    ndarray of int of shape (n_instances,)
        Ranks, from 0.

    Examples
    --------
    >>> ranks_in_bags(np.array([0.1, 0.9, 0.5]), np.array([2, 1]))
    array([1, 0, 0])
    """
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[_order(scores, lengths)] = _positions(lengths)
    return ranks


def _order(scores: Array, lengths: Array) -> Array:
    return np.lexsort((-scores, np.repeat(np.arange(len(lengths)), lengths)))


def _positions(lengths: Array) -> Array:
    starts = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) - np.repeat(starts, lengths)


def _descending(scores: Array, lengths: Array) -> Array:
    return scores[_order(scores, lengths)]


def _maximum(scores: Array, starts: Array, sizes: Array) -> Array:
    return np.maximum.reduceat(scores, starts, axis=0)


def _mean(scores: Array, starts: Array, sizes: Array) -> Array:
    return np.add.reduceat(scores, starts, axis=0) / sizes


def _noisy_or(scores: Array, starts: Array, sizes: Array) -> Array:
    # With p = 1 / (1 + exp(-s)), -log(1 - p) is log(1 + exp(s)); the sum over a bag is
    # t = -log(1 - P), and the log-odds of P are log(exp(t) - 1).
    t = np.add.reduceat(np.logaddexp(0.0, scores), starts, axis=0)
    t = np.maximum(t, np.finfo(np.float64).tiny)
    return t + np.log(-np.expm1(-t))


def _log_mean_exp(scores: Array, starts: Array, sizes: Array) -> Array:
    top = _maximum(scores, starts, sizes)
    rest = np.exp(scores - np.repeat(top, sizes[:, 0], axis=0))
    return top + np.log(_mean(rest, starts, sizes))


POOLINGS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "max": _maximum,
    "mean": _mean,
    "noisy-or": _noisy_or,
    "log-sum-exp": _log_mean_exp,
}
"""Names of poolings that need no parameter."""


def _by_callable(
    pooling: Callable[[Array], Array], scores: Array, starts: Array
) -> Any:
    pooled = [np.asarray(pooling(bag)) for bag in np.split(scores, starts[1:])]
    wrong = [p.shape for p in pooled if p.shape != scores.shape[1:]]
    if wrong:
        raise ValueError(
            f"pooling returned shape {wrong[0]} for the scores of a bag; it must map "
            f"shape (n_instances, {scores.shape[1]}) to {scores.shape[1:]}, as "
            "lambda scores: numpy.quantile(scores, 0.9, axis=0) does."
        )
    return np.array(pooled, dtype=np.float64)
