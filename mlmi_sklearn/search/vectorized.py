"""Grid search that trains the nets of all candidates and folds together."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joblib import parallel_config
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.utils import indexable
from sklearn.utils.validation import _check_method_params

from ..base.prefit import Prefitted, offered
from ..components.doclink import DocumentationLink
from .ahead import FitAhead, FitsAhead
from .scoring import Scoring

__all__ = ["VectorizedSearchCV"]


class VectorizedSearchCV(DocumentationLink, GridSearchCV):
    """Search over a grid of parameters, training many small nets at once.

    Finds what :class:`~sklearn.model_selection.GridSearchCV` finds, with the same
    arguments, attributes and, up to rounding, the same scores. The nets of candidates
    and folds that differ only in data, seed, learning rate, weight decay and schedule
    are stacked and trained by the same steps, where that is faster; one that stops
    early leaves the stack. All else is fitted one by one, as ever: nets with dropout or
    batch normalisation, callbacks, nets that are large enough to keep the processor
    busy by themselves, and estimators that are not nets.

    Parameters
    ----------
    estimator : estimator
        As in ``GridSearchCV``; a Pipeline may end with the net.
    param_grid : dict or list of dict
        As in ``GridSearchCV``.
    scoring : str, callable, list, tuple or dict, default=None
        As in ``GridSearchCV``.
    n_jobs : int, default=None
        Processes that share the training. Scores are computed in this one.
    refit : bool, str or callable, default=True
        As in ``GridSearchCV``.
    cv : int, cross-validation generator or iterable, default=None
        As in ``GridSearchCV``.
    verbose : int, default=0
        As in ``GridSearchCV``.
    pre_dispatch : int or str, default="2*n_jobs"
        Not used; for compatibility.
    error_score : "raise" or float, default=nan
        As in ``GridSearchCV``.
    return_train_score : bool, default=False
        As in ``GridSearchCV``.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        As in ``GridSearchCV``. ``mean_fit_time`` is the average over all fits that were
        trained together.
    n_trained_together_ : int
        How many of the fits were done together.
    best_estimator_ : estimator
        Fitted on all data with the best parameters, alone. Only with ``refit``.
    best_score_ : float
        Mean score of the best candidate.
    best_params_ : dict
        Its parameters.
    best_index_ : int
        Its place in ``cv_results_``.
    scorer_ : callable or dict
        What scored.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Seconds of the last fit.
    multimetric_ : bool
        Whether there are several scores.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : The same, fit by fit.
    mlmi_sklearn.search_tasks : Search judged by adaptation to new tasks.

    Notes
    -----
    A step of a small net is mostly overhead; K nets trained by one step save most of
    it. ``make bench FAMILY=many_fits`` measures by how much. Memory grows by K copies
    of the training data; at most 256 MB are taken at a time.

    If every fit was done together and none failed, scores are computed from one pass
    of all nets over each test set. Else, and where progress is to be shown
    (``verbose`` or callbacks of the search), scikit-learn's own loop goes through all
    candidates, takes the fits that are there and does the others.

    Sums are formed in another order than for one net, so weights differ in the last
    digits, and now and then, where rounding decides whether a unit is on or whether a
    validation loss is the best so far, by more.
    With ``float64`` data they agree to about 1e-14. Scores that are tied but for that
    may be ranked otherwise than by ``GridSearchCV``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from mlmi_sklearn import NetClassifier, VectorizedSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), NetClassifier(random_state=0))
    >>> grid = {"netclassifier__lr": [1e-4, 1e-3, 1e-2]}
    >>> search = VectorizedSearchCV(model, grid, cv=3).fit(X, y)
    >>> search.n_trained_together_, search.best_params_
    (9, {'netclassifier__lr': 0.01})
    """

    cv: Any

    def fit(self, X: Any, y: Any = None, **params: Any) -> VectorizedSearchCV:
        """Search.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as the estimator takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            As in ``GridSearchCV``: ``groups`` for the splits, the rest for ``fit``.

        Returns
        -------
        VectorizedSearchCV
            The search itself, fitted.
        """
        self._given = (X, y, params)
        self._seconds = 0.0
        given: Any = self.cv
        self.n_trained_together_ = 0
        try:
            # The splits are asked for twice, and those of a generator can be once.
            self.cv = check_cv(given, y, classifier=is_classifier(self.estimator))
            # What is left to do one by one after the training is too little to share.
            with parallel_config(backend="sequential"):
                return super().fit(X, y, **params)
        finally:
            self.cv = given
            for name in ("_given", "_seconds", "_others"):
                self.__dict__.pop(name, None)

    def _run_search(
        self, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any = None
    ) -> None:
        def evaluate(candidates: Any, **context: Any) -> None:
            self._evaluate(evaluate_candidates, list(candidates), context)

        # scikit-learn 1.8 knows no such contexts.
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        super()._run_search(evaluate, **context)

    def _evaluate(
        self,
        evaluate_candidates: Callable[..., Any],
        candidates: list[dict[str, Any]],
        context: dict[str, Any],
    ) -> None:
        """Fit all candidates ahead, and see that all get their scores."""
        X, y, params = self._given
        if get_config()["enable_metadata_routing"] and params:
            # Which of them are meant for fit is for scikit-learn to say.
            evaluate_candidates(candidates, **context)
            return
        others = {k: v for k, v in params.items() if k != "groups"}
        splits = list(self.cv.split(X, y, params.get("groups")))
        ahead = FitsAhead(self.estimator, X, y, others, self.n_jobs)
        begun = time.perf_counter()
        fits = ahead.run(candidates, splits)
        seconds = time.perf_counter() - begun
        self.n_trained_together_ = len(_done(fits))
        shown = candidates
        if self._scores_itself(fits):
            # One is left to scikit-learn, which checks the scorer by it.
            shown = candidates[:1]
            self._others = _Others(candidates, fits, splits, self._scoring())
            for warning in ahead.warned:
                warnings.warn(warning.message, warning.category, stacklevel=4)
        self._seconds = seconds
        with offered(_offer(fits)):
            evaluate_candidates(shown, cv=_Given(splits), **context)

    def _scores_itself(self, fits: list[list[FitAhead | None]]) -> bool:
        """Tell whether nothing is left that only scikit-learn's own loop can do.

        It reports failed fits and progress, and fits what was not fitted ahead.
        """
        complete = all(fit is not None and fit.is_done for row in fits for fit in row)
        return complete and not (self.verbose or getattr(self, "_skl_callbacks", None))

    def _scoring(self) -> Scoring:
        X, y, params = self._given
        X, y = indexable(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn asks the same, and warns
            routed = self._get_routed_params_for_fit(_check_method_params(X, params))
        return Scoring(
            self.estimator,
            X,
            y,
            self._get_scorers()[0],
            routed.scorer.score,
            self.error_score,
            self.return_train_score,
        )

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None
    ) -> dict[str, Any]:
        """Add the candidates scored here; share the common time among all fits."""
        out = list(out)
        if hasattr(self, "_others"):
            candidate_params = self._others.candidates
            out += self._others.scored()
        for result in out:
            result["fit_time"] = result.get("fit_time", 0) + self._seconds / len(out)
        found: dict[str, Any] = super()._format_results(
            candidate_params, n_splits, out, more_results
        )
        return found


@dataclass
class _Others:
    """All candidates, and the scores of those but the first."""

    candidates: list[dict[str, Any]]
    fits: list[list[Any]]
    splits: list[Any]
    scoring: Scoring

    def scored(self) -> list[dict[str, Any]]:
        """Return what scikit-learn notes, all splits of a candidate together."""
        by_split = [
            self.scoring.run(fits[1:], split) if len(fits) > 1 else []
            for fits, split in zip(self.fits, self.splits, strict=True)
        ]
        return [noted for row in zip(*by_split, strict=True) for noted in row]


def _done(fits: list[list[FitAhead | None]]) -> list[FitAhead]:
    """Return the fits that were done ahead, those that failed among them."""
    return [f for row in fits for f in row if f is not None and f.outcome is not None]


def _offer(fits: list[list[FitAhead | None]]) -> Prefitted:
    results = Prefitted()
    for fit in _done(fits):
        results.add(fit.net, *fit.data, fit.outcome)
    return results


class _Given:
    """Splits that are settled, since a splitter may draw new ones each time."""

    def __init__(self, splits: list[Any]) -> None:
        self.splits = splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> list[Any]:
        """Return the splits."""
        return self.splits
