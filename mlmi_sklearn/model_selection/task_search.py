"""Search for the hyper-parameters with which new tasks are learnt best."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection.few_shot import task_column
from mlmi_sklearn.model_selection.few_shot_scorer import FewShotScorer
from mlmi_sklearn.model_selection.few_shot_tasks import (
    HOW,
    classifies,
    coded,
    plan_episodes,
    seed,
)
from mlmi_sklearn.model_selection.task_splitters import TaskKFold

__all__ = ["TaskSearch", "search_tasks"]

Array = NDArray[Any]
Fold = tuple[Array, Array]
Grid = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False, repr=False)
class TaskSearch:
    """What a search over tasks has found; printing it shows the best candidates.

    :func:`few_shot_score` takes it in place of its ``best_estimator_``.

    Parameters
    ----------
    best_estimator_ : estimator
        Fitted on all tasks with the best parameters.
    best_params_ : dict
        These parameters.
    best_score_ : float
        Mean score on the held-out tasks. The best of several is a little too high:
        judge ``best_estimator_`` on tasks that took no part.
    results_ : DataFrame
        A row for each candidate, the best first: its parameters, ``mean`` score, ``sd``
        over the folds, ``ci95`` (half the 95 % interval of the mean over episodes),
        ``fit_time`` and ``score_time`` in seconds a fold; with "halving" also ``round``
        and ``n_resources``, with a row for each round, the last one first.
    search_ : GridSearchCV or HalvingGridSearchCV
        What did the work.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from mlmi_sklearn.model_selection import TaskSearch, search_tasks
    >>> y = np.repeat(np.arange(8), 5)
    >>> found = search_tasks(
    ...     KNeighborsClassifier(1), {"p": [1, 2]}, y[:, None], y, cv=2,
    ...     n_way=3, n_query=3, n_episodes=5, random_state=0,
    ... )
    >>> isinstance(found, TaskSearch), found.best_score_, len(found.results_)
    (True, 1.0, 2)
    """

    best_estimator_: Any
    best_params_: dict[str, Any]
    best_score_: float
    results_: pd.DataFrame
    search_: Any

    def __str__(self) -> str:
        best = ", ".join(
            f"{name}={value!r}" for name, value in self.best_params_.items()
        )
        table = self.results_.head(10).to_string()
        return f"Best: {best or 'the only candidate'}.\n{table}"

    def __repr__(self) -> str:
        n = len(self.results_)
        return f"<{type(self).__name__}: {self.best_params_}, best of {n} rows>"


def search_tasks(
    estimator: Any,
    param_grid: Grid,
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    cv: Any = 3,
    search: Literal["grid", "halving"] = "grid",
    n_way: int | None = 5,
    n_shot: int = 1,
    n_query: int = 15,
    n_episodes: int = 100,
    scoring: Any = None,
    resource: str | None = None,
    factor: float = 3,
    n_jobs: int | None = None,
    random_state: Any = None,
    error_score: Any = np.nan,
) -> TaskSearch:
    """Choose hyper-parameters by how well new tasks are learnt with them.

    A search over architecture, loss or augmentation is meta-learning if what is chosen
    is judged as it will be used: each candidate is trained on some tasks, then learns
    each of the held-out tasks from a few rows and is scored on others. Metadata routing
    is switched on meanwhile, and all candidates see the same episodes.

    Parameters
    ----------
    estimator : estimator
        Has ``adapt`` after ``fit``, or ends in a step that has. Any other is trained
        from scratch on each held-out task.
    param_grid : dict or list of dict
        Candidates, as for :class:`~sklearn.model_selection.GridSearchCV`, such
        as ``{"backbone": ["mlp", "conv4"], "loss": [...]}``.
    X : array-like of shape (n, ...)
        Rows of all tasks.
    y : array-like of shape (n,) or (n, n_outputs)
        Labels, or measurements if `estimator` is a regressor.
    groups : array-like of shape (n,) or None, default=None
        Task of each row. With None, the column of X that the estimator's ``task``
        names, if any; otherwise classes are held out, and episodes are made of them.
    cv : int, splitter or iterable, default=3
        Number of folds of :class:`TaskKFold`, or another splitter, which gets the tasks
        as groups. No task may be on both sides.
    search : {"grid", "halving"}, default="grid"
        Whether to train every candidate to the end, or all of them briefly, the better
        ones longer, and so on (successive halving).
    n_way, n_shot, n_query : int, default=5, 1, 15
        Size of an episode, as in :func:`few_shot_score`. Held-out classes must be
        ``n_way`` at least in each fold.
    n_episodes : int, default=100
        Number of episodes for each fold.
    scoring : str, callable or None, default=None
        Score of an episode, as in :func:`few_shot_score`.
    resource : str or None, default=None
        With "halving", the parameter that grows from round to round, up to the value it
        has in `estimator`. None for ``max_epochs`` of the estimator or its last step.
        The best is trained with what the last round had, which is in its parameters.
    factor : float, default=3
        With "halving", by how much: one candidate in so many is kept in each round.
    n_jobs : int or None, default=None
        Number of candidates and folds to work on at once, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Determines folds and episodes. What the estimator draws is up to its own.
    error_score : "raise" or float, default=nan
        Score of a candidate that fails, which is reported in a warning.

    Returns
    -------
    TaskSearch
        With ``best_estimator_``, ``best_params_`` and ``results_``.

    Raises
    ------
    TaskError
        If a fold has no episode of that size, a task is on both sides, or regression
        has no groups.
    ValueError
        If all candidates fail, or "halving" finds nothing to grow.

    Warns
    -----
    UserWarning
        If the resource is too small to halve as often as there are candidates for.

    References
    ----------
    Jamieson, K. and Talwalkar, A. (2016). Non-stochastic best arm identification and
    hyperparameter optimization. AISTATS (successive halving).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mlmi_sklearn.model_selection import search_tasks
    >>> X, y = load_digits(return_X_y=True)
    >>> found = search_tasks(
    ...     LogisticRegression(), {"C": [1e-9, 1e-1]}, X / 16, y, cv=2,
    ...     n_way=3, n_episodes=20, random_state=0, scoring="neg_log_loss",
    ... )
    >>> found.best_params_
    {'C': 0.1}
    >>> found.results_.columns.tolist()
    ['C', 'mean', 'sd', 'ci95', 'fit_time', 'score_time']
    """
    number = seed(random_state)
    scorer = _Scorer(
        n_way=n_way,
        n_shot=n_shot,
        n_query=n_query,
        n_episodes=n_episodes,
        scoring=scoring,
        random_state=number,
    )
    with config_context(enable_metadata_routing=True):
        folds = _folds(estimator, X, y, groups, cv, scorer)
        shared = {
            "scoring": scorer,
            "cv": folds,
            "refit": "score",
            "n_jobs": n_jobs,
            "error_score": error_score,
        }
        if search == "halving":
            shared |= _budget(estimator, resource)
            tool = HalvingGridSearchCV(
                estimator, param_grid, factor=factor, random_state=number, **shared
            )
        elif search == "grid":
            tool = GridSearchCV(estimator, param_grid, **shared)
        else:
            raise ValueError(f"search must be 'grid' or 'halving', got {search!r}.")
        tool.fit(X, y, **({} if groups is None else {"groups": groups}))
    if search == "halving":
        _warn_of_small_budget(tool)
    return _found(tool)


class _Scorer(FewShotScorer):
    """Report the interval as well, which needs the scores of episodes."""

    def __call__(self, estimator: Any, X: Any, y: Any, groups: Any = None) -> Any:
        score = self.score(estimator, X, y, groups)
        return {"score": score.mean, "ci95": score.ci95}


def _folds(
    estimator: Any, X: Any, y: Any, groups: Any, cv: Any, scorer: FewShotScorer
) -> list[Fold]:
    """Return the folds after a check that each can be trained and judged on."""
    last = _last(estimator)
    groups = task_column(last, X) if groups is None else groups
    classification = classifies(estimator, y)
    if groups is None and not classification:
        raise TaskError(f"Regression has no classes to make tasks of: {HOW}")
    if isinstance(cv, Integral):
        cv = TaskKFold(int(cv), random_state=scorer.random_state)
    tasks = y if groups is None else groups
    names, codes = coded(tasks, _num_samples(X), "y" if groups is None else "groups")
    folds = list(check_cv(cv).split(X, y, tasks))
    for number, (train, test) in enumerate(folds):
        both = np.intersect1d(codes[train], codes[test])
        if len(both):
            task = names.tolist()[both[0]]
            raise TaskError(
                f"Fold {number} of cv trains and tests on task {task!r}; a held-out "
                "task must be new. Use TaskKFold."
            )
    by_groups = groups is not None and getattr(last, "episodes", None) != "classes"
    for _, test in folds:
        plan_episodes(
            len(test),
            np.asarray(y)[test],
            np.asarray(groups)[test] if by_groups else None,
            classification=classification,
            n_way=scorer.n_way,
            n_shot=scorer.n_shot,
            n_query=scorer.n_query,
        )
    return folds


def _last(estimator: Any) -> Any:
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def _budget(estimator: Any, resource: str | None) -> dict[str, Any]:
    """Return what grows in successive halving, and up to where."""
    params = estimator.get_params(deep=True)
    names = [name for name in params if name.split("__")[-1] == "max_epochs"]
    name = min(names, key=len, default=None) if resource is None else resource
    if name is None or name not in params:
        raise ValueError(
            "search='halving' needs resource=, the name of a parameter that makes "
            f"training longer, but {type(estimator).__name__} has no "
            f"{name or 'max_epochs'}."
        )
    most = params[name]
    if not isinstance(most, Integral) or most < 1:
        raise ValueError(
            f"resource={name!r} grows up to its value in the estimator, which must be "
            f"a whole number of at least 1, got {most!r}."
        )
    return {"resource": name, "max_resources": int(most)}


def _warn_of_small_budget(tool: Any) -> None:
    possible, required = tool.n_possible_iterations_, tool.n_required_iterations_
    if possible < required:
        warnings.warn(
            f"{tool.resource}={tool.max_resources} is enough for {possible} rounds, "
            f"but so many candidates need {required}: the last round still compared "
            f"{tool.n_candidates_[-1]}. Take a larger {tool.resource} or factor.",
            UserWarning,
            stacklevel=3,
        )


def _found(tool: Any) -> TaskSearch:
    results = tool.cv_results_
    best = results["mean_test_score"][tool.best_index_]
    if not np.isfinite(best):
        raise ValueError(
            "No candidate could be scored on all held-out tasks; the warnings say why, "
            "and error_score='raise' shows the first error."
        )
    return TaskSearch(
        best_estimator_=tool.best_estimator_,
        best_params_=dict(tool.best_params_),
        best_score_=float(best),
        results_=_table(results, tool.n_splits_),
        search_=tool,
    )


def _table(results: Mapping[str, Any], n_splits: int) -> pd.DataFrame:
    """Return the results of candidates, the best first."""
    rounds = {"round": "iter", "n_resources": "n_resources"}
    names = list(dict.fromkeys(name for params in results["params"] for name in params))
    columns: dict[str, Any] = {
        name: [params.get(name) for params in results["params"]] for name in names
    }
    columns |= {new: results[old] for new, old in rounds.items() if old in results}
    widths = [results[f"split{k}_test_ci95"] for k in range(n_splits)]
    frame = pd.DataFrame(
        {
            **columns,
            "mean": results["mean_test_score"],
            "sd": results["std_test_score"],
            # Folds are of different tasks, so the errors of their means add as squares.
            "ci95": np.sqrt(np.square(widths).sum(axis=0)) / n_splits,
            "fit_time": results["mean_fit_time"],
            "score_time": results["mean_score_time"],
        }
    )
    by = [name for name in ("round", "mean") if name in frame]
    return frame.sort_values(by, ascending=False, kind="stable", ignore_index=True)
