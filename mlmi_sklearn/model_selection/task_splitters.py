"""Splitters of rows from many tasks: whole tasks, and support from query."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, GroupKFold
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection.few_shot_tasks import (
    HOW,
    coded,
    has_classes,
    plan_episodes,
)

__all__ = ["EpisodeSplit", "TaskKFold"]

Array = NDArray[Any]


class TaskKFold(GroupKFold):
    """Folds of whole tasks: what is tested was no part of training.

    A task is a group of rows (a patient, a scanner), or without groups a class, so that
    a test set has classes that training has never seen.

    :class:`~sklearn.model_selection.GroupKFold` balances either rows or, if it
    shuffles, tasks. Here tasks are sorted by size, and each run of ``n_splits`` tasks
    of about one size is dealt to as many folds. Folds then differ by at most one task,
    hold small and large ones alike, and their numbers of rows differ by at most those
    of the largest task.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most the number of tasks.
    shuffle : bool, default=True
        Whether tasks of about one size are dealt at random; otherwise the larger one
        goes to the fold with fewer rows.
    random_state : int, RandomState instance or None, default=None
        Determines the order; only with ``shuffle=True``.

    Notes
    -----
    It asks for ``groups`` itself, so with scikit-learn's metadata routing switched on
    ``search.fit(X, y, groups=groups)`` serves the splitter and the estimator. With
    routing off, `groups` reaches the splitter but not the estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.model_selection import TaskKFold
    >>> patient = np.array(["a"] * 4 + ["b"] * 4 + ["c"] + ["d"])
    >>> cv = TaskKFold(2, random_state=0)
    >>> for train, test in cv.split(np.zeros((10, 1)), groups=patient):
    ...     print("".join(patient[train]), "".join(patient[test]))
    bbbbc aaaad
    aaaad bbbbc

    Without groups, classes are held out:

    >>> character = np.repeat([0, 1, 2, 3], 3)
    >>> train, test = next(cv.split(np.zeros((12, 1)), character))
    >>> set(character[train].tolist()) & set(character[test].tolist())
    set()
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = True, random_state: Any = None
    ) -> None:
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Array, Array]]:
        """Generate the rows of training and test sets.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows of all tasks; only their number is used.
        y : array-like of shape (n,) or None, default=None
            Classes, which are the tasks where `groups` is None.
        groups : array-like of shape (n,) or None, default=None
            Task of each row: numbers or names.

        Yields
        ------
        train, test : ndarray of int
            Positions of rows, ascending.

        Raises
        ------
        TaskError
            If nothing says which rows are of one task, or there are fewer tasks than
            folds.
        """
        yield from super().split(X, y, groups)

    def _iter_test_indices(self, X: Any, y: Any, groups: Any) -> Iterator[Array]:
        names, codes = self._tasks(X, y, groups)
        if len(names) < self.n_splits:
            raise TaskError(
                f"Every fold needs a task, but there are {len(names)} for "
                f"n_splits={self.n_splits}. Take fewer splits."
            )
        fold = self._deal(np.bincount(codes))[codes]
        for number in range(self.n_splits):
            yield np.flatnonzero(fold == number)

    def _tasks(self, X: Any, y: Any, groups: Any) -> tuple[Array, Array]:
        if groups is not None:
            return coded(groups, _num_samples(X))
        if not has_classes(y):
            raise TaskError(
                "TaskKFold has to know the task of each row, and y holds no classes "
                f"that could be the tasks: {HOW}"
            )
        return coded(y, _num_samples(X), "y")

    def _deal(self, sizes: Array) -> Array:
        """Return the fold of each task, from the numbers of their rows."""
        n, k = len(sizes), self.n_splits
        rng = check_random_state(self.random_state) if self.shuffle else None
        rank = np.arange(n) if rng is None else rng.permutation(n)
        order = np.lexsort((rank, -sizes))
        fold, rows = np.empty(n, dtype=np.int64), np.zeros(k)
        for start in range(0, n, k):
            block = order[start : start + k]
            turn = (
                np.argsort(rows, kind="stable") if rng is None else rng.permutation(k)
            )
            fold[block] = turn[: len(block)]
            rows[fold[block]] += sizes[block]
        return fold


class EpisodeSplit(BaseCrossValidator):
    """Few-shot episodes as splits: the support is to train on, the query to test on.

    With it, scikit-learn's own tools do a few-shot evaluation. An estimator is trained
    from scratch on each support set; the unfitted form of an adapted estimator, which
    keeps what was learnt from other tasks, adapts.

    Parameters
    ----------
    n_splits : int, default=600
        Number of episodes, at least 1.
    n_way : int or None, default=5
        Classes in an episode, at least 2; with groups, at most as many. None for all
        classes of a task. Regression has none.
    n_shot : int, default=1
        Training rows of each class; in regression, of a task.
    n_query : int, default=15
        Test rows of each class, or fewer where it has no more.
    kind : {"auto", "classification", "regression"}, default="auto"
        What y holds; "auto" takes whole numbers and names for classes.
    random_state : int, RandomState instance or None, default=None
        Determines the episodes.

    Raises
    ------
    ValueError
        If `n_splits` is below 1, or `kind` is none of those.

    See Also
    --------
    few_shot_score : Does it in one call, with a confidence interval.
    TaskKFold : Whole tasks.

    Notes
    -----
    It asks for ``groups`` itself: with groups, an episode keeps to one of them, and
    each gets the same number of episodes, give or take one. A class takes part with at
    least ``n_shot + 1`` rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from mlmi_sklearn.model_selection import EpisodeSplit
    >>> X, y = load_digits(return_X_y=True)
    >>> cv = EpisodeSplit(50, n_way=3, random_state=0)
    >>> scores = cross_val_score(KNeighborsClassifier(1), X, y, cv=cv)
    >>> len(scores), scores.mean() > 0.6
    (50, np.True_)
    """

    __metadata_request__split: ClassVar[dict[str, Any]] = {"groups": True}

    def __init__(
        self,
        n_splits: int = 600,
        *,
        n_way: int | None = 5,
        n_shot: int = 1,
        n_query: int = 15,
        kind: Literal["auto", "classification", "regression"] = "auto",
        random_state: Any = None,
    ) -> None:
        check_scalar(n_splits, "n_splits", Integral, min_val=1)
        if kind not in ("auto", "classification", "regression"):
            raise ValueError(
                f"kind must be 'auto', 'classification' or 'regression', got {kind!r}."
            )
        self.n_splits = n_splits
        self.n_way = n_way
        self.n_shot = n_shot
        self.n_query = n_query
        self.kind = kind
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of episodes.

        Parameters
        ----------
        X, y, groups : object, default=None
            Not used.

        Returns
        -------
        int
            The number.
        """
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Array, Array]]:
        """Generate the rows of support and query.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows; only their number is used.
        y : array-like of shape (n,), default=None
            Classes or measurements.
        groups : array-like of shape (n,) or None, default=None
            Task of each row; needed in regression.

        Yields
        ------
        support, query : ndarray of int
            Positions of rows; none is in both.

        Raises
        ------
        TaskError
            If no episode of that size is possible.
        """
        if y is None:
            raise TaskError("EpisodeSplit needs y, to draw rows of each class.")
        auto = self.kind == "auto"
        plan = plan_episodes(
            _num_samples(X),
            y,
            groups,
            classification=has_classes(y) if auto else self.kind == "classification",
            n_way=self.n_way,
            n_shot=self.n_shot,
            n_query=self.n_query,
        )
        episodes = plan.draw(self.n_splits, self.random_state)
        for number in range(self.n_splits):
            yield episodes.rows(number)
