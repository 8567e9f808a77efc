"""Do the fits of a search ahead, many at a time."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from ..base.many import fit_together
from ..base.prefit import Prefitted, fit_key

__all__ = ["FitsAhead"]

_Split = tuple[Any, Any]


@dataclass
class FitsAhead:
    """Fits of every candidate on the training part of every split.

    Parameters
    ----------
    estimator : BaseEstimator
        What the search is about: an estimator, or a Pipeline that ends with one.
    X, y : object
        All data of the search.
    fit_params : mapping
        Arguments of ``fit``; arrays as long as X are cut like it.
    n_jobs : int or None, default=None
        Processes that share the work.
    """

    estimator: BaseEstimator
    X: Any
    y: Any
    fit_params: Mapping[str, Any]
    n_jobs: int | None = None

    def run(
        self, candidates: Sequence[Mapping[str, Any]], splits: Sequence[_Split]
    ) -> tuple[Prefitted, float]:
        """Fit.

        Parameters
        ----------
        candidates : sequence of mapping
            Parameters to set.
        splits : sequence of (train, test)
            Row numbers.

        Returns
        -------
        results : Prefitted
            What came out.
        seconds : float
            Time that it took.
        """
        begun = time.perf_counter()
        jobs = [job for train, _ in splits for job in self._jobs(candidates, train)]
        found = self._fit(jobs)
        results = Prefitted()
        for key, outcome in found:
            results.add(key, outcome)
        return results, time.perf_counter() - begun

    def _fit(self, jobs: list[_Job]) -> list[tuple[str, Any]]:
        if self.n_jobs in (None, 1):
            return _fit_jobs(jobs)
        parallel = Parallel(n_jobs=self.n_jobs)
        n_parts = min(parallel._effective_n_jobs(), max(1, len(jobs)))
        parts = parallel(delayed(_fit_jobs)(jobs[i::n_parts]) for i in range(n_parts))
        return [pair for part in parts for pair in part]

    def _jobs(
        self, candidates: Sequence[Mapping[str, Any]], train: Any
    ) -> Iterator[_Job]:
        """Yield the fits of all candidates on one training set."""
        X, y = _safe_split(self.estimator, self.X, self.y, train)
        params = _check_method_params(
            self.X, params=dict(self.fit_params), indices=train
        )
        prepared: dict[str, Any] = {}
        for candidate in candidates:
            model = clone(self.estimator)
            try:
                model.set_params(**clone(dict(candidate), safe=False))
                job = _job_of(model, X, y, params, prepared)
            except Exception:  # the search itself will meet it, and report it
                continue
            if job is not None:
                yield job


@dataclass
class _Job:
    """One fit of the last estimator of a candidate."""

    estimator: Any
    X: Any
    y: Any
    weight: Any


def _job_of(
    model: Any, X: Any, y: Any, params: dict[str, Any], prepared: dict[str, Any]
) -> _Job | None:
    """Apply all steps of a pipeline but the last; None for what is not understood."""
    name = ""
    if isinstance(model, Pipeline):
        before = model[:-1]
        name, model = model.steps[-1]
        name += "__"
        if len(before.steps):
            key = fit_key(before, X, y)
            if key not in prepared:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the search will show them
                    prepared[key] = clone(before).fit_transform(X, y)
            X = prepared[key]
    weight = params.get(f"{name}sample_weight")
    if set(params) - {f"{name}sample_weight"}:
        return None
    return _Job(model, X, y, weight)


def _fit_jobs(jobs: list[_Job]) -> list[tuple[str, Any]]:
    """Fit, and return keys with fitted attributes or errors."""
    keys = [fit_key(j.estimator, j.X, j.y, j.weight) for j in jobs]
    before = [set(vars(j.estimator)) for j in jobs]
    data = [(j.X, j.y, j.weight) for j in jobs]
    fitted = fit_together([j.estimator for j in jobs], data)
    found = []
    for key, known, result in zip(keys, before, fitted, strict=True):
        if result is None:
            continue
        if not isinstance(result, BaseException):
            result = {k: v for k, v in vars(result).items() if k not in known}
        found.append((key, result))
    return found
