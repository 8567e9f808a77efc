"""Fitting pipelines on stacked domains, and comparing what came out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.pipeline import Pipeline

from ....exceptions import DomainWarning
from ...content import Metric, Scores
from ...evidence import compare, verdict

__all__ = [
    "by_method",
    "changes",
    "contrasts",
    "fit_stacked",
    "list_of",
    "stacked_values",
]

Array = NDArray[Any]


def fit_stacked(model: Pipeline, X: Array, y: Array, sample_domain: Array) -> Pipeline:
    """Fit a pipeline on rows of all domains.

    Steps before the last see all rows and no label. The last sees all rows too if it
    takes ``sample_domain``; an ordinary classifier sees labelled rows of sources.

    Parameters
    ----------
    model : Pipeline
        Not fitted.
    X : ndarray of shape (n, n_features)
        Rows.
    y : ndarray of int of shape (n,)
        Labels, -1 where unknown.
    sample_domain : ndarray of int of shape (n,)
        Below 0 for the target.

    Returns
    -------
    Pipeline
        The same, fitted. What a net warns of is kept in its ``adaptation_report_``.
    """
    with warnings.catch_warnings(), config_context(enable_metadata_routing=True):
        warnings.simplefilter("ignore", DomainWarning)
        if _takes_domains(model[-1]):
            return model.fit(X, y, sample_domain=sample_domain)
        ready = model[:-1].fit_transform(X)
        known = (sample_domain >= 0) & (y != -1)
        model[-1].fit(ready[known], y[known])
        return model


def _takes_domains(step: Any) -> bool:
    return bool(step.get_metadata_routing().fit.requests.get("sample_domain"))


def by_method(rows: Sequence[Scores]) -> Mapping[str, Scores]:
    """Return rows of a table by the name of the method."""
    return {row.method: row for row in rows}


def contrasts(
    rows: Sequence[Scores], pairs: Sequence[tuple[str, str]], metric: Metric
) -> tuple[str, ...]:
    """Compare methods with their controls, in words.

    Parameters
    ----------
    rows : sequence of Scores
        The table.
    pairs : sequence of (str, str)
        Name of a method, and of the same without what it adds.
    metric : Metric
        What to compare by; higher is better.

    Returns
    -------
    tuple of str
        A sentence or two for each pair.
    """
    named = by_method(rows)
    return tuple(verdict(compare(named[a], named[b], metric)) for a, b in pairs)


def changes(
    ours: Scores, control: Scores, metrics: Sequence[Metric], where: str
) -> str:
    """List where a method is above its control in the mean, and where below.

    Parameters
    ----------
    ours, control : Scores
        The two.
    metrics : sequence of Metric
        One a place; its title names the place.
    where : str
        What the places are, as in "hospitals".

    Returns
    -------
    str
        A sentence with the numbers, rounded as in the table.
    """
    sides: dict[str, list[str]] = {"worse": [], "better": [], "the same": []}
    for metric in metrics:
        a, b = (
            f"{row.mean(metric.key):.{metric.decimals}f}" for row in (control, ours)
        )
        side = "the same" if a == b else "better" if float(b) > float(a) else "worse"
        sides[side].append(f"{metric.title} ({a} to {b})" if a != b else metric.title)
    parts = [f"{side} on {list_of(names)}" for side, names in sides.items() if names]
    return f"{ours.method} against {control.method}, by {where}: {'; '.join(parts)}."


def list_of(names: Sequence[str]) -> str:
    """Join names, or say that there is none.

    Parameters
    ----------
    names : sequence of str
        Names.

    Returns
    -------
    str
        Such as ``"a, b and c"``.

    Examples
    --------
    >>> list_of(["a", "b", "c"]), list_of([])
    ('a, b and c', 'none')
    """
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def stacked_values(records: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    """Turn one mapping a repetition into one array a metric.

    Parameters
    ----------
    records : sequence of mapping
        All with the same keys.

    Returns
    -------
    dict of str to ndarray
        As :class:`~mlmi_sklearn.demo.content.Scores` takes them.
    """
    return {key: np.array([r[key] for r in records]) for key in records[0]}
