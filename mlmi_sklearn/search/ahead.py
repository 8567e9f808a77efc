"""Do the fits of a search ahead, many at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from ..base.keys import params_key
from ..base.many import TrainedFit, train_together
from ..base.sharing import scratch_copy

__all__ = ["FitAhead", "FitsAhead"]

_Split = tuple[Any, Any]
_Data = tuple[Any, Any, Any]


@dataclass
class FitAhead:
    """The fit of one candidate on one split.

    Parameters
    ----------
    split : int
        Number of the split.
    model : BaseEstimator
        With the parameters of the candidate: an estimator, or a Pipeline.
    net : BaseEstimator
        The estimator itself, or the last step of the Pipeline.
    data : tuple
        X, y and weights that it sees.
    steps : list
        Fitted steps of the Pipeline before the last.
    outcome : dict, Exception or None
        Fitted attributes of the net, an error, or None if it was not fitted ahead.
    trained : TrainedFit or None
        What the outcome is from, if it was done in this process.
    """

    split: int
    model: Any
    net: Any
    data: _Data
    steps: list[Any] = field(default_factory=list)
    outcome: Any = None
    trained: TrainedFit | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is a fitted estimator."""
        return isinstance(self.outcome, dict)

    def fitted(self) -> Any:
        """Return the candidate, fitted."""
        net = scratch_copy(self.net)
        vars(net).update(self.outcome)
        if self.model is self.net:
            return net
        model = scratch_copy(self.model)
        model.steps = [*self.steps, (self.model.steps[-1][0], net)]
        return model


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

    Attributes
    ----------
    warned : list of WarningMessage
        Warnings of the steps of pipelines before the last.
    """

    estimator: BaseEstimator
    X: Any
    y: Any
    fit_params: Mapping[str, Any]
    n_jobs: int | None = None
    warned: list[warnings.WarningMessage] = field(default_factory=list)

    def run(
        self, candidates: Sequence[Mapping[str, Any]], splits: Sequence[_Split]
    ) -> list[list[FitAhead | None]]:
        """Fit.

        Parameters
        ----------
        candidates : sequence of mapping
            Parameters to set.
        splits : sequence of (train, test)
            Row numbers.

        Returns
        -------
        list of list of FitAhead or None
            One list for each split, with one fit for each candidate; None for what is
            left to the search.
        """
        models = [self._model(candidate) for candidate in candidates]
        fits = [
            list(self._of_split(number, models, train))
            for number, (train, _) in enumerate(splits)
        ]
        self._train([fit for row in fits for fit in row if fit is not None])
        return fits

    def _model(self, candidate: Mapping[str, Any]) -> Any:
        """Return the estimator of a candidate; None if its parameters are unusable."""
        try:
            model = clone(self.estimator)
            return model.set_params(**clone(dict(candidate), safe=False))
        except Exception:  # the search itself will meet it, and report it
            return None

    def _of_split(
        self, number: int, models: Sequence[Any], train: Any
    ) -> Iterator[FitAhead | None]:
        """Yield the fits of all candidates on one training set."""
        X, y = _safe_split(self.estimator, self.X, self.y, train)
        params = dict(self.fit_params)
        params = _check_method_params(self.X, params=params, indices=train)
        before: dict[Any, Any] = {}
        for model in models:
            try:
                yield self._fit_of(number, model, (X, y), params, before)
            except Exception:  # likewise
                yield None

    def _fit_of(
        self,
        number: int,
        model: Any,
        data: tuple[Any, Any],
        params: Mapping[str, Any],
        before: dict[Any, Any],
    ) -> FitAhead | None:
        """Apply all steps of a pipeline but the last; None for what is not known."""
        X, y = data
        name, net = "", model
        steps: list[Any] = []
        if isinstance(model, Pipeline):
            name, net = f"{model.steps[-1][0]}__", model.steps[-1][1]
            steps, X = self._transformed(model[:-1], X, y, before)
        if model is None or set(params) - {f"{name}sample_weight"}:
            return None
        weight = params.get(f"{name}sample_weight")
        return FitAhead(number, model, net, (X, y, weight), steps)

    def _transformed(
        self, pipeline: Pipeline, X: Any, y: Any, before: dict[Any, Any]
    ) -> tuple[list[Any], Any]:
        """Fit the first steps, once for all candidates that share them."""
        if not pipeline.steps:
            return [], X
        key = params_key(pipeline)
        if key not in before:
            with warnings.catch_warnings(record=True) as warned:
                fitted = clone(pipeline)
                before[key] = fitted, fitted.fit_transform(X, y)
            self.warned += warned
        fitted, X = before[key]
        return fitted.steps, X

    def _train(self, fits: list[FitAhead]) -> None:
        """Write to each fit what came out."""
        jobs = [(fit.net, *fit.data) for fit in fits]
        if self.n_jobs in (None, 1):
            for fit, trained in zip(fits, train_together(jobs), strict=True):
                if trained is not None:
                    fit.outcome = trained.error or trained.state()
                    fit.trained = None if trained.error else trained
            return
        parallel = Parallel(n_jobs=self.n_jobs)
        n = min(parallel._effective_n_jobs(), max(1, len(jobs)))
        found = parallel(delayed(_train_apart)(jobs[part::n]) for part in range(n))
        for part, outcomes in enumerate(found):
            for fit, outcome in zip(fits[part::n], outcomes, strict=True):
                fit.outcome = outcome


def _train_apart(jobs: list[Any]) -> list[Any]:
    """Train in another process; return what can be sent back."""
    return [
        None if done is None else done.error or {**done.attributes, **done.results()}
        for done in train_together(jobs)
    ]
