"""Scores of candidates over repeated splits, and what can be concluded from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.metrics import reverse_validation_score
from mlmi_sklearn.metrics.domain_scorers._fitting import fit_clone
from mlmi_sklearn.model_selection.candidates import Candidate
from mlmi_sklearn.model_selection.splitters import DomainStratifiedKFold

__all__ = ["Trials", "paired_gain"]


@dataclass(frozen=True)
class Trials:
    """Rows, seeds and an estimator to try candidates with.

    Every repeat has a seed for the rows held out and for the estimator, the same for
    all candidates, so that they can be compared in pairs.

    Parameters
    ----------
    estimator : estimator
        Cloned for each trial.
    X, y : array-like
        Rows of all domains.
    ids : ndarray of int of shape (n,)
        At least 0 for source, below 0 for target.
    fraction : float
        Share of rows held out.
    seeds : sequence of int
        One a repeat.
    n_jobs : int or None
        Trials at a time.
    """

    estimator: Any
    X: Any
    y: Any
    ids: np.ndarray
    fraction: float
    seeds: Sequence[int]
    n_jobs: int | None = None

    def scores(
        self, candidates: Sequence[Candidate], scorer: Callable[..., float] | None
    ) -> np.ndarray:
        """Score candidates.

        Parameters
        ----------
        candidates : sequence of Candidate
            Parameters to try.
        scorer : callable or None
            ``scorer(estimator, X, y, sample_domain=...)``; None for reverse validation.

        Returns
        -------
        ndarray of shape (len(candidates), len(seeds))
            NaN where an adapting candidate could not be fitted.
        """
        with config_context(enable_metadata_routing=True):
            found = Parallel(n_jobs=self.n_jobs)(
                delayed(self._score)(candidate, scorer, seed)
                for candidate in candidates
                for seed in self.seeds
            )
        return np.asarray(found, dtype=float).reshape(len(candidates), -1)

    def _score(self, candidate: Candidate, scorer: Any, seed: int) -> float:
        model = clone(self.estimator).set_params(**candidate.params)
        model.set_params(
            **{
                name: seed
                for name in model.get_params()
                if name.split("__")[-1] == "random_state"
            }
        )
        with warnings.catch_warnings():
            # Doubts about a candidate are what this is to find out.
            warnings.simplefilter("ignore", DomainWarning)
            try:
                return (
                    self._reversed(model, seed)
                    if scorer is None
                    else self._held(model, scorer, seed)
                )
            except Exception as error:
                if candidate.is_control:
                    raise
                message = f"{candidate.params} failed: {error!r}"
        warnings.warn(message, FitFailedWarning, stacklevel=2)
        return np.nan

    def _reversed(self, model: Any, seed: int) -> float:
        return reverse_validation_score(
            model,
            self.X,
            self.y,
            self.ids,
            validation_fraction=self.fraction,
            random_state=seed,
        )

    def _held(self, model: Any, scorer: Callable[..., float], seed: int) -> float:
        n_splits = max(2, round(1 / self.fraction))
        splitter = DomainStratifiedKFold(n_splits, random_state=seed)
        train, test = next(splitter.split(self.X, self.y, self.ids))
        (X, X_held), (y, y_held) = (
            [_safe_indexing(item, index) for index in (train, test)]
            for item in (self.X, np.asarray(self.y))
        )
        fitted = fit_clone(model, X, y, self.ids[train])
        return float(scorer(fitted, X_held, y_held, sample_domain=self.ids[test]))


def paired_gain(scores: np.ndarray, control: np.ndarray) -> tuple[float, float]:
    """Return by how much scores exceed those of the control, and the standard error.

    Parameters
    ----------
    scores, control : ndarray of shape (n_repeats,)
        Scores on the same splits.

    Returns
    -------
    gain, error : float
        Mean and standard error of the differences; the latter is 0 for one repeat.

    Examples
    --------
    >>> gain, error = paired_gain(np.array([3.0, 5.0]), np.array([2.0, 2.0]))
    >>> gain, round(error, 6)
    (2.0, 1.0)
    """
    difference = scores - control
    n = len(difference)
    error = difference.std(ddof=1) / np.sqrt(n) if n > 1 else 0.0
    return float(difference.mean()), float(error)
