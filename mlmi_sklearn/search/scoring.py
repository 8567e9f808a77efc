"""Scores of fits that were done ahead."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.model_selection._validation import _score
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params, _num_samples

from ..base.answers import outputs_together
from ..base.later import remember
from .ahead import FitAhead

__all__ = ["Scoring"]


@dataclass
class Scoring:
    """Judge fitted candidates as ``GridSearchCV`` does.

    Parameters
    ----------
    estimator : BaseEstimator
        What the search is about.
    X, y : object
        All data of the search.
    scorer : callable
        Returns a number or a dict of numbers.
    score_params : mapping
        Further arguments of the scorer; arrays as long as X are cut like it.
    error_score : "raise" or float
        What a scorer that fails counts for.
    with_train : bool
        Whether the training part is judged, too.
    """

    estimator: Any
    X: Any
    y: Any
    scorer: Any
    score_params: Mapping[str, Any]
    error_score: Any
    with_train: bool

    def run(
        self, fits: Sequence[FitAhead], split: tuple[Any, Any]
    ) -> list[dict[str, Any]]:
        """Judge all candidates on one split.

        Parameters
        ----------
        fits : sequence of FitAhead
            Fitted on the training part of the split.
        split : tuple of (train, test)
            Row numbers.

        Returns
        -------
        list of dict
            What scikit-learn notes for each fit, but for the time of fitting.
        """
        train, test = split
        begun = time.perf_counter()
        models = [fit.fitted() for fit in fits]
        for rows in (test, train) if self.with_train else (test,):
            self._answer_ahead(fits, models, self._part(rows, train)[0])
        share = (time.perf_counter() - begun) / len(fits)
        return [self._judged(model, train, test, share) for model in models]

    def _judged(
        self, model: Any, train: Any, test: Any, share: float
    ) -> dict[str, Any]:
        begun = time.perf_counter()
        X, y = self._part(test, train)
        found = {
            "fit_error": None,
            "test_scores": self._score(model, X, y, test),
            "score_time": time.perf_counter() - begun + share,
            "n_test_samples": _num_samples(X),
        }
        if self.with_train:
            X, y = self._part(train)
            found["train_scores"] = self._score(model, X, y, train)
        return found

    def _part(self, rows: Any, train: Any = None) -> tuple[Any, Any]:
        # Cut anew for each candidate, since a scorer may write to what it is given.
        X, y = _safe_split(self.estimator, self.X, self.y, rows, train)
        return X, y

    def _score(self, model: Any, X: Any, y: Any, rows: Any) -> Any:
        params = dict(self.score_params)
        params = _check_method_params(self.X, params=params, indices=rows)
        return _score(model, X, y, self.scorer, params, self.error_score)

    def _answer_ahead(
        self, fits: Sequence[FitAhead], models: Sequence[Any], X: Any
    ) -> None:
        """Compute what the nets say of X for all of them at once."""
        for places in _alike(fits):
            trained = [fits[place].trained for place in places]
            seen = _before_net(models[places[0]], X)
            found = outputs_together([t for t in trained if t is not None], seen)
            for place, raw in zip(places, found, strict=bool(found)):
                remember(_net_of(models[place]), seen, raw)


def _alike(fits: Sequence[FitAhead]) -> Iterator[list[int]]:
    """Yield places of fits whose nets see the same data."""
    found: dict[Any, list[int]] = defaultdict(list)
    for place, fit in enumerate(fits):
        if fit.trained is not None:
            found[type(fit.net), id(fit.data[0])].append(place)
    yield from found.values()


def _net_of(model: Any) -> Any:
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def _before_net(model: Any, X: Any) -> Any:
    """Apply all steps of a pipeline but the last."""
    if isinstance(model, Pipeline) and len(model.steps) > 1:
        return model[:-1].transform(X)
    return X
