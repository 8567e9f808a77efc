"""Columns with their intervals, and sentences about errors, of which less is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...content import Metric, Scores
from ...evidence import Comparison, compare, interval_of_mean

__all__ = [
    "by_method",
    "error_verdict",
    "half_width",
    "least",
    "with_intervals",
    "with_widths",
]

Array = NDArray[Any]


def with_intervals(*metrics: Metric) -> tuple[Metric, ...]:
    """Put beside each column one with half the 95 % interval of its mean.

    Parameters
    ----------
    *metrics : Metric
        Columns of means.

    Returns
    -------
    tuple of Metric
        Twice as many.
    """
    return tuple(
        column
        for metric in metrics
        for column in (
            Metric(metric.key, metric.title, metric.decimals, spread=False),
            Metric(_key(metric.key), "± 95 %", metric.decimals, spread=False),
        )
    )


def with_widths(values: Mapping[str, Array]) -> dict[str, Array]:
    """Add half the 95 % interval of the mean of each metric.

    Parameters
    ----------
    values : mapping of str to ndarray of shape (n_repetitions,)
        One entry a metric.

    Returns
    -------
    dict of str to ndarray of shape (n_repetitions,)
        The same, and what :func:`with_intervals` shows, repeated.
    """
    widths = {_key(k): np.full(len(v), half_width(v)) for k, v in values.items()}
    return {**values, **widths}


def half_width(values: Array) -> float:
    """Return half the 95 % interval of a mean.

    Examples
    --------
    >>> round(half_width(np.array([0.1, 0.2, 0.3])), 3)
    0.248
    """
    low, high = interval_of_mean(values)
    return (high - low) / 2


def _key(key: str) -> str:
    return f"{key}_ci95"


def by_method(rows: Sequence[Scores]) -> Mapping[str, Scores]:
    """Return rows of a table by the name of the method."""
    return {row.method: row for row in rows}


def least(rows: Sequence[Scores], key: str) -> Scores:
    """Return the row with the smallest mean."""
    return min(rows, key=lambda row: row.mean(key))


def error_verdict(one: Scores, other: Scores, metric: Metric) -> str:
    """Compare two methods by their error, in words.

    Parameters
    ----------
    one, other : Scores
        The two, over the same repetitions.
    metric : Metric
        An error.

    Returns
    -------
    str
        A sentence with the numbers, the better one first.
    """
    found = compare(one, other, metric)
    if found.outcome == "level":
        return (
            f"{one.method} and {other.method} have the same {metric.title}, "
            f"{one.mean(metric.key):.{metric.decimals}f}."
        )
    if found.difference > 0:
        found = compare(other, one, metric)
    chance = "" if found.high < 0 else ", which could be chance"
    return (
        f"{found.ours.method} errs less than {found.baseline.method}: {metric.title} "
        f"{_means(found)}, {_difference(found)} less{chance}."
    )


def _means(found: Comparison) -> str:
    a, b = (
        f"{row.mean(found.metric.key):.{found.metric.decimals}f}"
        for row in (found.ours, found.baseline)
    )
    return f"{a} against {b}"


def _difference(found: Comparison) -> str:
    digits = found.metric.decimals
    low, high = (_signed(-end, digits) for end in (found.high, found.low))
    return f"{-found.difference:.{digits}f} (95 % interval {low} to {high})"


def _signed(value: float, digits: int) -> str:
    """Write a number with a proper minus sign, and zero without one."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")
