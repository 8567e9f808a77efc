"""Which rows can make up few-shot episodes, and how episodes are drawn from them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _num_samples, column_or_1d

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection.episodes import Episodes, EpisodeSampler

__all__ = ["EpisodePlan", "classifies", "coded", "has_classes", "plan_episodes", "seed"]

Array = NDArray[Any]

HOW = (
    "pass groups, the task of each row (in a search or cross_validate this needs "
    "sklearn.set_config(enable_metadata_routing=True), and in cross_validate "
    "params={'groups': groups}), or keep the task in a column of X and name it in "
    "the estimator's task=."
)


@dataclass(frozen=True)
class EpisodePlan:
    """The rows that episodes can be drawn from.

    Parameters
    ----------
    sampler : EpisodeSampler
        Draws numbers of `rows`.
    rows : ndarray of int
        Positions of the rows that take part.
    labels : ndarray or None
        Label of each class code; None in regression.
    tasks : ndarray
        Name of each task code.
    """

    sampler: EpisodeSampler
    rows: Array
    labels: Array | None
    tasks: Array

    def draw(self, n_episodes: int, random_state: Any) -> Episodes:
        """Draw episodes; each task gets the same number of them, give or take one.

        Parameters
        ----------
        n_episodes : int
            Number of episodes.
        random_state : int, RandomState instance or None
            Determines them.

        Returns
        -------
        Episodes
            With positions of rows as the caller counts them.
        """
        rng = np.random.default_rng(seed(random_state))
        rounds = -(-n_episodes // len(self.tasks))
        turns = np.tile(np.arange(len(self.tasks)), (rounds, 1))
        tasks = rng.permuted(turns, axis=1).ravel()[:n_episodes]
        drawn = self.sampler.draw(rng, tasks)
        return Episodes(
            self._positions(drawn.support),
            self._positions(drawn.query),
            drawn.classes,
            drawn.tasks,
        )

    def class_labels(self, codes: Array) -> tuple[Any, ...]:
        """Return the labels of the classes of one episode, in sorted order.

        Parameters
        ----------
        codes : ndarray of int
            Class codes, -1 for none.

        Returns
        -------
        tuple
            Empty in regression.
        """
        if self.labels is None:
            return ()
        return tuple(self.labels[np.sort(codes[codes >= 0])].tolist())

    def _positions(self, drawn: Array) -> Array:
        return np.where(drawn >= 0, self.rows[drawn], -1)


def plan_episodes(
    n: int,
    y: Any,
    groups: Any,
    *,
    classification: bool,
    n_way: int | None,
    n_shot: int,
    n_query: int,
) -> EpisodePlan:
    """Find the rows that episodes can be drawn from, or say why there are none.

    A class takes part in a task with at least ``n_shot + 1`` rows there, so that its
    support is complete and something is left for the query.

    Parameters
    ----------
    n : int
        Number of rows.
    y : array-like of shape (n,) or (n, n_outputs)
        Labels, or measurements of one or several kinds.
    groups : array-like of shape (n,) or None
        Task of each row.
    classification : bool
        Whether y holds classes.
    n_way : int or None
        Classes in an episode, at least 2; with groups, at most as many as that. None
        for all classes of a task.
    n_shot, n_query : int
        Rows of a class (in regression, of a task) in support and query, at least 1.

    Returns
    -------
    EpisodePlan

    Raises
    ------
    TaskError
        If no episode is possible, or lengths differ.

    Warns
    -----
    UserWarning
        If some of the groups are left out, since they are too small.
    """
    _check_sizes(n_way, n_shot, n_query)
    if _num_samples(y) != n:
        raise TaskError(f"X has {n} rows, but y has {_num_samples(y)} labels.")
    labels, classes = _classes(y) if classification else (None, np.zeros(n, np.int64))
    if groups is None and not classification:
        raise TaskError(f"Regression has no classes to make tasks of: {HOW}")
    single = (np.zeros(1, np.int64), np.zeros(n, np.int64))
    names, tasks = single if groups is None else coded(groups, n)
    if groups is None:
        keep = _large_classes(classes, n_way, n_shot)
    else:
        keep = _usable(tasks, classes, 2 if classification else 1, n_shot)
        _check_groups(np.unique(tasks[keep]), len(names), n_shot, classification)
    rows = np.flatnonzero(keep)
    there, codes = np.unique(tasks[rows], return_inverse=True)
    sampler = EpisodeSampler(
        classes[rows] if classification else None,
        codes,
        n_way=n_way if classification else None,
        n_shot=n_shot,
        n_query=n_query,
    )
    return EpisodePlan(sampler, rows, labels, names[there])


def classifies(estimator: Any, y: Any) -> bool:
    """Tell whether episodes are made of classes: what the estimator is decides.

    Parameters
    ----------
    estimator : estimator
        Classifier, regressor, or something that does not say.
    y : array-like
        Decides if the estimator does not.

    Returns
    -------
    bool
    """
    return bool(
        is_classifier(estimator) or (not is_regressor(estimator) and has_classes(y))
    )


def has_classes(y: Any) -> bool:
    """Tell whether y holds classes rather than measurements."""
    return y is not None and type_of_target(y) in ("binary", "multiclass")


def coded(groups: Any, n: int, name: str = "groups") -> tuple[Array, Array]:
    """Give each task a number.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Numbers or names.
    n : int
        Number of rows.
    name : str, default="groups"
        What to call it in messages.

    Returns
    -------
    names : ndarray of shape (n_tasks,)
        Each task once, sorted where they can be.
    codes : ndarray of int of shape (n,)
        Position in `names` of the task of each row.

    Raises
    ------
    TaskError
        If the number of ids is not n, or ids are missing.

    Examples
    --------
    >>> coded(["b", "a", "b"], 3)[1].tolist()
    [1, 0, 1]
    """
    if np.ndim(groups) == 0 or _num_samples(groups) != n:
        got = "one value" if np.ndim(groups) == 0 else f"{_num_samples(groups)} values"
        raise TaskError(f"{name} must have one value for each of {n} rows, got {got}.")
    ids = column_or_1d(groups)
    if pd.isna(ids).any():
        raise TaskError(f"{name} must not have missing values.")
    try:
        codes, names = pd.factorize(ids, sort=True)
    except TypeError:
        codes, names = pd.factorize(ids)
    return np.asarray(names), np.asarray(codes)


def seed(random_state: Any) -> int:
    """Draw a whole number to seed a generator with."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _check_sizes(n_way: Any, n_shot: Any, n_query: Any) -> None:
    if n_way is not None:
        check_scalar(n_way, "n_way", Integral, min_val=2)
    check_scalar(n_shot, "n_shot", Integral, min_val=1)
    check_scalar(n_query, "n_query", Integral, min_val=1)


def _classes(y: Any) -> tuple[Array, Array]:
    """Return labels and codes of classes."""
    if np.ndim(y) == 2 and np.shape(y)[1] > 1:
        raise TaskError(
            "y must hold one label for each row to make classes of, got shape "
            f"{np.shape(y)}."
        )
    labels = coded(y, _num_samples(y), "y")
    check_classification_targets(column_or_1d(y))
    return labels


def _large_classes(classes: Array, n_way: int | None, n_shot: int) -> Array:
    """Mark the rows of classes that are large enough, of which n_way are needed."""
    counts = np.bincount(classes)
    large = counts > n_shot
    if large.sum() < (n_way or 2):
        raise TaskError(
            f"An episode needs n_way={n_way} classes of at least n_shot + 1 = "
            f"{n_shot + 1} rows, but y has {large.sum()} of them, and {len(counts)} "
            "classes in all. Take a smaller n_way or n_shot."
        )
    return np.asarray(large[classes])


def _usable(tasks: Array, classes: Array, n_least: int, n_shot: int) -> Array:
    """Mark rows whose class is large enough in a task with enough such classes."""
    cells = tasks * (classes.max(initial=0) + 1) + classes
    found, cell, counts = np.unique(cells, return_inverse=True, return_counts=True)
    large = counts > n_shot
    task_of_cell = found // (classes.max(initial=0) + 1)
    n_large = np.bincount(task_of_cell[large], minlength=tasks.max(initial=0) + 1)
    return np.asarray(large[cell] & (n_large[tasks] >= n_least))


def _check_groups(kept: Array, n: int, n_shot: int, classification: bool) -> None:
    least = f"n_shot + 1 = {n_shot + 1} rows"
    need = f"two classes of at least {least}" if classification else f"at least {least}"
    if not len(kept):
        raise TaskError(
            f"An episode keeps to one of the groups, which needs {need}, but none of "
            f"the {n} groups has that. Take a smaller n_shot."
        )
    if len(kept) < n:
        warnings.warn(
            f"{n - len(kept)} of {n} groups are left out: a task needs {need}.",
            UserWarning,
            stacklevel=4,
        )
