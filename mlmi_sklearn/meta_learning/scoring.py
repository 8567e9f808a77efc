"""Scores of a meta-learner by tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from ..base.inputs import as_host_array
from ..exceptions import TaskError
from ..model_selection.episodes import EpisodeSampler
from .tasks import encode_tasks

__all__ = ["score_by_task"]

Array = NDArray[Any]

_TOO_FEW = (
    "Task {name} has {n} rows, of which adapting (n_shot={n_shot}) leaves {left} to be "
    "judged by; {fewest} are needed. Leave it out, or set a smaller n_shot."
)


def score_by_task(
    estimator: Any, X: Any, y: Any, groups: Any, sample_weight: Any = None
) -> float:
    """Return the mean over tasks of the score after adapting to a part of each.

    Parameters
    ----------
    estimator : EpisodicEstimator
        A fitted one.
    X, y : array-like of n rows
        Rows and their targets.
    groups : array-like of shape (n,)
        The task of each row.
    sample_weight : array-like of shape (n,), default=None
        Weights of rows that are judged.

    Returns
    -------
    float
        Mean score.

    Raises
    ------
    TaskError
        If a task has no row left to be judged by; two, for regression.
    """
    n = _num_samples(X)
    names, codes = encode_tasks(groups, n)
    y = np.asarray(as_host_array(y))
    classes = None
    if estimator._is_classifier:
        classes = np.unique(y, return_inverse=True)[1]
    fewest = 2 if classes is None else 1  # one row has no R2
    found = []
    for task, name in enumerate(names):
        rows = np.flatnonzero(codes == task)
        support, query = _split(estimator, rows, classes, task)
        if len(query) < fewest:
            raise TaskError(
                _TOO_FEW.format(
                    name=name,
                    n=len(rows),
                    left=len(query),
                    fewest=fewest,
                    n_shot=estimator.n_shot,
                )
            )
        model = estimator.adapt(_safe_indexing(X, support), y[support])
        weight = None if sample_weight is None else np.asarray(sample_weight)[query]
        found.append(model.score(_safe_indexing(X, query), y[query], weight))
    return float(np.mean(found))


def _split(
    estimator: Any, rows: Array, classes: Array | None, task: int
) -> tuple[Array, Array]:
    """Choose the support of one task, the same in every call."""
    codes = classes
    if classes is not None:
        codes = np.unique(classes[rows], return_inverse=True)[1]
    sampler = EpisodeSampler(
        codes, n_shot=estimator.n_shot, n_query=1, n_rows=len(rows)
    )
    rng = np.random.default_rng([_SEED, task])
    support = sampler.draw(rng, np.zeros(1, dtype=np.int64)).rows(0)[0]
    rest = np.setdiff1d(np.arange(len(rows)), support)
    return rows[np.sort(support)], rows[rest]


_SEED = 0
