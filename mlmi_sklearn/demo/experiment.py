"""Fit methods on the same splits and collect what they score."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from .content import Scores
from .session import progress

__all__ = ["SECONDS", "Fold", "Method", "Outcome", "run_folds"]

SECONDS = "seconds_per_fit"

Evaluation = Callable[[Any, Any, Any], Mapping[str, float]]


@dataclass(frozen=True)
class Method:
    """A named estimator.

    Parameters
    ----------
    name : str
        Name for readers.
    ours : bool
        Whether it is one of the methods in question, or a simple baseline.
    estimator : estimator
        Not fitted.
    """

    name: str
    ours: bool
    estimator: Any

    def build(self, seed: int) -> Any:
        """Return a copy in which all that is random starts from a seed."""
        model = clone(self.estimator)
        random = [name for name in model.get_params() if name.endswith("random_state")]
        return model.set_params(**dict.fromkeys(random, seed))


@dataclass(frozen=True)
class Fold:
    """One repetition: what to train and to test on, and the seed of the methods."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    seed: int


@dataclass
class Outcome:
    """What came out of an experiment.

    Attributes
    ----------
    scores : tuple of Scores
        One entry a method.
    models : list of dict
        For each repetition, the fitted estimator of each method by name.
    """

    scores: tuple[Scores, ...] = ()
    models: list[dict[str, Any]] = field(default_factory=list)

    def loss_curves(self, name: str) -> pd.DataFrame:
        """Return the training loss of a net, one row a repetition."""
        return pd.DataFrame([fitted[name][-1].loss_curve_ for fitted in self.models])


def run_folds(
    title: str, methods: Sequence[Method], folds: Sequence[Fold], evaluate: Evaluation
) -> Outcome:
    """Fit each method on each fold, with one progress bar.

    Parameters
    ----------
    title : str
        Text before the bar.
    methods : sequence of Method
        What to fit.
    folds : sequence of Fold
        On what.
    evaluate : callable
        ``evaluate(model, X_test, y_test)`` returns scores by name.

    Returns
    -------
    Outcome
        Scores, among them the seconds of each fit, and the fitted models.
    """
    outcome = Outcome()
    records: dict[str, list[dict[str, float]]] = {m.name: [] for m in methods}
    with progress(title, len(folds) * len(methods)) as step:
        for fold in folds:
            fitted = {}
            for method in methods:
                model, seconds = _fit(method, fold)
                scores = dict(evaluate(model, fold.X_test, fold.y_test))
                records[method.name].append({**scores, SECONDS: seconds})
                fitted[method.name] = model
                step(method.name)
            outcome.models.append(fitted)
    outcome.scores = tuple(_scores(m, records[m.name]) for m in methods)
    return outcome


def _fit(method: Method, fold: Fold) -> tuple[Any, float]:
    """Fit one method and say how long it took."""
    start = time.perf_counter()
    model = method.build(fold.seed).fit(fold.X, fold.y)
    return model, time.perf_counter() - start


def _scores(method: Method, records: list[dict[str, float]]) -> Scores:
    """Turn one mapping a repetition into one array a metric."""
    values = {key: np.array([r[key] for r in records]) for key in records[0]}
    return Scores(method.name, method.ours, values)
