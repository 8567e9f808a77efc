"""Grid search that trains the nets of all candidates and folds together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib import parallel_config
from sklearn import get_config
from sklearn.model_selection import GridSearchCV, ParameterGrid

from ..base.prefit import offered
from ..components.doclink import DocumentationLink
from .ahead import FitsAhead

__all__ = ["VectorizedSearchCV"]


class VectorizedSearchCV(DocumentationLink, GridSearchCV):
    """Search over a grid of parameters, training many small nets at once.

    Finds what :class:`~sklearn.model_selection.GridSearchCV` finds, with the same
    arguments, attributes and, up to rounding, the same scores. The nets of candidates
    and folds that differ only in data, seed, learning rate, weight decay and schedule
    are stacked and trained by the same steps, where that is faster. All else is fitted
    one by one, as ever: nets with dropout or batch normalisation, early stopping,
    callbacks, nets that are large enough to keep the processor busy by themselves, and
    estimators that are not nets.

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

    Sums are formed in another order than for one net, so weights differ in the last
    digits, and now and then, where rounding decides whether a unit is on, by more.
    With ``float64`` data they agree to about 1e-14.

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
        self._data = (X, y, params)
        self._seconds = 0.0
        self.n_trained_together_ = 0
        try:
            # What is left to do one by one after the training is too little to share.
            with parallel_config(backend="sequential"):
                return super().fit(X, y, **params)
        finally:
            del self._data, self._seconds

    def _run_search(self, evaluate_candidates: Callable[..., Any], **more: Any) -> None:
        candidates = list(ParameterGrid(self.param_grid))
        X, y, params = self._data
        groups = params.get("groups")
        others = {k: v for k, v in params.items() if k != "groups"}
        if get_config()["enable_metadata_routing"] and params:
            # Which of them are meant for fit is for scikit-learn to say.
            evaluate_candidates(candidates, **more)
            return
        splits = list(self._checked_cv_orig.split(X, y, groups))
        ahead = FitsAhead(self.estimator, X, y, others, self.n_jobs)
        results, self._seconds = ahead.run(candidates, splits)
        self.n_trained_together_ = len(results)
        with offered(results):
            evaluate_candidates(candidates, cv=_Given(splits), **more)

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None
    ) -> dict[str, Any]:
        """Share the time of the common training among all fits."""
        for result in out:
            result["fit_time"] += self._seconds / len(out)
        found: dict[str, Any] = super()._format_results(
            candidate_params, n_splits, out, more_results
        )
        return found


class _Given:
    """Splits that are settled, since a splitter may draw new ones each time."""

    def __init__(self, splits: list[Any]) -> None:
        self.splits = splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> list[Any]:
        """Return the splits."""
        return self.splits
