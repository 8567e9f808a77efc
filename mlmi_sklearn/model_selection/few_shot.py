"""How well an estimator learns a new task from a few rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection.episodes import Episodes
from mlmi_sklearn.model_selection.few_shot_tasks import (
    EpisodePlan,
    classifies,
    plan_episodes,
)
from mlmi_sklearn.model_selection.task_pipeline import adapts, last_step

__all__ = ["FewShotScore", "few_shot_score", "task_column"]

Array = NDArray[Any]
Rows = tuple[Array, Array]


@dataclass(frozen=True, eq=False, repr=False)
class FewShotScore:
    """The score of an estimator on few-shot episodes; printing it shows the interval.

    ``float()`` gives the mean.

    Parameters
    ----------
    mean : float
        Mean score of the episodes; higher is better.
    ci95 : float
        Half the width of its 95 % confidence interval, 1.96 standard deviations
        divided by the root of the number of episodes; NaN for a single one.
    frame : DataFrame
        A row for each episode: ``episode``, ``task`` (0 without groups), ``score``,
        ``n_support``, ``n_query`` and ``classes`` (labels; empty in regression).
    n_rows : int
        Number of different rows in all episodes together.
    size : str
        Size of the episodes, such as "5-way 1-shot".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from mlmi_sklearn.model_selection import FewShotScore, few_shot_score
    >>> y = np.repeat([0, 1], 10)
    >>> score = few_shot_score(
    ...     KNeighborsClassifier(1), y[:, None], y, n_way=2, n_episodes=5
    ... )
    >>> isinstance(score, FewShotScore), float(score), score.n_rows
    (True, 1.0, 20)
    >>> score.size
    '2-way 1-shot'
    """

    mean: float
    ci95: float
    frame: pd.DataFrame
    n_rows: int
    size: str

    def __float__(self) -> float:
        return self.mean

    def __str__(self) -> str:
        n = len(self.frame)
        episodes = f"{n} episode{'' if n == 1 else 's'}"
        return f"{self.mean:.3f} ± {self.ci95:.3f} ({episodes}, {self.size})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


def few_shot_score(
    estimator: Any,
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    n_way: int | None = 5,
    n_shot: int = 1,
    n_query: int = 15,
    n_episodes: int = 600,
    scoring: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> FewShotScore:
    """Judge how well an estimator learns new tasks from a few rows of each.

    Many small tasks are drawn. In each, the estimator learns from the support, a few
    rows, and is scored on the query, other rows. One that has ``adapt`` is adapted; any
    other is trained from scratch, which makes it the baseline. Both see the same
    episodes if `random_state` is the same.

    Parameters
    ----------
    estimator : estimator
        Fitted, if it has ``adapt``; it is not changed. A pipeline may end in one, and a
        search may have found one. Its preprocessing stays as it is fitted.
    X : array-like of shape (n, ...)
        Rows of tasks that training has not seen.
    y : array-like of shape (n,) or (n, n_outputs)
        Labels, or measurements if `estimator` is a regressor.
    groups : array-like of shape (n,) or None, default=None
        Task of each row: an episode keeps to one of them, and each gets the same number
        of episodes, give or take one. Regression needs groups. With None, the column of
        X named in the estimator's ``task``, if any; otherwise an episode is of classes
        drawn from all.
    n_way : int or None, default=5
        Classes in an episode, at least 2. With groups at most as many: a task takes
        part with the classes it has, two at least. None for all classes of a task.
        Not used in regression.
    n_shot : int, default=1
        Rows of each class to learn from; in regression, of the task.
    n_query : int, default=15
        Rows of each class (of the task) to score on, or fewer where there are no more.
    n_episodes : int, default=600
        Number of episodes, at least 1.
    scoring : str, callable or None, default=None
        Name of a scorer of scikit-learn, or a callable ``(estimator, X, y)``; None for
        the ``score`` of what was adapted or trained: accuracy, or the coefficient of
        determination in regression.
    random_state : int, RandomState instance or None, default=None
        Determines the episodes.
    n_jobs : int or None, default=None
        Number of processes, as in joblib; scores do not depend on it.

    Returns
    -------
    FewShotScore
        With ``mean``, ``ci95``, ``frame`` and ``n_rows``.

    Raises
    ------
    TaskError
        If no episode of that size is possible: too few classes or rows, or no groups
        in regression.
    sklearn.exceptions.NotFittedError
        If an estimator that has ``adapt`` is not fitted.
    ValueError
        If an episode's score is not finite.

    Warns
    -----
    UserWarning
        If some of the groups are left out, since they are too small.

    Notes
    -----
    A class takes part with ``n_shot + 1`` rows at least. No row is in both support and
    query of an episode, but episodes share rows: the interval says how exactly the
    mean over all episodes of *these* rows is known. With few groups it says little
    about other groups. For that, compare the means of groups:
    ``score.frame.groupby("task")["score"].mean()``.

    References
    ----------
    Vinyals, O. et al. (2016). Matching networks for one shot learning. NeurIPS
    (N-way, k-shot episodes). Finn, C., Abbeel, P. and Levine, S. (2017). Model-agnostic
    meta-learning. ICML (600 episodes and their interval, in the authors' code).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mlmi_sklearn.model_selection import few_shot_score
    >>> X, y = load_digits(return_X_y=True)
    >>> score = few_shot_score(
    ...     LogisticRegression(), X / 16, y, n_shot=5, n_episodes=50, random_state=0
    ... )
    >>> print(score)
    0.9... ± 0.01... (50 episodes, 5-way 5-shot)
    >>> score.frame[["n_support", "n_query"]].iloc[0].tolist()
    [25, 75]
    """
    check_scalar(n_episodes, "n_episodes", Integral, min_val=1)
    model, X = last_step(estimator, X)
    plan = plan_episodes(
        _num_samples(X),
        y,
        task_column(model, X) if groups is None else groups,
        classification=classifies(model, y),
        n_way=n_way,
        n_shot=n_shot,
        n_query=n_query,
    )
    scorer = _scorer(model, scoring)
    episodes = plan.draw(n_episodes, random_state)
    rows = [episodes.rows(number) for number in range(n_episodes)]
    scores = _all_scores(model, X, y, rows, scorer, n_jobs)
    return _summary(plan, episodes, rows, scores)


def task_column(estimator: Any, X: Any) -> Any:
    """Return the column of X that an estimator says the tasks are in.

    Parameters
    ----------
    estimator : estimator
        May have ``task``, the name or position of a column.
    X : array-like of shape (n, n_features)
        Rows.

    Returns
    -------
    array-like of shape (n,) or None
        None if the estimator names none, or makes its episodes of classes.

    Raises
    ------
    TaskError
        If X has no such column.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> task_column(SimpleNamespace(task="site"), pd.DataFrame({"site": [3, 4]}))[1]
    np.int64(4)
    """
    task = getattr(estimator, "task", None)
    if task is None or getattr(estimator, "episodes", None) == "classes":
        return None
    if not hasattr(X, "columns") and not isinstance(task, Integral):
        raise TaskError(
            f"task={task!r} is the name of a column, but X has no names of columns: "
            "pass a DataFrame, or the position of the column."
        )
    try:
        return _safe_indexing(X if hasattr(X, "shape") else np.asarray(X), task, axis=1)
    except (KeyError, IndexError, ValueError) as error:
        raise TaskError(f"X has no column task={task!r}: {error}") from None


def _scorer(model: Any, scoring: Any) -> Any:
    if scoring is None:
        return _own_score
    if not (isinstance(scoring, str) or callable(scoring)):
        raise TypeError(
            "scoring must be one name of a scorer, one callable or None, got "
            f"{scoring!r}."
        )
    return check_scoring(model, scoring=scoring)


def _own_score(estimator: Any, X: Any, y: Any) -> Any:
    return estimator.score(X, y)


def _all_scores(
    model: Any, X: Any, y: Any, rows: Sequence[Rows], scorer: Any, n_jobs: int | None
) -> Array:
    """Return the score of each episode."""
    n_batches = min(len(rows), 4 * effective_n_jobs(n_jobs))
    cuts = np.linspace(0, len(rows), n_batches + 1).astype(int)
    batches = Parallel(n_jobs=n_jobs)(
        delayed(_some_scores)(model, X, y, rows[start:stop], scorer, start)
        for start, stop in pairwise(cuts)
    )
    return np.concatenate(batches)


def _some_scores(
    model: Any, X: Any, y: Any, rows: Sequence[Rows], scorer: Any, first: int
) -> Array:
    scores = np.empty(len(rows))
    for number, (support, query) in enumerate(rows):
        learnt = _learn(model, _safe_indexing(X, support), _safe_indexing(y, support))
        value = scorer(learnt, _safe_indexing(X, query), _safe_indexing(y, query))
        scores[number] = _checked(value, first + number, len(query))
    return scores


def _learn(model: Any, X: Any, y: Any) -> Any:
    return model.adapt(X, y) if adapts(model) else clone(model).fit(X, y)


def _checked(value: Any, episode: int, n_query: int) -> float:
    if np.ndim(value) != 0 or not isinstance(np.asarray(value).item(), Real):
        raise TypeError(f"scoring must return one number, got {value!r}.")
    if not np.isfinite(value):
        raise ValueError(
            f"The score of episode {episode}, which has {n_query} rows to score on, is "
            f"{value}. Either the model diverged on its support, or the score needs "
            "more rows (n_query)."
        )
    return float(value)


def _summary(
    plan: EpisodePlan, episodes: Episodes, rows: Sequence[Rows], scores: Array
) -> FewShotScore:
    n = len(scores)
    frame = pd.DataFrame(
        {
            "episode": np.arange(n),
            "task": plan.tasks[episodes.tasks],
            "score": scores,
            "n_support": [len(support) for support, _ in rows],
            "n_query": [len(query) for _, query in rows],
            "classes": [plan.class_labels(codes) for codes in episodes.classes],
        }
    )
    spread = scores.std(ddof=1) if n > 1 else np.nan
    used = np.unique(np.concatenate([part for pair in rows for part in pair]))
    return FewShotScore(
        mean=float(scores.mean()),
        ci95=float(1.96 * spread / np.sqrt(n)),
        frame=frame,
        n_rows=len(used),
        size=_size(frame, plan),
    )


def _size(frame: pd.DataFrame, plan: EpisodePlan) -> str:
    shots = f"{plan.sampler.n_shot}-shot"
    if plan.labels is None:
        return shots
    ways = frame["classes"].map(len)
    few, many = int(ways.min()), int(ways.max())
    return f"{few}-way {shots}" if few == many else f"{few}- to {many}-way {shots}"
